"""Since when a partition has not moved."""

import pytest

from streams.standstill import Stillness

PLACE, OTHER = ("events", 0), ("events", 1)


@pytest.fixture
def stillness() -> Stillness:
    return Stillness(limit_seconds=20.0)


def test_a_partition_that_does_not_move_for_longer_than_the_limit_is_told(
    stillness: Stillness,
) -> None:
    assert stillness.look({PLACE: 7, OTHER: 1}, now=100.0) == []
    assert stillness.look({PLACE: 7, OTHER: 2}, now=120.0) == []

    assert stillness.look({PLACE: 7, OTHER: 3}, now=121.0) == [PLACE]


def test_each_step_counts_anew(stillness: Stillness) -> None:
    stillness.look({PLACE: 7}, now=100.0)
    stillness.look({PLACE: 8}, now=119.0)

    assert stillness.look({PLACE: 8}, now=138.0) == []


def test_who_had_something_in_hand_or_nothing_to_do_counts_anew(stillness: Stillness) -> None:
    stillness.look({PLACE: 7}, now=100.0)
    stillness.look({}, now=110.0)

    assert stillness.look({PLACE: 7}, now=125.0) == []


def test_after_an_outage_all_counts_anew(stillness: Stillness) -> None:
    stillness.look({PLACE: 7}, now=100.0)

    stillness.forget()

    assert stillness.look({PLACE: 7}, now=150.0) == []
