"""No record is passed over: what a batch skips is looked for in the topic before it is applied.

Faust counts offsets that it was not given as acknowledged, since compaction, retention and the
markers of transactions leave gaps. But a fetch that it dropped in a rebalance, and could not seek
back to, is a gap too. So each gap is read again, by a client outside the group: if there is
nothing in it, the batch goes on; else the caller must not commit.
"""

import asyncio
from collections.abc import Callable, Sequence
from functools import partial

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import KafkaError

from clickwise.settings import Settings
from streams.kafka import REQUEST_SECONDS, connection_options, translated
from streams.records import Record
from streams.waiting import persistently

Next = Callable[[str, int], int]


class NotDeliveredError(RuntimeError):
    """Records that are in the topic were passed over; to go on would lose them."""


class Continuity:
    """Checks batches of one topic, given the next offset to apply of each of its partitions."""

    def __init__(self, settings: Settings, following: Next) -> None:
        """`following`: topic and partition to the offset after the last applied one, at least."""
        self._settings = settings
        self._following = following

    async def check(self, records: Sequence[Record]) -> None:
        """Return when nothing lies between what was applied and these, nor among them.

        Waits while Kafka does not answer.

        Raises:
            NotDeliveredError: something does; the message says where.
        """
        gaps: dict[tuple[str, int], list[range]] = {}
        reached: dict[tuple[str, int], int] = {}
        for record in records:
            place = (record.topic, record.partition)
            following = reached.get(place)
            if following is None:
                following = self._following(*place)
            if record.offset > following:
                gaps.setdefault(place, []).append(range(following, record.offset))
            reached[place] = max(following, record.offset + 1)
        for (topic, partition), skipped in gaps.items():
            look = partial(self._look, TopicPartition(topic, partition), skipped)
            await persistently(look, dependency="kafka")

    async def _look(self, place: TopicPartition, gaps: Sequence[range]) -> None:
        client = AIOKafkaConsumer(
            **connection_options(self._settings),
            enable_auto_commit=False,
            auto_offset_reset="earliest",  # where the gap was deleted: what comes after it
        )
        try:
            await client.start()
            client.assign([place])
            for gap in gaps:
                client.seek(place, gap.start)
                async with asyncio.timeout(REQUEST_SECONDS):
                    found = await client.getone(place)
                if found.offset < gap.stop:
                    raise NotDeliveredError(
                        f"{place.topic}: offsets {found.offset} to {gap.stop - 1} of partition"
                        f" {place.partition} were not delivered"
                    )
        except (KafkaError, TimeoutError) as error:
            raise translated(error, f"reading {place.topic}") from error
        finally:
            await client.stop()
