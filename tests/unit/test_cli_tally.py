"""What the demo counts."""

from datetime import UTC, datetime, timedelta

import pytest

from clickwise.cli.popularity import Popularity
from clickwise.cli.tally import Page, Tally, has_changed
from clickwise.events import Event
from clickwise.types import EventType

NOW = datetime(2026, 11, 25, tzinfo=UTC)
ITEMS = [str(n) for n in range(20)]


def rated(user, item, stars, *, days=0):
    return Event(
        id=f"{user}-{item}", user=user, item=item, type=EventType.RATING, value=float(stars),
        time=NOW + timedelta(days=days),
    )  # fmt: skip


def page(*items, drawn=()):
    return Page(items=items, drawn=frozenset(drawn), profile_version=1)


@pytest.mark.parametrize(
    ("before", "after", "changed"),
    [
        (page("a", "b", "c"), page("a", "b", "c"), False),
        (page("a", "b", "c"), page("a", "c", "d"), False),  # b was clicked: d only moved up
        (page("a", "b", "c"), page("c", "a", "d"), True),
        (page("a", "b", "c"), page("a", "x", "c"), True),
        (page("a", "b", "c"), page("a", "x", "c", drawn="x"), False),
        (page("a", "x", "c", drawn="x"), page("a", "c", "d"), False),
        (page(), page(), False),
    ],
)
def test_a_list_has_changed_when_more_than_the_click_and_chance_differ(before, after, changed):
    assert has_changed("b", before, after) is changed


def test_hits_are_of_positive_events_and_among_the_first_ten():
    tally = Tally(ITEMS)

    assert tally.before(rated("u", "1", 5), page(*ITEMS[:10]))
    assert not tally.before(rated("u", "15", 5), page(*ITEMS))
    assert not tally.before(rated("u", "2", 1), page(*ITEMS[:10]))

    assert (tally.lived, tally.positive, tally.hits) == (3, 2, 1)
    assert tally.hit_rates.recommender == 0.5


def test_popularity_leaves_out_what_the_person_has_seen():
    tally = Tally(ITEMS)
    for user in range(5):
        tally.remember(rated(f"v{user}", "3", 5))
    tally.remember(rated("u", "3", 5))

    tally.before(rated("w", "3", 5), page())
    tally.before(rated("u", "3", 5), page())

    assert tally.baseline_hits == [1, 1]


def test_the_stronger_baseline_counts():
    tally = Tally(ITEMS)
    tally.positive, tally.baseline_hits = 10, [2, 3]

    assert tally.hit_rates.popularity == 0.3


def test_decay_prefers_what_is_popular_now():
    lasting, fading = Popularity(ITEMS), Popularity(ITEMS, half_life_seconds=86_400.0)
    for baseline in (lasting, fading):
        for _ in range(5):
            baseline.count("1", time=0.0)
        for _ in range(2):
            baseline.count("2", time=10 * 86_400.0)

    assert lasting.top(1, without=set()) == ["1"]
    assert fading.top(1, without=set()) == ["2"]
    assert fading.top(5, without={"2"}) == ["1"]


def test_decay_goes_on_for_years():
    fading = Popularity(ITEMS, half_life_seconds=3_600.0)
    for hour in range(0, 20_000, 400):
        fading.count("1", time=hour * 3_600.0)
    fading.count("2", time=20_000 * 3_600.0)

    assert fading.top(2, without=set()) == ["2", "1"]
