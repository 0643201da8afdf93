"""Faust's Kafka transport, with a seek that goes back as far as the database needs, and commits
that a rebalance may overtake.

What arrives while Faust rebalances is dropped, and fetched again from the committed offset. For
a partition without one (a new group, a new partition) neither Faust nor aiokafka seeks: the
position stays behind the dropped messages, later ones are committed, and nobody has seen them.

The state commits its offsets before Kafka's, so Kafka's are never ahead, unless the database has
lost what it had committed: a backup was put back, or a replica took over that was behind. Then
the database's offsets count, and the log is read again from there.
"""

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import cast

import aiokafka
from faust.transport.drivers import aiokafka as driver
from faust.types import TP

from clickwise import logs
from streams.waiting import persistently

Offsets = Mapping[tuple[str, int], int]

_log = logs.get(__name__)


@dataclass(frozen=True, slots=True)
class Kept:
    """What the database knows of the topics.

    `read` gives the next offset to apply of each partition that has one; `topics` are those whose
    offsets it keeps, `after` the one that is filled from the first of them.
    """

    read: Callable[[], Offsets]
    topics: tuple[str, ...]
    after: str


class _Thread(driver.AIOKafkaConsumerThread):  # type: ignore[misc]  # Faust has no types
    async def seek_to_committed(self) -> Mapping[TP, int]:
        """Seek every assigned partition: to its committed offset, else to its beginning."""
        consumer = self._ensure_consumer()
        kept: Kept | None = self.consumer.transport.kept
        return cast("Mapping[TP, int]", await self.call_thread(_seek_all, consumer, kept))

    async def _commit(self, offsets: Mapping[TP, int]) -> bool:
        """Tell Kafka these offsets; False, and nothing told, where a rebalance has just taken all
        of their partitions away: aiokafka refuses to tell nothing, and Faust would end the worker.
        """
        if self.assignment().isdisjoint(offsets):
            return False
        return cast("bool", await super()._commit(offsets))


async def _seek_all(
    consumer: aiokafka.AIOKafkaConsumer, kept: Kept | None
) -> Mapping[TP, int | None]:
    committed = await consumer.seek_to_committed()
    if kept is not None:
        committed = {**committed, **await _seek_back(consumer, committed, kept)}
    # It leaves alone what is at 0, too.
    if fresh := [place for place, offset in committed.items() if not offset]:
        # Not `seek_to_beginning`: it leaves a partition without a position for a while, which
        # Faust's watch for livelocks does not expect.
        for place, begin in (await consumer.beginning_offsets(fresh)).items():
            consumer.seek(place, begin)
    return cast("Mapping[TP, int | None]", committed)


async def _seek_back(
    consumer: aiokafka.AIOKafkaConsumer, committed: Mapping[TP, int | None], kept: Kept
) -> Mapping[TP, int]:
    """Seek the partitions that the database is behind in; where to. Asked after Kafka was: whoever
    applies on commits to the database first.
    """
    applied = await persistently(lambda: asyncio.to_thread(kept.read), dependency="database")
    lost = lost_places(committed, applied, kept)
    for place, offset in lost.items():
        _log.warning(
            "the database has lost offsets that Kafka was told of: read again",
            topic=place.topic,
            partition=place.partition,
            committed=committed[place],
            applied=offset,
        )
        if offset:
            consumer.seek(place, offset)
    return lost


def lost_places(committed: Mapping[TP, int | None], applied: Offsets, kept: Kept) -> dict[TP, int]:
    """Where to read again, of the partitions whose committed offset is ahead of the database's.

    The topic that is filled from the first is read from its beginning then: what had been sent on
    and not been added yet cannot be told, and what has been added is not added again.
    """
    found = {}
    for place, offset in committed.items():
        if place.topic in kept.topics:
            known = applied.get((place.topic, place.partition), 0)
            if offset and known < offset:
                found[place] = known
    if any(place.topic == kept.topics[0] for place in found):
        found |= {place: 0 for place, offset in committed.items() if place.topic == kept.after}
    return found


class _Consumer(driver.Consumer):  # type: ignore[misc]  # Faust has no types
    def _new_consumer_thread(self) -> driver.AIOKafkaConsumerThread:
        return _Thread(self, loop=self.loop, beacon=self.beacon)


class SeekingTransport(driver.Transport):  # type: ignore[misc]  # Faust has no types
    """See the module."""

    Consumer = _Consumer
    kept: Kept | None = None
