"""One user moves what everybody sees by one voice per item, and by so much a day."""

import dataclasses
import math
import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clickwise import activity
from clickwise.influence import BOUNDED, Influence, voices
from clickwise.profile import Interaction, Rules, empty_profile, fold
from clickwise.state.port import Partition
from clickwise.types import EVENT_CODES, EventType, ModelVersion, item_key
from streams.handlers import Arrival, EventHandler
from tests.site import Site, three_topics
from tests.strategies import DIMENSION, KnownItems, distinct_interactions

ITEMS = KnownItems()
RULES = Rules(interests=3, history=8, anchor_every=4, half_life_seconds=5 * 86_400.0, topics=6)
HALF_LIFE = 100.0
# Each bound by itself: the others out of the way.
ONCE = dataclasses.replace(Influence.unbounded(), half_life_seconds=HALF_LIFE, repeats=1.0)
DAILY = dataclasses.replace(Influence.unbounded(), daily_events=10.0)
NEWCOMERS = dataclasses.replace(Influence.unbounded(), newcomer_items=4.0)


def event(time, item, weight=1.0, kind=EventType.CLICK):
    return Interaction(
        time=round((1_767_225_600 + time) * 1e6), event=round(time * 1e6) * 97 + item, item=item,
        weight=weight, type=EVENT_CODES[kind],
    )  # fmt: skip


def heard(events, *, influence=BOUNDED, rules=None, chunk=1):
    """Voices of one user's events, folded `chunk` at a time."""
    rules = rules if rules is not None else Rules()
    profile = empty_profile(ModelVersion("m"), dimension=DIMENSION, rules=rules)
    found = []
    for begin in range(0, len(events), chunk):
        part = events[begin : begin + chunk]
        found += voices(profile, part, kept=rules.history, influence=influence)
        profile = fold(profile, part, ITEMS, rules).profile
    return found


def popularity(events, **how):
    return [voice.popularity for voice in heard(events, **how)]


@pytest.mark.case(19)
def test_a_thousand_clicks_on_an_item_count_as_one():
    total = sum(popularity([event(n * 0.1, 1) for n in range(1_000)], chunk=100))

    assert total <= 1.0


def test_a_stronger_event_adds_the_difference():
    gains = popularity([event(0, 1, 0.5), event(0, 1, 1.5, EventType.LIKE)], influence=ONCE)

    assert gains == pytest.approx([0.5, 1.0])


def test_a_repeat_counts_by_as_much_as_the_first_has_faded():
    gains = popularity([event(0, 1), event(HALF_LIFE, 1)], influence=ONCE)

    assert gains == pytest.approx([1.0, 0.5])


moments = st.tuples(st.integers(0, 400), st.sampled_from([0.5, 1.0, 1.5]))


@settings(deadline=None)
@given(st.lists(moments, min_size=1, max_size=7), st.randoms(use_true_random=False))
def test_whatever_the_order_of_arrival_an_item_gets_the_strongest_voice_once(given_events, shuffle):
    events = [event(time + n / 1e3, 1, weight) for n, (time, weight) in enumerate(given_events)]
    shuffle.shuffle(events)

    gains = popularity(events, influence=ONCE)

    worth = [2.0 ** ((one.time - events[0].time) / 1e6 / HALF_LIFE) for one in events]
    total = sum(gain * w for gain, w in zip(gains, worth, strict=True))
    strongest = max(one.weight * w for one, w in zip(events, worth, strict=True))
    assert total == pytest.approx(strongest)


def test_a_flood_dated_backwards_gains_nothing_by_it():
    gains = popularity([event(-n, 1) for n in range(100)], influence=ONCE)

    assert gains[0] == 1.0
    assert not any(gains[1:])


def test_items_beyond_the_kept_history_are_remembered():
    others = [event(1 + n, 2 + n % 30) for n in range(60)]
    flood = [event(0, 1), *others, event(62, 1)]

    assert popularity(flood, influence=ONCE, rules=RULES)[-1] == 0.0


def test_what_was_read_before_the_kept_history_counts_again_when_all_of_that_has_faded():
    others = [event(1 + n, 2 + n % 30) for n in range(60)]
    much_later = event(60 + 10 * HALF_LIFE, 1)

    gain = popularity([event(0, 1), *others, much_later], influence=ONCE, rules=RULES)[-1]

    assert gain == pytest.approx(1.0, abs=0.01)


@settings(max_examples=150, deadline=None)
@given(distinct_interactions, st.randoms(use_true_random=False), st.integers(2, 30))
def test_grouping_into_batches_does_not_matter(interactions, shuffle, chunk):
    # Keys as they are outside of tests: the Bloom filter takes neighbors of small ones for seen.
    events = [dataclasses.replace(one, item=item_key(f"{one.item}")) for one in interactions]
    shuffle.shuffle(events)

    one_by_one = heard(events, rules=RULES)

    assert heard(events, rules=RULES, chunk=chunk) == one_by_one


def test_a_days_later_events_count_less_and_their_total_is_bounded():
    gains = popularity([event(n, n + 1) for n in range(150)], influence=DAILY)

    assert gains[0] == 1.0
    assert gains[10] == pytest.approx(0.5)
    assert gains == sorted(gains, reverse=True)
    assert sum(gains) < 10.0 * math.pi / 2 + 1.0


def test_nothing_counts_when_all_that_is_kept_is_of_one_day():
    voice = heard([event(n, n + 1) for n in range(9)], influence=DAILY, rules=RULES)[-1]

    assert (voice.popularity, voice.following) == (0.0, 0.0)


def test_the_next_day_counts_in_full_again():
    busy = [event(n, n + 1) for n in range(100)]

    assert popularity([*busy, event(100 + 86_400, 500)], influence=DAILY)[-1] == 1.0


def test_a_newcomer_grows_with_every_other_item():
    gains = popularity([event(n, n + 1) for n in range(16)], influence=NEWCOMERS)

    assert gains[0] == pytest.approx(0.159, abs=0.001)
    assert gains[3] == pytest.approx(0.5)
    assert gains[15] == pytest.approx(0.9375)


def test_a_newcomers_steps_count_in_full():
    assert heard([event(0, 1), event(1, 2)], influence=NEWCOMERS)[-1].following == 1.0


def test_a_step_from_item_to_item_counts_once():
    there_and_back = [event(n, 1 + n % 2) for n in range(6)]

    assert [v.before for v in heard(there_and_back)] == [(), (1,), (2,), (), (), ()]


def test_a_step_from_another_item_to_a_known_one_counts():
    voice = heard([event(0, 1), event(1, 2), event(2, 5), event(3, 6), event(4, 2)])[-1]

    assert voice.before == (6, 5)


def test_a_dislike_says_nothing_for_the_item():
    voice = heard([event(0, 1), event(1, 2, -1.5, EventType.DISLIKE)])[-1]

    assert voice.popularity <= 0.0
    assert voice.before == ()


def test_a_whisper_counts_nothing():
    flat = dataclasses.replace(ONCE, faintest=0.02)
    first, soon = popularity([event(0, 1), event(1, 1)], influence=flat)

    assert (first, soon) == (1.0, 0.0)


def test_without_bounds_each_event_counts_in_full():
    events = [event(n, 1 + n % 2) for n in range(300)]

    found = heard(events, influence=Influence.unbounded(), chunk=100)

    assert {voice.popularity for voice in found} == {1.0}
    assert found[-1].before == (1,)


@pytest.fixture
def site(tmp_path):
    made = Site(tmp_path)
    three_topics(made)
    yield made
    made.state.close()


def rows(site):
    keys = [item_key(f"{topic}{n}") for topic in ("sport", "money", "film") for n in range(20)]
    return site.state.activity(keys)


@pytest.mark.case(19)
def test_one_busy_user_does_not_outweigh_two_others(site):
    for begin in range(0, 1_000, 500):
        site.post(*[site.event("busy", "sport0", id=f"b{n}") for n in range(begin, begin + 500)])
    for user in ("anna", "ben"):
        site.did(user, "money0")

    (first, _), (second, _) = site.state.trending(2)
    assert (first, second) == (item_key("money0"), item_key("sport0"))
    assert activity.counts(rows(site)[item_key("sport0")]) == {EventType.CLICK: 1_000}


def worker(site):
    return EventHandler(
        state=site.state, releases=site.releases, clock=site.clock, keep_bodies=False
    )


def random_arrivals(site, rng, number):
    place = Partition("workers", "events", 0)
    events = [
        site.event(
            f"u{rng.randrange(3)}", f"{rng.choice(['sport', 'money'])}{rng.randrange(6)}",
            rng.choice(["click", "like", "dislike", "impression"]), id=f"e{n}",
            time=site.clock.now().timestamp() - rng.randrange(10**6),
        )
        for n in range(number)
    ]  # fmt: skip
    return [Arrival(event, site.clock.now(), place, n) for n, event in enumerate(events)]


@pytest.mark.case(17)
@pytest.mark.parametrize("seed", range(5))
def test_a_redelivery_in_other_batches_gives_the_same_increments(site, seed):
    rng = random.Random(seed)
    arrivals = random_arrivals(site, rng, 120)
    first = delivered(site, arrivals, lambda: 40)

    again = delivered(site, arrivals, lambda: rng.randrange(1, 50))

    assert again == first


def delivered(site, arrivals, size):
    """Increments of all batches."""
    found, at = [], 0
    while at < len(arrivals):
        begin, at = at, at + size()
        found += worker(site).apply(arrivals[begin:at]).activity
    return found
