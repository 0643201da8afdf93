"""Figures of what was shown, and of what came of it."""

import numpy as np
import pytest
from prometheus_client import REGISTRY

from clickwise.recommend import quality
from clickwise.recommend.answers import RecommendRequest
from clickwise.recommend.quality import NEW_SECONDS, Quality
from clickwise.recommend.routed import RoutedAnswers
from tests.site import CERTAIN, Site, three_topics

NOW = 1_800_000_000.0


@pytest.fixture
def site(tmp_path):
    made = Site(tmp_path)
    yield made
    made.state.close()


def value(name, **labels):
    return REGISTRY.get_sample_value(name, labels) or 0.0


def show(watching, *, keys, ages=None, topics=None):
    watching.observe(
        keys_N=np.array(keys, np.int64),
        published_N=NOW - np.array(ages if ages is not None else [0.0] * len(keys), np.float64),
        topics_N=np.array(topics if topics is not None else [0] * len(keys), np.int32),
        now=NOW,
    )


def test_an_item_is_new_for_a_day():
    new = value("clickwise_shown_items_total", age="new")
    known = value("clickwise_shown_items_total", age="known")

    show(Quality(), keys=[1, 2, 3], ages=[0.0, NEW_SECONDS - 1, NEW_SECONDS + 1])

    assert value("clickwise_shown_items_total", age="new") == new + 2
    assert value("clickwise_shown_items_total", age="known") == known + 1


def test_variety_is_of_the_topics_that_items_have():
    pages, total = (value(f"clickwise_page_topics_ratio_{one}") for one in ("count", "sum"))

    show(Quality(), keys=[1, 2, 3, 4, 5], topics=[7, 7, 8, 9, 0])
    show(Quality(), keys=[1, 2], topics=[7, 0])

    assert value("clickwise_page_topics_ratio_count") == pages + 1
    assert value("clickwise_page_topics_ratio_sum") == pytest.approx(total + 3 / 4)


def test_an_item_that_is_shown_often_is_one_item():
    watching = Quality()

    show(watching, keys=[1, 2])
    show(watching, keys=[2, 3])

    assert value("clickwise_shown_distinct_items") == 3


def test_only_the_newest_places_are_remembered(monkeypatch):
    monkeypatch.setattr(quality, "REMEMBERED", 3)
    watching = Quality()

    show(watching, keys=[1, 1, 2])
    show(watching, keys=[3, 4, 5])

    assert value("clickwise_shown_distinct_items") == 3
    assert len(watching._counts) == 3


def test_answers_that_a_server_gives_are_counted(site):
    three_topics(site)
    answers = RoutedAnswers(
        state=site.state, releases=site.releases, policy=CERTAIN,
        limits=site.recommender._limits, clock=site.clock,
    )  # fmt: skip
    before = value("clickwise_shown_items_total", age="new")

    answer = answers.recommend(RecommendRequest(user="anna"))

    assert value("clickwise_shown_items_total", age="new") == before + len(answer.items) > before


def test_lists_that_nobody_sees_are_not_counted(site):
    three_topics(site)
    before = value("clickwise_shown_items_total", age="new")

    assert site.listed("anna")

    assert value("clickwise_shown_items_total", age="new") == before


def test_an_event_of_interest_that_names_its_list_is_counted_once(site):
    three_topics(site)
    item = site.listed("anna")[0]
    clicks = value("clickwise_followed_events_total", type="click")
    hides = value("clickwise_followed_events_total", type="hide")

    event = site.event("anna", item, request="r-1")
    site.post(event)
    site.post(event)
    site.post(site.event("anna", item))
    site.post(site.event("anna", item, "hide", request="r-1"))

    assert value("clickwise_followed_events_total", type="click") == clicks + 1
    assert value("clickwise_followed_events_total", type="hide") == hides
