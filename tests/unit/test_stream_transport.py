"""Where a worker reads again when the database has lost offsets, and what it tells Kafka."""

import asyncio

import pytest
from aiokafka.structs import OffsetAndMetadata
from faust.types import TP

from streams.transport import Kept, _Thread, lost_places

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


class Client:
    """aiokafka's consumer as far as a commit sees it: it refuses to commit nothing."""

    def __init__(self, *assigned):
        self.assigned = set(assigned)
        self.committed = {}

    def assignment(self):
        return self.assigned

    async def commit(self, offsets):
        if not offsets:
            raise ValueError(offsets)
        self.committed |= offsets


class Thread(_Thread):
    """Faust's, on a client of ours, without a thread."""

    def __init__(self, client):
        self._consumer = client
        self.tp_last_committed_at = {}
        self.crashes = []

    async def crash(self, reason):
        self.crashes.append(reason)


@pytest.mark.case(18)
def test_a_commit_that_a_rebalance_has_overtaken_tells_nothing_and_ends_nobody():
    thread = Thread(client := Client(TP("events", 1)))

    assert asyncio.run(thread._commit({EVENTS: 5, ITEMS: 2})) is False
    assert asyncio.run(thread._commit({EVENTS: 5, TP("events", 1): 7})) is True

    assert client.committed == {TP("events", 1): OffsetAndMetadata(7, "")}
    assert thread.crashes == []
