"""No record is passed over: what a batch skips is looked for in the topic before it is applied.

Faust counts offsets that it was not given as acknowledged, since compaction, retention and the
markers of transactions leave gaps. But a fetch that it dropped in a rebalance, and could not seek
back to, is a gap too. So gaps are read again, by a client outside the group: if there is nothing
in them, the batch goes on; else the caller must not commit.
"""

import asyncio
from collections.abc import Callable, Sequence
from functools import partial

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import KafkaError

from clickwise.settings import Settings
from streams.kafka import REQUEST_SECONDS, topic_reader, translated
from streams.records import Record
from streams.waiting import persistently

Next = Callable[[str, int], int]


class NotDeliveredError(RuntimeError):
    """Records that are in the topic were passed over; to go on would lose them."""


class Continuity:
    """Checks batches, given the next offset to apply of each partition. Owned by one event loop.

    Its client is opened at the first gap and kept: a topic that was compacted is full of them when
    it is read from its beginning.
    """

    def __init__(self, settings: Settings, following: Next) -> None:
        """`following`: topic and partition to the offset after the last applied one, at least."""
        self._settings = settings
        self._following = following
        self._client: AIOKafkaConsumer | None = None
        self._turn = asyncio.Lock()

    async def check(self, records: Sequence[Record]) -> None:
        """Return when nothing lies between what was applied and these, nor among them.

        Waits while Kafka does not answer.

        Raises:
            NotDeliveredError: something does; the message says where.
        """
        for place, gaps in self._gaps(records).items():
            look = partial(self._look, TopicPartition(*place), gaps)
            async with self._turn:
                await persistently(look, dependency="kafka")

    async def close(self) -> None:
        """Disconnect; a later check connects again."""
        client, self._client = self._client, None
        if client is not None:
            await client.stop()

    def _gaps(self, records: Sequence[Record]) -> dict[tuple[str, int], list[range]]:
        """Offsets that each partition's records skip, in order."""
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
        return gaps

    async def _look(self, place: TopicPartition, gaps: Sequence[range]) -> None:
        """Read from the first gap to the record after the last one, which is there."""
        try:
            client = await self._opened()
            # What the topic has forgotten meanwhile is no loss, and may be all there was.
            begin = (await client.beginning_offsets([place]))[place]
            left = [gap for gap in reversed(gaps) if gap.stop > begin]
            if not left:
                return
            client.assign([place])
            client.seek(place, max(begin, left[-1].start))
            while left:
                async with asyncio.timeout(REQUEST_SECONDS):
                    offset = (await client.getone(place)).offset
                while left and offset >= left[-1].stop:
                    left.pop()
                if left and offset in left[-1]:
                    raise NotDeliveredError(
                        f"{place.topic}: offsets {offset} to {left[-1].stop - 1} of partition"
                        f" {place.partition} were not delivered"
                    )
            client.unsubscribe()  # it would go on fetching
        except (KafkaError, TimeoutError) as error:
            await self.close()
            raise translated(error, f"reading {place.topic}") from error

    async def _opened(self) -> AIOKafkaConsumer:
        if self._client is None:
            self._client = topic_reader(self._settings)
            await self._client.start()
        return self._client
