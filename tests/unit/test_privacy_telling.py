"""An export explains itself: words and titles first, numbers last."""

import json
from contextlib import ExitStack
from datetime import UTC, datetime

import msgspec
import pytest

from clickwise.cli import run
from clickwise.cli.wiring import state_of
from clickwise.privacy.telling import Titles
from clickwise.settings import Settings
from clickwise.state.understandings import StoredUnderstanding
from clickwise.types import ItemId, item_key
from clickwise.understanding.understanding import Keyword, Understanding

LINES = (
    {"id": "a", "kind": "news", "title": "Robot factory", "topics": ["technology"]},
    {"id": "b", "kind": "news", "title": "Bread", "topics": ["food", "technology"]},
    {"id": "1", "user": "anna", "item": "a", "type": "like", "time": "2026-11-20T08:00:00Z"},
    {"id": "2", "user": "anna", "item": "b", "type": "hide", "time": "2026-11-20T09:00:00Z"},
    {"id": "3", "user": "anna", "item": "gone", "type": "click", "time": "2026-11-20T10:00:00Z"},
)


@pytest.fixture
def home(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("CLICKWISE_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("CLICKWISE_ENCODER_MODEL", "hashing:8")
    path = tmp_path / "site.jsonl"
    path.write_text("".join(json.dumps(line) + "\n" for line in LINES))
    assert run(["import", str(path)]) == 0
    capsys.readouterr()
    return Settings(home=str(tmp_path / "home"))


@pytest.fixture
def state(home):
    with ExitStack() as stack:
        yield state_of(home, stack)


def understand(state, item, word):
    known = Understanding(
        language="en", confidence=1.0, tokens=2, keywords=(Keyword(word=word, weight=1.0),),
        summary=(), topics=(), near=(), methods={}, made=datetime(2026, 11, 20, tzinfo=UTC),
    )  # fmt: skip
    body = msgspec.json.encode(known)
    change = state.item(ItemId(item)).change
    assert state.understandings.put([StoredUnderstanding(item_key(item), change, "m", "", body)])


def exported(capsys):
    assert run(["export", "anna"]) == 0
    return [json.loads(line) for line in capsys.readouterr().out.splitlines()]


@pytest.mark.usefixtures("home")
def test_the_first_line_says_what_every_other_and_each_field_of_a_profile_is(capsys):
    about, profile, *rest = exported(capsys)

    assert about["store"] == "about"
    assert {line["store"] for line in (profile, *rest)} <= about["stores"].keys()
    assert profile.keys() - {"store"} == about["fields of profiles"].keys()


def test_a_profile_is_told_in_topics_words_and_titles(state, capsys):
    understand(state, "a", "robots")
    understand(state, "b", "bakery")

    profile = exported(capsys)[1]

    assert list(profile["topics"]) == ["technology", "food"]
    assert profile["topics"]["technology"] > 0.0 > profile["topics"]["food"]
    assert profile["words"] == ["robots"]
    assert [(one["type"], one["item"], one["title"]) for one in profile["history"]] == [
        ("click", None, None),
        ("hide", "b", "Bread"),
        ("like", "a", "Robot factory"),
    ]


@pytest.mark.usefixtures("home")
def test_numbers_stand_under_one_key_and_last(capsys):
    profile = exported(capsys)[1]

    *words, last = profile
    assert last == "numbers"
    assert len(profile["numbers"]["interests"][0]) == 8
    assert "[0." not in json.dumps([profile[name] for name in words])


@pytest.mark.usefixtures("home")
def test_a_record_of_an_item_has_its_title_behind_it(capsys):
    events = [line for line in exported(capsys) if line["store"] == "events"]

    assert [one["title"] for one in events] == ["Robot factory", "Bread", None]
    assert list(events[0])[list(events[0]).index("item") + 1] == "title"


def test_the_items_of_a_list_have_theirs_and_a_title_that_was_shown_stays(state):
    record = {"items": [{"item": "a", "score": 0.5}, {"item": "b", "title": "As shown"}, 3]}

    told = Titles(state).beside(record)

    assert told["items"] == [
        {"item": "a", "title": "Robot factory", "score": 0.5},
        {"item": "b", "title": "As shown"},
        3,
    ]
