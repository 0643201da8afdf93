"""Where a worker reads again when the database has lost what Kafka was told of."""

import pytest
from faust.types import TP

from streams.transport import Kept, lost_places

KEPT = Kept(read=dict, topics=("events", "items"), after="activity")
EVENTS, ITEMS, ACTIVITY = TP("events", 0), TP("items", 0), TP("activity", 0)


@pytest.mark.parametrize("applied", [5, 6, 900])
def test_a_database_that_is_not_behind_changes_nothing(applied):
    committed = {EVENTS: 5, ITEMS: None, ACTIVITY: 7}

    assert lost_places(committed, {("events", 0): applied}, KEPT) == {}


def test_a_partition_that_the_database_is_behind_in_is_read_again_from_there():
    applied = {("events", 0): 5, ("items", 0): 2}

    assert lost_places({EVENTS: 5, ITEMS: 4}, applied, KEPT) == {ITEMS: 2}


def test_with_events_what_is_made_of_them_is_read_from_its_beginning():
    committed = {EVENTS: 5, TP("events", 1): 3, ACTIVITY: 7, TP("activity", 1): None}

    lost = lost_places(committed, {("events", 1): 3}, KEPT)

    assert lost == {EVENTS: 0, ACTIVITY: 0, TP("activity", 1): 0}


def test_a_topic_whose_offsets_the_database_does_not_keep_is_left_alone():
    assert lost_places({ACTIVITY: 7, TP("models", 0): 7}, {}, KEPT) == {}
