"""State equals history: the laws of the profile rule."""

import random

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clickwise.errors import BundleError
from clickwise.profile import (
    Interaction,
    Rules,
    empty_profile,
    fold,
    from_bytes,
    from_stored,
    has_unknown,
    in_older,
    profile_bytes,
    rebuilt,
    stored_body,
    to_bytes,
)
from clickwise.types import ModelVersion
from tests.strategies import CATALOGUE, DIMENSION, KnownItems, distinct_interactions

MODEL = ModelVersion("test-1")
ITEMS = KnownItems()
# Small numbers, so that windows move within a short example.
RULES = Rules(interests=3, history=8, anchor_every=4, half_life_seconds=5 * 86_400.0, topics=6)


def start():
    return empty_profile(MODEL, dimension=DIMENSION, rules=RULES)


def folded(interactions, *, chunk=1, items=ITEMS, rules=RULES):
    profile = empty_profile(MODEL, dimension=DIMENSION, rules=rules)
    for begin in range(0, len(interactions), chunk):
        profile = fold(profile, interactions[begin : begin + chunk], items, rules).profile
    return profile


def in_time_order(interactions):
    return sorted(interactions, key=lambda one: (one.time, one.event))


def event(time, item, weight=1.0, key=None):
    stamp = (1_767_225_600 + time) * 1_000_000
    return Interaction(
        time=stamp, event=key if key is not None else time * 97 + item, item=item, weight=weight,
        type=1,
    )  # fmt: skip


@pytest.mark.case(12)
@settings(max_examples=200, deadline=None)
@given(distinct_interactions, st.randoms(use_true_random=False), st.integers(1, 9))
def test_arrival_order_and_grouping_do_not_matter(interactions, shuffle, chunk):
    expected = to_bytes(folded(in_time_order(interactions)))

    shuffled = list(interactions)
    shuffle.shuffle(shuffled)

    assert to_bytes(folded(shuffled, chunk=chunk)) == expected


@pytest.mark.case(4)
@settings(max_examples=100, deadline=None)
@given(distinct_interactions, st.randoms(use_true_random=False))
def test_a_repeated_event_in_the_window_has_no_effect(interactions, shuffle):
    once = folded(in_time_order(interactions))
    kept = {int(key) for key in once.history["event"]}
    repeated = [one for one in interactions if one.event in kept]
    shuffle.shuffle(repeated)

    again = fold(once, repeated, ITEMS, RULES)

    assert set(again.outcomes) <= {"duplicate"}
    assert to_bytes(again.profile) == to_bytes(once)


def test_a_repeated_event_in_one_batch_counts_once():
    one = event(10, 3)

    result = fold(start(), [one, one], ITEMS, RULES)

    assert result.outcomes == ("applied", "duplicate")
    assert result.profile.events_applied == 1


@settings(max_examples=100, deadline=None)
@given(distinct_interactions)
def test_the_step_equals_folding_the_window_anew(interactions):
    stepped = folded(in_time_order(interactions))

    assert to_bytes(rebuilt(stepped, ITEMS, RULES)) == to_bytes(stepped)


@settings(max_examples=100, deadline=None)
@given(distinct_interactions)
def test_the_window_holds_the_newest_events_and_is_bounded(interactions):
    profile = folded(interactions)

    newest = [one.event for one in in_time_order(interactions)[-RULES.history :]]
    kept = profile.history["event"].tolist()
    assert kept[len(kept) - len(newest) :] == newest
    assert len(kept) <= RULES.longest


@pytest.mark.case(3)
def test_memory_of_a_user_does_not_grow_with_events():
    rules = Rules(interests=3)
    rng = random.Random(4)
    events = [
        event(60 * n, rng.randint(1, CATALOGUE), key=rng.getrandbits(62)) for n in range(5_000)
    ]

    short = to_bytes(folded(events[:1_000], chunk=100, rules=rules))
    long = to_bytes(folded(events, chunk=100, rules=rules))

    assert len(long) <= len(short) + rules.longest * 29
    assert from_bytes(long).events_applied == 5_000


def test_an_event_older_than_the_window_is_stale_and_still_seen():
    events = [event(60 * n, n % CATALOGUE + 1, key=n * 7919 + 1) for n in range(1, 200)]
    profile = folded(events, chunk=50)
    late = event(1, 17, key=5)

    result = fold(profile, [late], ITEMS, RULES)

    assert result.outcomes == ("stale",)
    assert result.profile.interests_KD.tobytes() == profile.interests_KD.tobytes()
    assert in_older(result.profile.older, np.array([17])).all()


def test_items_before_the_window_are_remembered_as_seen():
    events = [event(60 * n, n, key=n * 4) for n in range(1, 41)]

    profile = folded(events)

    dropped = np.array([n for n in range(1, 41) if n not in profile.history["item"]])
    assert len(dropped)
    assert in_older(profile.older, dropped).all()
    assert not in_older(profile.older, np.arange(1_000_000, 1_000_050)).all()


def test_bytes_round_trip():
    profile = folded([event(n, n) for n in range(1, 20)])

    again = from_bytes(to_bytes(profile))

    assert to_bytes(again) == to_bytes(profile)


def test_the_time_of_receipt_is_kept_beside_the_profile():
    profile = folded([event(1, 1)])

    body = stored_body(profile, received=1.5)

    assert from_stored(body)[1] == 1.5
    assert profile_bytes(body) == to_bytes(profile)


@pytest.mark.parametrize("damaged", [b"", b"\x00", b"\x9f" * 20, b"{}"])
def test_a_damaged_profile_is_refused(damaged):
    with pytest.raises(BundleError, match="damaged"):
        from_bytes(damaged)


def test_folding_leaves_the_given_profile_as_it_was():
    before = folded([event(n, n) for n in range(1, 12)])
    frozen = to_bytes(before)

    fold(before, [event(50, 3), event(4, 9, key=123)], ITEMS, RULES)

    assert to_bytes(before) == frozen


def test_interest_moves_towards_what_was_liked():
    profile = folded([event(1, 5), event(2, 5, key=9)])

    slot = int(profile.masses_K.argmax())
    direction = profile.interests_KD[slot] / np.linalg.norm(profile.interests_KD[slot])
    assert float(direction @ ITEMS.items[5].vector_D) == pytest.approx(1.0, abs=1e-5)


def test_different_tastes_get_interests_of_their_own():
    far = [1, *(k for k in ITEMS.items if abs(cosine(1, k)) < RULES.join_cosine)][:2]

    profile = folded([event(n, item, key=n) for n, item in enumerate(far, 1)])

    assert int((profile.masses_K > 0).sum()) == 2


@pytest.mark.case(15)
def test_a_dislike_moves_away_and_is_not_counted_as_interest():
    liked = folded([event(1, 5), event(2, 6, key=1)])

    disliked = fold(liked, [event(3, 5, weight=-1.5, key=2)], ITEMS, RULES).profile

    item = ITEMS.items[5].vector_D
    assert float((disliked.interests_KD @ item).max()) < float((liked.interests_KD @ item).max())
    assert float(disliked.masses_K.sum()) < float(liked.masses_K.sum())
    assert float(disliked.aversion_D @ item) > 0.0
    topic = ITEMS.items[5].topics[0]
    assert disliked.topic_weights[topic] < liked.topic_weights[topic]


def test_a_dislike_alone_makes_no_interest():
    profile = folded([event(1, 5, weight=-1.0)])

    assert not profile.masses_K.any()
    assert not profile.interests_KD.any()


def test_older_events_weigh_less():
    half_life = RULES.half_life_seconds
    profile = folded([event(0, 5, key=1), event(int(half_life), 6, key=2)])

    now = profile.time / 1e6
    weights = sorted((profile.masses_K * profile.scale(now, RULES)).tolist())
    assert weights[-2:] == pytest.approx([0.5, 1.0], rel=1e-5)


def test_a_pause_of_years_keeps_numbers_finite():
    year = 365 * 86_400
    profile = folded([event(year * n, n, key=n) for n in range(1, 9)])

    assert np.isfinite(profile.interests_KD).all()
    assert 0.9 <= float(profile.masses_K.max() * profile.scale(profile.time / 1e6, RULES)) <= 1.1


@pytest.mark.case(2)
def test_an_event_on_an_unknown_item_counts_once_the_item_is_there():
    events = [event(1, 5, key=1), event(2, 6, key=2), event(3, 7, key=3)]
    without = KnownItems(unknown=frozenset({6}))

    early = folded(events, items=without)
    assert has_unknown(early)

    assert to_bytes(rebuilt(early, ITEMS, RULES)) == to_bytes(folded(events))
    later = fold(early, [event(4, 8, key=4)], ITEMS, RULES).profile
    assert to_bytes(later) == to_bytes(folded([*events, event(4, 8, key=4)]))


def test_another_model_starts_from_the_kept_history():
    profile = folded([event(n, n, key=n) for n in range(1, 9)])
    other = KnownItems()

    moved = profile.for_model(ModelVersion("test-2"), dimension=DIMENSION, rules=RULES)
    anew = rebuilt(moved, other, RULES)

    assert anew.model == "test-2"
    assert anew.events_applied == profile.events_applied
    assert anew.history["event"].tolist() == profile.history["event"].tolist()
    assert anew.interests_KD.tobytes() == profile.interests_KD.tobytes()


def cosine(one, other):
    return float(ITEMS.items[one].vector_D @ ITEMS.items[other].vector_D)


def test_a_profile_of_the_format_before_learned_models_is_read():
    profile = folded([event(1, 2, key=1), event(2, 3, key=2)])
    fields = msgspec.msgpack.decode(to_bytes(profile))

    older = msgspec.msgpack.encode([2, *fields[1:-1]])

    assert to_bytes(from_bytes(older)) == to_bytes(profile)
