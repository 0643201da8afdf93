"""The checker sees each of the faults that it is there for, and none where there is none."""

import dataclasses
from datetime import UTC, datetime

import msgspec
import pytest

from clickwise.codec import encode
from clickwise.events import Event
from clickwise.recommend.exposures import ExposureMessage, ShownItem
from clickwise.types import EventId, EventType, ItemId, ItemKind, UserId
from streams.records import Record
from tests.chaos.checker import (
    FAULTS,
    Findings,
    PublishedList,
    StoredLetter,
    StoredProfile,
    check_answers,
    check_counts,
    check_exposures,
    check_items,
    check_letters,
    check_lists,
    check_profiles,
    check_told,
    expected_of,
)
from tests.chaos.load import Answered
from tests.chaos.reading import Raw, newest_lists

NOW = datetime(2026, 11, 1, tzinfo=UTC)


def event(name, user="ada", item="robot", kind=EventType.CLICK):
    return Event(id=EventId(name), user=UserId(user), item=ItemId(item), type=kind, time=NOW)


def record(offset, value, key=b"ada"):
    return Record("chaos.events", 0, offset, key, value, NOW.timestamp())


LOG = [
    record(0, encode(event("e1"))),
    record(1, b"{"),
    record(2, encode(event("e2", item="ball"))),
    record(3, encode(event("e1"))),
    record(4, encode(event("e3", user="bob")), key=b"bob"),
]


def replay(events):
    """A profile that is made of the ids alone, in any order."""
    names = ",".join(sorted(one.id for one in events))
    return StoredProfile(events=len(events), version=1, body=names.encode())


STORED = {
    "ada": StoredProfile(2, 2, b"e1,e2"),
    "bob": StoredProfile(1, 1, b"e3"),
}
LISTS = {"ada": PublishedList(2, 2), "bob": PublishedList(1, 1)}
COUNTED = {("robot", "click"): 2, ("ball", "click"): 1}
LETTER = StoredLetter("chaos.events", 0, 1, "invalid", b"{")
ANSWER = Answered("r1", "ada", "serve-a", 5.0, ("robot",), 2, 2, ())
EXPOSURE = ExposureMessage(
    request_id="r1",
    user=UserId("ada"),
    time=NOW,
    items=(
        ShownItem(
            item=ItemId("robot"), kind=ItemKind.NEWS, position=0, score=1.0, propensity=1.0,
            sources=("fresh",), reason="fresh",
        ),
    ),
    model="m",
    policy="p",
    profile_version=2,
    events_applied=2,
    personalized=True,
)  # fmt: skip


def tell(one, other):
    return f"{one} instead of {other}"


def never(_):
    return False


def found(check, *arguments):
    """Names and counts of what a check finds."""
    findings = Findings()
    check(findings, *arguments)
    return {name: one.count for name, one in findings.result().items() if one.count}


def test_the_log_says_who_did_what_once():
    expected = expected_of(LOG)

    assert {u: [e.id for e in events] for u, events in expected.users.items()} == {
        "ada": ["e1", "e2"],
        "bob": ["e3"],
    }
    assert expected.num_repeated == 1
    assert expected.refused == {(0, 1): "invalid"}


def test_where_all_is_well_nothing_is_found():
    expected = expected_of(LOG)
    values = {(one.partition, one.offset): one.value for one in LOG}

    assert found(check_told, {"e1", "e2", "e3"}, expected) == {}
    assert found(check_profiles, expected, STORED, replay, tell) == {}
    assert found(check_counts, expected, COUNTED) == {}
    assert found(check_items, {"new"}, {"new", "robot"}) == {}
    assert found(check_exposures, [ANSWER], [EXPOSURE], never) == {}
    assert found(check_letters, expected, values, [LETTER], [LETTER]) == {}
    assert found(check_lists, LISTS, STORED) == {}
    assert found(check_answers, [ANSWER, ANSWER]) == {}


def test_an_event_that_was_told_and_is_not_in_the_log_is_found():
    assert found(check_told, {"e1", "e9"}, expected_of(LOG)) == {"events lost at the door": 1}


def test_a_told_event_that_the_worker_refused_is_a_dead_letter_and_not_lost():
    ahead = event("e7")
    refused = record(5, encode(ahead).replace(b"2026", b"2036"))

    expected = expected_of([*LOG, refused])

    assert (0, 5) in expected.refused
    assert found(check_told, {"e7"}, expected) == {}


@pytest.mark.parametrize(
    ("stored", "faults"),
    [
        (StoredProfile(1, 1, b"e1"), {"events lost": 1, "profiles wrong": 1}),
        (StoredProfile(3, 2, b"e1,e1,e2"), {"events counted twice": 1, "profiles wrong": 1}),
        (StoredProfile(2, 2, b"e1,e9"), {"profiles wrong": 1}),
        (StoredProfile(2, 2, b"e1,e1"), {"profiles wrong": 1}),
        (StoredProfile(3, 2, b"e1,e2"), {"events counted twice": 1}),
    ],
    ids=["lost", "doubled", "another", "one-lost-one-doubled", "counted-twice"],
)
def test_a_profile_that_is_not_its_replay_is_found(stored, faults):
    assert (
        found(check_profiles, expected_of(LOG), {**STORED, "ada": stored}, replay, tell) == faults
    )


def test_a_user_without_a_profile_has_lost_every_event():
    stored = {"ada": STORED["ada"]}

    assert found(check_profiles, expected_of(LOG), stored, replay, tell) == {"events lost": 1}


def test_a_profile_of_nobody_in_the_log_is_found():
    stored = {**STORED, "eve": StoredProfile(1, 1, b"e9")}

    faults = found(check_profiles, expected_of(LOG), stored, replay, tell)

    assert faults == {"events counted twice": 1, "profiles wrong": 1}


def test_counts_of_items_that_miss_or_double_an_event_are_found():
    counted = {("robot", "click"): 1, ("ball", "click"): 2, ("ball", "like"): 1}

    faults = found(check_counts, expected_of(LOG), counted)

    assert faults == {"item counts lost": 1, "item counts twice": 2}


def test_an_item_that_was_taken_and_is_not_there_is_found():
    assert found(check_items, {"new"}, {"robot"}) == {"items lost": 1}


def test_an_answer_without_its_exposure_is_found():
    assert found(check_exposures, [ANSWER], [], never) == {"exposures missing": 1}


def test_an_exposure_that_went_with_its_server_is_told_apart():
    faults = found(check_exposures, [ANSWER], [], lambda answer: answer.server == "serve-a")

    assert faults == {"exposures lost with a server": 1}
    assert "exposures lost with a server" not in FAULTS


@pytest.mark.parametrize(
    "changed",
    [
        {"user": UserId("bob")},
        {"items": ()},
        {"profile_version": 3},
        {"events_applied": 1},
        {"degraded": ("vectors",)},
    ],
)
def test_an_exposure_of_something_else_than_was_shown_is_found(changed):
    other = msgspec.structs.replace(EXPOSURE, **changed)

    assert found(check_exposures, [ANSWER], [other], never) == {"exposures wrong": 1}


def test_an_exposure_twice_is_told_and_one_that_differs_is_wrong():
    other = msgspec.structs.replace(EXPOSURE, policy="q")

    assert found(check_exposures, [ANSWER], [EXPOSURE, EXPOSURE], never) == {
        "exposures written twice": 1
    }
    assert found(check_exposures, [ANSWER], [EXPOSURE, other], never) == {"exposures wrong": 1}


@pytest.mark.parametrize(
    ("stored", "copies", "faults"),
    [
        ([], [LETTER], {"dead letters missing": 1}),
        ([LETTER], [], {"dead letters not on the topic": 1}),
        ([LETTER, LETTER], [LETTER], {"dead letters wrong": 1}),
        ([dataclasses.replace(LETTER, value=b"[")], [LETTER], {"dead letters wrong": 1}),
        ([dataclasses.replace(LETTER, reason="key")], [LETTER], {"dead letters wrong": 1}),
        ([LETTER, dataclasses.replace(LETTER, offset=2)], [LETTER], {"dead letters wrong": 1}),
    ],
    ids=["missing", "untold", "twice", "other-bytes", "other-reason", "of-an-event"],
)
def test_a_dead_letter_that_is_not_what_it_should_be_is_found(stored, copies, faults):
    values = {(one.partition, one.offset): one.value for one in LOG}

    assert found(check_letters, expected_of(LOG), values, stored, copies) == faults


@pytest.mark.parametrize(
    "changed",
    [
        {"ada": PublishedList(1, 2)},
        {"ada": PublishedList(2, 1)},
        {"ada": None},
        {"eve": PublishedList(1, 1)},
    ],
    ids=["older", "knows-less", "none", "of-nobody"],
)
def test_a_list_that_is_not_of_the_newest_profile_is_found(changed):
    lists = {user: one for user, one in {**LISTS, **changed}.items() if one is not None}

    assert found(check_lists, lists, STORED) == {"lists out of date": 1}


def test_a_tombstone_takes_a_list_away():
    body = {
        "id": "l", "request_id": "r", "user": "ada", "items": [], "model": "m", "policy": "p",
        "profile_version": 2, "events_applied": 2, "personalized": True, "generated": NOW,
    }  # fmt: skip
    made = [
        Raw(record(0, encode(body)), {}),
        Raw(record(1, encode({**body, "user": "bob"}), b"bob"), {}),
    ]

    assert newest_lists(made) == {"ada": PublishedList(2, 2), "bob": PublishedList(2, 2)}
    assert newest_lists([*made, Raw(record(2, None), {})]) == {"bob": PublishedList(2, 2)}


def test_an_answer_that_knows_less_than_the_one_before_is_found_unless_it_says_so():
    less = dataclasses.replace(ANSWER, request="r2", events=1)
    honest = dataclasses.replace(less, degraded=("profile",))

    assert found(check_answers, [ANSWER, less]) == {"answers that went back": 1}
    assert found(check_answers, [ANSWER, honest]) == {}
