"""Which events are learned, and which later ones judge."""

import numpy as np
import pytest

from clickwise.errors import ConflictError
from tests.unit.training.networks import catalogue, two_tastes
from training.data import Dataset, Log
from training.parts import lived_after, new_parts_of, newest_part, parts_of


def test_nothing_that_judges_is_learned():
    data = two_tastes()

    parts = parts_of(data)

    assert parts.train.log.times_N.max() < parts.cut
    later = data.log.times_N >= parts.cut
    assert later.sum() == pytest.approx(0.1 * len(data.log), abs=1)
    assert newest_part(parts.train) < parts.cut


def test_an_increment_learns_what_is_new_and_is_judged_by_what_is_newer():
    data = two_tastes()
    until = float(data.log.times_N[600])

    parts = new_parts_of(data, learned_until=until)

    assert parts.learn_from == until
    new = data.log.times_N[data.log.times_N >= until]
    assert until < parts.cut
    assert (new >= parts.cut).sum() == pytest.approx(len(new) / 3, abs=1)


def test_too_little_that_is_new_is_said():
    data = two_tastes()
    until = float(data.log.times_N[-50])

    with pytest.raises(ConflictError, match="50 events since the last training"):
        new_parts_of(data, learned_until=until)


def test_too_few_events_are_said():
    with pytest.raises(ConflictError, match="20 events to learn from"):
        parts_of(two_tastes(users=2, events=10))


def test_events_of_one_moment_have_no_before_and_after():
    number = 200
    log = Log(
        np.arange(number, dtype=np.int32) % 20,
        np.arange(number, dtype=np.int32) % 7,
        np.ones(number, np.uint8),
        np.ones(number, np.float32),
        np.full(number, 5.0),
    )

    with pytest.raises(ConflictError, match="one moment"):
        parts_of(Dataset("still", log, catalogue(7), tuple(f"u{n}" for n in range(20))))


def test_what_is_lived_is_bounded_on_both_sides():
    data = two_tastes(users=30, items=80, events=30, again=False)
    cut = float(data.log.times_N[600])

    lived = lived_after(data, cut, most=40, before=100)

    assert len(lived.plan.train.log) == 100
    assert len(lived.plan.cases) == 40
    assert int(lived.asked_N.sum()) == 40
    assert len(lived.asked_N) == len(lived.plan.test)
    assert float(lived.plan.test.times_N[0]) == cut
