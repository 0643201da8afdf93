"""`clickwise texts`: what it says, what it refuses, and the comparison from the logs."""

import json
from datetime import UTC, datetime

import pytest

from clickwise.cli import run
from clickwise.codec import encode
from clickwise.recommend.exposures import ExposureMessage, ShownItem
from clickwise.state.port import EventRow
from clickwise.state.sql import open_state
from clickwise.state.text_port import Attempt, Rejection, StoredText
from clickwise.types import EventId, ItemId, ItemKind, UserId, event_key, item_key
from tests.writing import NOW, Kept


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch):
    kept = Kept(tmp_path)
    kept.put("a", body="A tram line.", title="Own title")
    change = kept.state.newest_change()
    kept.texts.record(
        Attempt(item_key("a"), "own:00000000", change, "d", "r", 1, 1, NOW),
        [
            StoredText(
                item_key("a"), "own:00000000", "title", ItemId("a"), "", "Written\x1b[31m title",
                "Own title", change, "p", "m", 0, NOW,
            )
        ],
        [
            Rejection(
                item_key("a"), ItemId("a"), "own:00000000", "title", "number", "12", "12 trams",
                "p", "m", NOW,
            )
        ],
    )  # fmt: skip
    kept.state.close()
    file = (tmp_path / "state.db").rename(tmp_path / "clickwise.sqlite")
    monkeypatch.setenv("CLICKWISE_HOME", str(tmp_path))
    return file


def said(capsys, *arguments):
    code = run(["texts", *arguments])
    return code, capsys.readouterr()


def test_written_texts_are_listed_without_obeying_them(capsys):
    code, told = said(capsys, "list")

    assert code == 0
    assert "Written\\x1b[31m title" in told.out


def test_an_item_is_shown_with_all_that_is_known(capsys):
    _, told = said(capsys, "show", "a")

    assert "Own title" in told.out
    assert "refused title: number" in told.out


def test_rejections_are_listed_with_their_reason(capsys):
    _, told = said(capsys, "rejections", "--item", "a", "--json")

    assert [(one["reason"], one["detail"]) for one in json.loads(told.out)] == [("number", "12")]


def test_a_pin_keeps_what_is_written(capsys):
    assert said(capsys, "pin", "a")[0] == 0

    _, told = said(capsys, "show", "a", "--json")

    (decision,) = json.loads(told.out)["decisions"]
    assert (decision["action"], decision["field"]) == ("pin", "title")


@pytest.mark.parametrize(
    "arguments",
    [
        ["show", "nobody"],
        ["pin", "nobody"],
        ["unblock", "a"],
        ["block", "a", "--field", "headline"],
        ["edit", "a", " "],
        ["edit", "a", "two\nlines"],
        ["edit", "a", "x" * 400],
    ],
)
def test_what_cannot_be_done_is_said_in_one_line(capsys, arguments):
    code, told = said(capsys, *arguments)

    assert code == 1
    assert len(told.err.splitlines()) == 1


def test_an_edit_that_the_gate_would_refuse_is_stored_and_said(capsys):
    code, told = said(capsys, "edit", "a", "Nine hundred robots attack the harbor of Lisbon")

    assert code == 0
    assert "the gate would have refused it" in told.out


def test_click_through_of_both_kinds_is_compared(home, capsys):
    state = open_state(f"sqlite:///{home}", timeout_seconds=5.0, pool_size=2)
    with state.write() as write:
        write.add_exposures(
            [exposure(n, "written" if n % 2 else "held") for n in range(40)], received=NOW
        )
        write.add_events([click(n) for n in range(1, 40, 4)])
    state.close()

    _, told = said(capsys, "compare", "--json")

    found = json.loads(told.out)
    assert (found["written"]["shown"], found["written"]["clicked"]) == (20, 10)
    assert (found["held"]["shown"], found["held"]["clicked"]) == (20, 0)
    assert found["difference"] == 0.5
    assert found["low"] > 0.2


def exposure(number, text):
    return encode(
        ExposureMessage(
            request_id=f"r{number}", user=UserId(f"u{number}"), time=datetime.now(UTC),
            items=(
                ShownItem(
                    item=ItemId("a"), kind=ItemKind.NEWS, position=0, score=1.0, propensity=1.0,
                    sources=(), reason="fresh", text=text,
                ),
                ShownItem(
                    item=ItemId("b"), kind=ItemKind.NEWS, position=1, score=1.0, propensity=1.0,
                    sources=(), reason="fresh", text="own",
                ),
            ),
            model="m", policy="p", profile_version=0, events_applied=0, personalized=False,
        )
    )  # fmt: skip


def click(number):
    body = {
        "id": f"e{number}", "user": f"u{number}", "item": "a", "type": "click",
        "time": NOW.isoformat(), "request": f"r{number}",
    }  # fmt: skip
    key = event_key(EventId(f"e{number}"))
    return EventRow(key=key, received=NOW, body=json.dumps(body).encode())
