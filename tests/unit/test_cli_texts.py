"""`clickwise texts`: what it says, what it refuses, and the comparison from the logs."""

import json
from datetime import UTC, datetime

import polars as pl
import pytest

from clickwise.archive import Names, open_archive
from clickwise.cli import run
from clickwise.cli.exits import Exit
from clickwise.clock import SystemClock
from clickwise.codec import encode
from clickwise.merges import Merge
from clickwise.recommend.exposures import ExposureMessage, ShownItem
from clickwise.state.port import EventRow, ItemWrite
from clickwise.state.sql import open_state
from clickwise.state.text_port import Attempt, Decision, Rejection, StoredText
from clickwise.types import (
    EventId,
    ItemId,
    ItemKind,
    ModelVersion,
    UserId,
    event_key,
    item_key,
    topic_code,
)
from clickwise.writing.segments import OWN, Segment
from streams.archive import Archiver
from streams.archive_log import DatabaseLog
from tests.writing import NOW, Kept


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch):
    kept = Kept(tmp_path)
    kept.put("a", body="A tram line.", title="Own title", topics=("sport",))
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


def test_what_a_person_decided_is_listed_with_what_is_written_newest_first(capsys):
    said(capsys, "edit", "a", "By hand")
    said(capsys, "block", "a", "--field", "summary")

    _, told = said(capsys, "list", "--json")

    found = json.loads(told.out)
    assert [one.get("action", "written") for one in found] == ["block", "edit", "written"]
    lines = said(capsys, "list")[1].out.splitlines()
    assert [line.split()[:4] for line in lines[1:3]] == [
        ["a", "block", "summary", "all"], ["a", "edit", "title", "all"]
    ]  # fmt: skip
    assert "By hand" in lines[2]
    assert str(datetime.now(UTC).year) in lines[2]


def test_that_no_model_writes_is_said_and_what_readers_see_all_the_same(capsys):
    _, told = said(capsys, "list")

    assert (
        "CLICKWISE_TEXTS is off in this command's environment; a server goes by its own" in told.out
    )
    assert "edits, pins and blocks are" in " ".join(told.out.split())


def test_an_edit_that_its_items_new_title_ends_is_listed_as_not_shown(home, capsys):
    said(capsys, "edit", "a", "By hand")
    give_new_title(home)

    _, told = said(capsys, "list")

    assert "edit (not shown)" in told.out


def test_an_edit_that_its_items_new_title_ended_goes_before_no_block(home, capsys):
    said(capsys, "edit", "a", "By hand")
    give_new_title(home)

    _, told = said(capsys, "block", "a")

    assert told.out == (
        "its own words from now on, and none are written: every field, for all readers\n"
    )


def give_new_title(home):
    state = open_state(f"sqlite:///{home}", timeout_seconds=5.0, pool_size=2)
    row = state.item(ItemId("a"))
    body = row.body.replace(b"Own title", b"New title")
    item = ItemWrite(
        key=item_key("a"), id=ItemId("a"), body=body, model=ModelVersion("m"), vector=b"v"
    )
    with state.write() as write:
        write.put_items([item])
    state.close()


@pytest.mark.parametrize("command", ["list", "rejections", "compare"])
@pytest.mark.parametrize("where", ["home", "file"])
def test_where_there_is_no_site_that_is_said_and_nothing_made(
    capsys, tmp_path, monkeypatch, command, where
):
    place = tmp_path / "nowhere"
    if where == "home":
        monkeypatch.setenv("CLICKWISE_HOME", str(place))
    else:
        monkeypatch.setenv("CLICKWISE_DATABASE_URL", f"sqlite:///{place}/x.sqlite")

    code, told = said(capsys, command)

    assert code == Exit.FAILED
    assert (told.out, len(told.err.splitlines())) == ("", 1)
    assert f"{place}" in told.err
    assert not place.exists()


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
        ["edit", "a", " "],
        ["edit", "a", "two\nlines"],
        ["edit", "a", "x" * 400],
    ],
)
def test_what_cannot_be_done_is_said_in_one_line(capsys, arguments):
    code, told = said(capsys, *arguments)

    assert code == 1
    assert len(told.err.splitlines()) == 1


@pytest.mark.parametrize(
    "arguments", [["block", "a"], ["edit", "a", "By hand"], ["pin", "a"], ["unblock", "a"]]
)
def test_a_field_that_nothing_has_is_a_wrong_use(capsys, arguments):
    code, told = said(capsys, *arguments, "--field", "headline")

    assert code == Exit.USAGE
    assert told.err == (
        "clickwise: --field: expected one of title, summary, key_points, got 'headline'\n"
    )


@pytest.mark.parametrize(
    "arguments", [["block", "a"], ["edit", "a", "By hand"], ["pin", "a"], ["unblock", "a"]]
)
@pytest.mark.parametrize("segment", ["all", "own", "own:0", "en-US:00000000", "own:0000000O"])
def test_a_segment_that_no_reader_is_in_is_refused_by_name(capsys, arguments, segment):
    code, told = said(capsys, *arguments, "--segment", segment)

    assert code == Exit.USAGE
    assert "segment" in told.err
    assert segment in told.err
    assert len(told.err.splitlines()) == 1
    assert [
        one for one in json.loads(said(capsys, "list", "--json")[1].out) if "action" in one
    ] == []


def test_what_an_earlier_program_stored_for_nobody_is_listed_so_and_can_be_taken_back(home, capsys):
    state = open_state(f"sqlite:///{home}", timeout_seconds=5.0, pool_size=2)
    state.texts.decide(
        [Decision(item_key("a"), "everyone", "", ItemId("a"), "block", "", "Own title", 0, NOW)]
    )
    state.close()

    listed = said(capsys, "list")[1].out
    code, _ = said(capsys, "unblock", "a", "--segment", "everyone")

    assert "block (of no reader)" in listed
    assert code == 0
    assert "block" not in said(capsys, "list")[1].out.replace("pins and blocks", "")


SPORT = Segment(OWN, topic_code("sport")).key


@pytest.mark.parametrize(
    ("arguments", "holds"),
    [
        (["block", "a"], "its own words from now on, and none are written: every field, for all"),
        (["block", "a", "--segment", SPORT], "every field, for readers of sport in the item's"),
        (
            ["block", "a", "--segment", "pt:00000007"],
            "a topic that the item lacks (00000007) in pt",
        ),
        (["pin", "a"], "whatever becomes of the item: title, for readers in the item's language"),
        (["edit", "a", "By hand", "--segment", SPORT], "Own title (title, for readers of sport"),
    ],
)
def test_what_holds_from_now_on_is_said_in_one_line(capsys, arguments, holds):
    code, told = said(capsys, *arguments)

    first, *more = told.out.splitlines()
    assert code == 0
    assert holds in first
    assert "from now on" in first
    assert all(line.startswith("the gate would") for line in more)


def test_a_block_says_which_earlier_word_still_goes_before_it(capsys):
    said(capsys, "edit", "a", "By hand", "--field", "title")
    said(capsys, "edit", "a", "A summary by hand.", "--field", "summary")

    _, told = said(capsys, "block", "a")
    _, of_a_field = said(capsys, "block", "a", "--field", "key_points")

    (line,) = told.out.splitlines()
    assert "but where this stands: edit of summary, for all readers; edit of title, for all" in line
    assert "stands" not in of_a_field.out


def test_taking_back_says_what_was_and_that_another_word_stands(capsys):
    said(capsys, "block", "a")
    said(capsys, "edit", "a", "By hand", "--segment", SPORT)

    _, blocked = said(capsys, "unblock", "a", "--segment", SPORT)
    _, last = said(capsys, "unblock", "a")

    shown = (
        "what is written, where a server has CLICKWISE_TEXTS on, else its own words, from now on"
    )
    assert blocked.out == (
        "taken back: edit of title, for readers of sport in the item's language:"
        f" {shown}, but where another decision stands (1)\n"
    )
    assert last.out == f"taken back: block of every field, for all readers: {shown}\n"


@pytest.mark.parametrize("texts", ["off", "embedded"])
def test_what_becomes_of_a_text_is_not_judged_by_the_commands_environment(
    capsys, monkeypatch, texts
):
    monkeypatch.setenv("CLICKWISE_TEXTS", texts)
    said(capsys, "block", "a")

    _, told = said(capsys, "unblock", "a")

    assert "what is written, where a server has CLICKWISE_TEXTS on" in told.out


def test_a_decision_is_listed_with_the_name_of_its_topic(capsys):
    said(capsys, "block", "a", "--segment", SPORT)

    _, told = said(capsys, "list")

    assert told.out.splitlines()[1].split()[:5] == ["a", "block", "all", SPORT, "sport"]


def test_an_edit_that_the_gate_would_refuse_is_stored_and_said(capsys):
    code, told = said(capsys, "edit", "a", "Nine hundred robots attack the harbor of Lisbon")

    assert code == 0
    assert "shown from now on, as long as the item's title is: Own title" in told.out
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


def test_merges_and_places_in_kafkas_log_are_no_clicks(home, capsys):
    merge = Merge(id=EventId("m"), user=UserId("g"), into=UserId("u1"), time=NOW)
    rows = {"m": encode(merge), "p": b"0:17", "q": b"-1:-1"}
    state = open_state(f"sqlite:///{home}", timeout_seconds=5.0, pool_size=2)
    with state.write() as write:
        write.add_exposures([exposure(1, "written")], received=NOW)
        write.add_events([EventRow(event_key(EventId(n)), NOW, b) for n, b in rows.items()])
        write.add_events([click(1)])
    state.close()

    code, told = said(capsys, "compare", "--json")

    assert code == 0
    assert json.loads(told.out)["written"]["clicked"] == 1


@pytest.fixture
def distributed(home, monkeypatch):
    """Settings of a site whose log is Kafka's."""
    monkeypatch.setenv("CLICKWISE_KAFKA_BOOTSTRAP", "localhost:9")
    monkeypatch.setenv("CLICKWISE_DATABASE_URL", f"sqlite:///{home}")


def archive(home, exposures, events):
    """What these messages of two partitions are in the archive."""
    state = open_state(f"sqlite:///{home}", timeout_seconds=5.0, pool_size=2)
    with state.write() as write:
        write.add_exposures(exposures, received=NOW)
        write.add_events(events)
    Archiver(
        open_archive("", home=home.parent),
        [DatabaseLog(state, "events", rows_at_once=4),
         DatabaseLog(state, "exposures", rows_at_once=7)],
        names=Names.by(state.people.name_of), file_rows=1_000, clock=SystemClock(),
    ).run()  # fmt: skip
    # Kafka's log is not in the database.
    state.prune(events_before=datetime.now(UTC))
    state.prune_exposures(before=datetime.now(UTC))
    state.close()


@pytest.mark.usefixtures("distributed")
def test_with_kafka_the_archive_is_compared(home, capsys):
    archive(
        home,
        [exposure(n, "written" if n % 2 else "held") for n in range(40)],
        [*(click(n) for n in range(1, 40, 4)), click(2, kind="hide"), click(4, item="b")],
    )

    _, told = said(capsys, "compare", "--json")

    found = json.loads(told.out)
    assert (found["written"]["shown"], found["written"]["clicked"]) == (20, 10)
    assert (found["held"]["shown"], found["held"]["clicked"]) == (20, 0)
    assert (found["written"]["readers"], found["held"]["readers"]) == (20, 20)
    assert found["difference"] == 0.5


def test_log_and_archive_are_counted_alike(home, capsys, monkeypatch):
    exposures = [exposure(n % 30, "written" if n % 3 else "held") for n in range(30)]
    events = [*(click(n) for n in range(0, 30, 2)), click(1, kind="view"), click(5, item="b")]
    state = open_state(f"sqlite:///{home}", timeout_seconds=5.0, pool_size=2)
    with state.write() as write:
        write.add_exposures(exposures, received=NOW)
        write.add_events(events)
    state.close()
    _, of_log = said(capsys, "compare", "--json")

    archive(home, [], [])
    monkeypatch.setenv("CLICKWISE_KAFKA_BOOTSTRAP", "localhost:9")
    monkeypatch.setenv("CLICKWISE_DATABASE_URL", f"sqlite:///{home}")
    _, of_archive = said(capsys, "compare", "--json")

    log, archived = json.loads(of_log.out), json.loads(of_archive.out)
    arms = [{name: found[name] for name in ("written", "held")} for found in (log, archived)]
    assert arms[0] == arms[1]
    assert log["difference"] == pytest.approx(archived["difference"])


@pytest.mark.usefixtures("distributed")
def test_what_was_archived_before_words_were_shown_counts_for_neither(home, capsys):
    archive(home, [exposure(n, "written") for n in range(4)], [click(1)])
    folder = home.parent / "archive" / "exposures"
    for file in folder.rglob("*.parquet"):  # as an earlier program wrote them
        frame = pl.read_parquet(file)
        fields = ("item", "kind", "position", "score", "propensity", "sources", "reason")
        kept = pl.struct(pl.element().struct.field(name) for name in fields)
        frame.with_columns(pl.col("items").list.eval(kept)).write_parquet(file)

    _, told = said(capsys, "compare", "--json")

    assert json.loads(told.out)["written"]["shown"] == 0


@pytest.mark.usefixtures("distributed")
def test_with_kafka_and_no_archive_that_is_said(capsys):
    code, told = said(capsys, "compare")

    assert code != 0
    assert "clickwise archive" in told.err
    assert len(told.err.splitlines()) == 1


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


def click(number, *, item="a", kind="click"):
    name = f"{kind}-{item}-{number}"
    body = {
        "id": name, "user": f"u{number}", "item": item, "type": kind,
        "time": NOW.isoformat(), "request": f"r{number}",
    }  # fmt: skip
    key = event_key(EventId(name))
    return EventRow(key=key, received=NOW, body=json.dumps(body).encode())
