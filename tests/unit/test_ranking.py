"""Candidates become a page: order, variety, caps, exploration."""

from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clickwise.ranking import Policy, rank
from tests.strategies import unit_vectors

PLAIN = Policy(diversity=0.0, topic_share=1.0, exploration=0.0)


def ranked(scores, *, count=10, policy=PLAIN, topics=None, vectors=None, seed=1):
    number = len(scores)
    return rank(
        scores_N=np.array(scores, np.float32),
        vectors_ND=vectors if vectors is not None else unit_vectors(number),
        topics_N=np.array(topics if topics is not None else [0] * number, np.int32),
        keys_N=np.arange(number, dtype=np.int64),
        count=count,
        policy=policy,
        seed=seed,
    )


def test_without_policies_the_order_is_the_score():
    assert [place.index for place in ranked([0.1, 0.9, 0.5])] == [1, 2, 0]


def test_equal_scores_are_ordered_by_key():
    assert [place.index for place in ranked([0.5] * 5)] == [0, 1, 2, 3, 4]


def test_nothing_to_rank_is_an_empty_list():
    assert ranked([]) == []
    assert ranked([0.5], count=0) == []


@pytest.mark.case(11)
@settings(max_examples=100, deadline=None)
@given(
    st.lists(st.floats(-1, 1, width=32), min_size=1, max_size=150),
    st.integers(0, 2**32),
    st.integers(1, 40),
)
def test_a_shorter_list_is_the_beginning_of_a_longer_one(scores, seed, count):
    policy = Policy(diversity=0.3, topic_share=0.4, exploration=0.2)
    topics = [n % 4 for n in range(len(scores))]

    short = ranked(scores, count=count, policy=policy, topics=topics, seed=seed)
    everything = ranked(scores, count=len(scores), policy=policy, topics=topics, seed=seed)

    assert everything[: len(short)] == short
    assert sorted(place.index for place in everything) == list(range(len(scores)))


def test_no_topic_takes_more_than_its_share_while_others_are_there():
    scores = [1.0 - n / 100 for n in range(40)]
    topics = [1] * 30 + [2] * 5 + [3] * 5

    places = ranked(scores, policy=Policy(diversity=0.0, topic_share=0.4, exploration=0.0),
                    topics=topics)  # fmt: skip

    counts = Counter(topics[place.index] for place in places)
    assert counts[1] == 4
    assert sum(counts.values()) == 10


def test_a_topic_cap_never_shortens_a_list():
    places = ranked([0.5] * 20, policy=Policy(topic_share=0.1, exploration=0.0), topics=[7] * 20)

    assert len(places) == 10


def test_near_copies_give_way_to_something_else():
    base = unit_vectors(1)[0]
    other = unit_vectors(2, seed=3)[1]
    vectors = np.stack([base, base, base, other])

    places = ranked(
        [1.0, 0.99, 0.98, 0.7],
        count=2,
        policy=Policy(diversity=0.7, topic_share=1.0, exploration=0.0),
        vectors=vectors,
    )

    assert [place.index for place in places] == [0, 3]


def test_exploration_never_takes_the_first_place_and_says_its_propensity():
    policy = Policy(diversity=0.0, topic_share=1.0, exploration=0.5)
    scores = [1.0 - n / 100 for n in range(50)]
    drawn = 0
    for seed in range(100):
        places = ranked(scores, policy=policy, seed=seed)
        assert places[0].index == 0
        assert not places[0].explored
        for order, place in enumerate(places[1:], 1):
            left = len(scores) - order
            expected = 0.5 / left if place.explored else 0.5 + 0.5 / left
            assert place.propensity == pytest.approx(expected)
            drawn += place.explored

    assert 0.4 < drawn / 900 < 0.6


def test_the_same_seed_gives_the_same_page():
    policy = Policy(exploration=0.5)
    scores = [n / 50 for n in range(50)]

    assert ranked(scores, policy=policy, seed=3) == ranked(scores, policy=policy, seed=3)
    assert ranked(scores, policy=policy, seed=3) != ranked(scores, policy=policy, seed=4)


def test_the_policy_names_itself():
    assert Policy().version != Policy(diversity=0.5).version


def copies_of(vectors, number):
    """`vectors` with `number` nearly equal ones of the first put before them."""
    noise = unit_vectors(number, seed=7) * 0.02
    made = vectors[0] + noise
    made /= np.linalg.norm(made, axis=1, keepdims=True)
    return np.concatenate([made, vectors]).astype(np.float32)


@pytest.mark.case(19)
@pytest.mark.parametrize("number", [5, 60, 150])
@pytest.mark.parametrize("policy", [PLAIN, Policy(exploration=0.0)])
def test_of_copies_only_the_best_is_in_the_head_of_a_list(number, policy):
    vectors = copies_of(unit_vectors(50), number)
    scores = np.linspace(1.0, 0.0, len(vectors))

    places = ranked(scores, vectors=vectors, policy=policy, count=48)

    assert sum(place.index <= number for place in places) == 1
    assert places[0].index == 0


def test_copies_continue_the_list_in_their_order():
    vectors = copies_of(unit_vectors(3), 4)

    places = ranked(np.linspace(1.0, 0.0, 7), vectors=vectors, count=7)

    assert [place.index for place in places] == [0, 5, 6, 1, 2, 3, 4]


def test_copies_alone_are_ordered_by_score():
    vectors = np.repeat(unit_vectors(1), 60, axis=0)

    places = ranked(np.linspace(1.0, 0.0, 60), vectors=vectors, count=60)

    assert [place.index for place in places] == list(range(60))
