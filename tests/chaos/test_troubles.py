"""Which exposures may go with their server, and which orderly ends have to write them."""

import pytest

from tests.chaos.schedule import Fault
from tests.chaos.supervisor import Life
from tests.chaos.troubles import Trouble, may_be_lost

AT = 100.0


def ended(at, code):
    return [Life(pid=7, began=0.0, ended=at, code=code), Life(pid=8, began=at + 0.5)]


def trouble(*faults, began=AT + 1.0, over=AT + 40.0):
    return Trouble(tuple(Fault(kind, target, 5.0, 0.0) for kind, target in faults), began, over)


def lost(lives, *troubles):
    return may_be_lost("serve-b", AT, lives, troubles)


def test_an_orderly_end_while_kafka_is_well_loses_no_exposure():
    lives = ended(AT + 2.0, 0)

    assert not lost(lives, trouble(("terminate", "serve-b")))


@pytest.mark.parametrize(
    "beside",
    [
        ("freeze-service", "database"),
        ("partition-long", "b-database"),
        ("partition-long", "a-kafka"),
        ("freeze-long", "serve-a"),
        ("kill", "stream-b"),
        ("disk-full", "home-b"),
        ("clock", "b"),
    ],
    ids=" ".join,
)
def test_what_keeps_no_server_from_kafka_excuses_no_orderly_end(beside):
    lives = ended(AT + 2.0, 0)

    assert not lost(lives, trouble(("terminate", "serve-b"), beside))


@pytest.mark.parametrize(
    "beside",
    [
        ("freeze-service", "kafka"),
        ("disk-full", "kafka"),
        ("partition-long", "b-kafka"),
        ("delay", "b-kafka"),
        ("freeze-long", "serve-b"),
        ("kill-child", "serve-b"),
    ],
    ids=" ".join,
)
def test_an_end_while_kafka_is_away_or_its_server_stands_still_may_lose_one(beside):
    lives = ended(AT + 20.0, 0)

    assert lost(lives, trouble(("terminate", "serve-b"), beside))


def test_a_server_that_is_killed_right_after_the_answer_may_lose_one():
    assert lost(ended(AT + 2.0, -9))
    assert not lost(ended(AT + 20.0, -9))


def test_a_server_that_fails_by_itself_right_after_the_answer_may_not():
    assert not lost(ended(AT + 2.0, 1))


def test_a_trouble_that_was_over_long_before_the_end_excuses_nothing():
    away = trouble(("freeze-service", "kafka"), over=AT + 10.0)

    assert not lost(ended(AT + 20.0, 0), away)


def test_the_end_that_counts_is_the_first_after_the_answer():
    lives = [Life(pid=6, began=0.0, ended=AT - 1.0, code=-9), *ended(AT + 2.0, 0)]

    assert not lost(lives)
    assert not lost([Life(pid=6, began=0.0)])
