"""Popularity that fades and followers that stay bounded."""

import math

import pytest

from clickwise.activity import MAX_FOLLOWERS, MAX_WEIGHT, Activity, counts, followers, increments
from clickwise.types import EVENT_CODES, EventType

CLICK = EVENT_CODES[EventType.CLICK]
DISLIKE = EVENT_CODES[EventType.DISLIKE]
IMPRESSION = EVENT_CODES[EventType.IMPRESSION]
DAY = 86_400.0


def row_after(*events):
    """An activity row after (time, weight) clicks."""
    activity = Activity()
    for time, weight in events:
        for one in increments(
            item=1, event_type=CLICK, popularity=weight, following=weight, time=time, before=()
        ):
            activity.add(one, half_life_seconds=DAY)
    return activity


def test_a_click_a_half_life_later_counts_twice_as_much():
    early, late = row_after((0.0, 1.0)), row_after((DAY, 1.0))

    assert late.log_score - early.log_score == pytest.approx(math.log(2.0))


def test_two_clicks_weigh_more_than_one_but_fade():
    assert row_after((0, 1), (0, 1)).log_score == pytest.approx(row_after((DAY, 1)).log_score)


def test_times_of_today_do_not_overflow():
    assert math.isfinite(row_after((1.8e9, 1.0), (1.8e9 + 1, 1.0)).log_score)


def test_one_event_has_bounded_influence():
    assert row_after((0, 1e9)).log_score == pytest.approx(row_after((0, MAX_WEIGHT)).log_score)


@pytest.mark.case(15)
def test_a_dislike_is_counted_but_does_not_make_popular():
    activity = Activity()
    for one in increments(
        item=1, event_type=DISLIKE, popularity=-1.5, following=-1.5, time=5.0, before=(2,)
    ):
        activity.add(one, half_life_seconds=DAY)

    assert activity.log_score == -math.inf
    assert counts(activity.store()) == {EventType.DISLIKE: 1}
    assert followers(activity.store()) == {}


def test_an_impression_follows_nothing():
    effects = list(
        increments(
            item=1, event_type=IMPRESSION, popularity=0.0, following=0.0, time=0, before=(2, 3)
        )
    )

    assert [(one.item, one.follower) for one in effects] == [(1, 0)]


def test_a_positive_event_follows_the_two_items_before_it():
    effects = list(
        increments(
            item=9, event_type=CLICK, popularity=1.0, following=1.0, time=0, before=(8, 7, 6)
        )
    )

    assert [(one.item, one.follower) for one in effects] == [(9, 0), (8, 9), (7, 9)]


def test_an_item_does_not_follow_itself():
    effects = list(
        increments(item=9, event_type=CLICK, popularity=1.0, following=1.0, time=0, before=(9,))
    )

    assert [(one.item, one.follower) for one in effects] == [(9, 0)]


def test_followers_are_bounded_and_a_steady_one_stays():
    activity = Activity()
    for number in range(500):
        for follower in (7, 1_000 + number):
            for one in increments(
                item=follower,
                event_type=CLICK,
                popularity=1.0,
                following=1.0,
                time=0.0,
                before=(1,),
            ):
                if one.follower:
                    activity.add(one, half_life_seconds=DAY)

    kept = followers(activity.store())
    assert len(kept) == MAX_FOLLOWERS
    assert max(kept, key=lambda key: kept[key]) == 7


def test_a_row_survives_storing():
    activity = row_after((0, 1), (DAY, 0.5))
    activity.followers = {3: 1.5, 4: 0.25}

    again = Activity.stored(activity.store())

    assert again.log_score == activity.log_score
    assert again.counts == activity.counts
    assert again.followers == activity.followers
