"""Faust's Kafka transport, with a seek that also goes back where nothing was committed yet.

What arrives while Faust rebalances is dropped, and fetched again from the committed offset. For
a partition without one (a new group, a new partition) neither Faust nor aiokafka seeks: the
position stays behind the dropped messages, later ones are committed, and nobody has seen them.
"""

from collections.abc import Mapping
from typing import cast

import aiokafka
from faust.transport.drivers import aiokafka as driver
from faust.types import TP


class _Thread(driver.AIOKafkaConsumerThread):  # type: ignore[misc]  # Faust has no types
    async def seek_to_committed(self) -> Mapping[TP, int]:
        """Seek every assigned partition: to its committed offset, else to its beginning."""
        consumer = self._ensure_consumer()
        return cast("Mapping[TP, int]", await self.call_thread(_seek_all, consumer))


async def _seek_all(consumer: aiokafka.AIOKafkaConsumer) -> Mapping[TP, int | None]:
    committed = await consumer.seek_to_committed()
    # It leaves alone what is at 0, too.
    if fresh := [place for place, offset in committed.items() if not offset]:
        # Not `seek_to_beginning`: it leaves a partition without a position for a while, which
        # Faust's watch for livelocks does not expect.
        for place, begin in (await consumer.beginning_offsets(fresh)).items():
            consumer.seek(place, begin)
    return cast("Mapping[TP, int | None]", committed)


class _Consumer(driver.Consumer):  # type: ignore[misc]  # Faust has no types
    def _new_consumer_thread(self) -> driver.AIOKafkaConsumerThread:
        return _Thread(self, loop=self.loop, beacon=self.beacon)


class SeekingTransport(driver.Transport):  # type: ignore[misc]  # Faust has no types
    """See the module."""

    Consumer = _Consumer
