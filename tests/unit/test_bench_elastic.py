"""What is made of looking at a growing count, and of counts of events."""

import pytest

from clickwise.bench.counting import lost_and_twice
from clickwise.bench.gaps import Timeline


def seen(*looks):
    timeline = Timeline()
    for moment, count in looks:
        timeline.look(moment, count)
    return timeline


STOPPED = seen((1.0, 0), (2.0, 100), (3.0, 200), (3.1, 200), (6.9, 200), (7.0, 300), (8.0, 400))


def test_events_a_second_are_those_between_two_moments():
    assert STOPPED.per_second(2.0, 8.0) == pytest.approx(300 / 6.0)
    assert STOPPED.per_second(3.5, 6.5) == 0.0
    assert STOPPED.per_second(0.0, 2.0) == 50.0
    assert STOPPED.count == 400


def test_the_longest_gap_is_between_two_growths_however_often_one_looked():
    assert STOPPED.longest_gap(1.0, 8.0) == pytest.approx(4.0)
    assert STOPPED.longest_gap(1.0, 2.9) == pytest.approx(1.0)


def test_a_gap_that_goes_on_at_the_end_counts_to_its_own_end():
    assert STOPPED.longest_gap(2.5, 5.0) == pytest.approx(4.0)


def test_a_gap_that_has_not_ended_counts_as_far_as_it_was_watched():
    assert STOPPED.longest_gap(7.5, 20.0) == pytest.approx(12.0)


def test_nothing_seen_is_one_gap():
    assert seen().longest_gap(2.0, 5.0) == pytest.approx(3.0)
    assert seen().per_second(2.0, 5.0) == 0.0


def test_lost_and_repeated_events_do_not_make_up_for_each_other():
    expected = {"ann": 10, "bob": 5, "cem": 1}

    assert lost_and_twice(expected, expected) == (0, 0)
    assert lost_and_twice(expected, {"ann": 12, "bob": 2}) == (4, 2)
    assert lost_and_twice(expected, {**expected, "dora": 3}) == (0, 3)
