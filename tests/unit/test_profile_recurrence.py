"""State equals history under a learned model too: its memory follows from the set of events."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clickwise.profile import Rules, empty_profile, fold, has_unknown, rebuilt, to_bytes
from clickwise.types import ModelVersion
from tests.strategies import CATALOGUE, DIMENSION, KnownItems, distinct_interactions

ITEMS = KnownItems()
# Small numbers, so that windows move within a short example.
RULES = Rules(interests=3, history=8, anchor_every=4, half_life_seconds=5 * 86_400.0, topics=6)


class Fading:
    """A memory that depends on order, type, weight and gap of what it was told."""

    memory = DIMENSION

    def step(self, memory_M, vector_D, *, event_type, weight, gap_seconds):
        kept = np.float32(0.9 / (1.0 + gap_seconds / 86_400.0))
        return kept * memory_M + np.float32(weight + event_type / 8.0) * vector_D

    def read(self, memory_M):
        return memory_M[None, :]


def folded(interactions, *, chunk=1, items=ITEMS):
    profile = empty_profile(
        ModelVersion("test-1"), dimension=DIMENSION, rules=RULES, memory=Fading.memory
    )
    for begin in range(0, len(interactions), chunk):
        some = interactions[begin : begin + chunk]
        profile = fold(profile, some, items, RULES, recurrence=Fading()).profile
    return profile


def in_time_order(interactions):
    return sorted(interactions, key=lambda one: (one.time, one.event))


@pytest.mark.case(12)
@settings(max_examples=200, deadline=None)
@given(distinct_interactions, st.randoms(use_true_random=False), st.integers(1, 9))
def test_late_events_leave_the_memory_that_they_would_have_left_in_time(
    interactions, shuffle, chunk
):
    expected = to_bytes(folded(in_time_order(interactions)))

    shuffled = list(interactions)
    shuffle.shuffle(shuffled)

    assert to_bytes(folded(shuffled, chunk=chunk)) == expected


@settings(max_examples=100, deadline=None)
@given(distinct_interactions, st.frozensets(st.integers(1, CATALOGUE), min_size=1))
def test_items_that_arrive_late_leave_the_memory_that_they_would_have_left_in_time(
    interactions, late
):
    before = folded(in_time_order(interactions), items=KnownItems(unknown=late))

    after = rebuilt(before, ITEMS, RULES, recurrence=Fading())

    assert to_bytes(after) == to_bytes(folded(in_time_order(interactions)))


@settings(max_examples=100, deadline=None)
@given(distinct_interactions.filter(bool), st.frozensets(st.integers(1, CATALOGUE), min_size=1))
def test_the_next_event_after_an_item_arrived_counts_it(interactions, late):
    *earlier, last = in_time_order(interactions)
    before = folded(earlier, items=KnownItems(unknown=late))

    after = fold(before, [last], ITEMS, RULES, recurrence=Fading()).profile

    if has_unknown(before):
        assert not has_unknown(after)
    assert to_bytes(after) == to_bytes(folded(in_time_order(interactions)))
