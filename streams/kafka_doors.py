"""The doors of `clickwise.doors` over Kafka: what a serving process writes.

Each lives in one event loop, from `start` to `stop`. What is waiting for Kafka is bounded by
`max_queued_events`; over it callers are turned away. A caller whose write takes longer than
`WRITE_SECONDS` is told that it is not known to be durable; the message stays in the buffer, is
still written when Kafka is back, and a repeat by the caller has the same id and no effect.
"""

import asyncio
from collections import deque
from collections.abc import Sequence
from contextlib import suppress

from clickwise import logs, metrics, tracing
from clickwise.codec import encode
from clickwise.doors import Exposure, Verdict
from clickwise.errors import ClickwiseError, OverloadedError, UnavailableError
from clickwise.events import Event
from clickwise.items import Item
from clickwise.merges import Merge
from clickwise.settings import Settings
from clickwise.topics import EVENTS, EXPOSURES, ITEMS
from clickwise.types import ItemId
from streams.exposure_search import find_exposure
from streams.kafka import Message, Producer
from streams.waiting import persistently

WRITE_SECONDS = 5.0
LINGER_SECONDS = 0.002
EXPOSURES_AT_ONCE = 200

_log = logs.get(__name__)


class _Buffer:
    """A producer with a bound on what waits for Kafka."""

    def __init__(self, settings: Settings, *, queue: str, write_seconds: float) -> None:
        self._producer = Producer(settings, linger_seconds=LINGER_SECONDS)
        self._limit = settings.max_queued_events
        self._queue = queue
        self._write_seconds = write_seconds
        self._waiting = 0

    async def start(self) -> None:
        await self._producer.start()

    async def stop(self) -> None:
        if self._waiting:
            _log.warning("messages still wait for Kafka", queue=self._queue, number=self._waiting)
        await self._producer.stop()

    async def write(self, messages: Sequence[Message]) -> None:
        """All durable, or a fault.

        Raises:
            OverloadedError: the bound is reached; none of these was taken.
            UnavailableError: not known to be durable within `write_seconds`.
        """
        if self._waiting + len(messages) > self._limit:
            raise OverloadedError(
                f"{self._waiting} messages wait for Kafka, {self._limit} may"
                " (CLICKWISE_MAX_QUEUED_EVENTS)"
            )
        # Taken before the first pause, so that callers cannot pass the bound together.
        self._count(len(messages))
        sending = asyncio.ensure_future(self._send(messages))
        try:
            async with asyncio.timeout(self._write_seconds):
                await asyncio.shield(sending)
        except TimeoutError as error:
            sending.add_done_callback(_seen)
            raise UnavailableError(
                f"Kafka took longer than {self._write_seconds:g} s; send the same ids again"
            ) from error

    async def _send(self, messages: Sequence[Message]) -> None:
        try:
            await self._producer.write(messages)
        except ClickwiseError:
            self._report(messages, "failed")
            raise
        else:
            self._report(messages, "written")
        finally:
            self._count(-len(messages))

    def _count(self, number: int) -> None:
        self._waiting += number
        metrics.queue_length.labels(self._queue).set(self._waiting)

    def _report(self, messages: Sequence[Message], outcome: str) -> None:
        metrics.published.labels(self._queue, outcome).inc(len(messages))


class KafkaEventDoor:
    """See `clickwise.doors.EventDoor`."""

    def __init__(self, settings: Settings, *, write_seconds: float = WRITE_SECONDS) -> None:
        self._topic = EVENTS.full_name(settings.kafka_topic_prefix)
        self._buffer = _Buffer(settings, queue=EVENTS.name, write_seconds=write_seconds)

    async def start(self) -> None:
        """Connect; UnavailableError when Kafka does not answer."""
        await self._buffer.start()

    async def stop(self) -> None:
        """Write what waits, for a few seconds, and disconnect."""
        await self._buffer.stop()

    async def post(self, events: Sequence[Event]) -> list[Verdict]:
        """Durable in Kafka when this returns; duplicates are known to the workers only."""
        with tracing.span("publish", {"messages": len(events)}):
            headers = tracing.headers()
            await self._buffer.write(
                [
                    Message(self._topic, event.user.encode(), encode(event), headers=headers)
                    for event in events
                ]
            )
        for event in events:
            metrics.events.labels(event.type.value, Verdict.ACCEPTED.value).inc()
        return [Verdict.ACCEPTED] * len(events)

    async def merge(self, merge: Merge) -> Verdict:
        """Durable in Kafka when this returns, in the guest's partition."""
        with tracing.span("publish", {"messages": 1}):
            message = Message(
                self._topic, merge.user.encode(), encode(merge), headers=tracing.headers()
            )
            await self._buffer.write([message])
        metrics.merges.labels(Verdict.ACCEPTED.value).inc()
        return Verdict.ACCEPTED


class KafkaItemDoor:
    """See `clickwise.doors.ItemDoor`."""

    def __init__(self, settings: Settings, *, write_seconds: float = WRITE_SECONDS) -> None:
        self._topic = ITEMS.full_name(settings.kafka_topic_prefix)
        self._buffer = _Buffer(settings, queue=ITEMS.name, write_seconds=write_seconds)

    async def start(self) -> None:
        """Connect; UnavailableError when Kafka does not answer."""
        await self._buffer.start()

    async def stop(self) -> None:
        """Write what waits, for a few seconds, and disconnect."""
        await self._buffer.stop()

    async def put(self, items: Sequence[Item]) -> list[Verdict]:
        """Durable in Kafka when this returns; findable when a worker has encoded them."""
        await self._buffer.write(
            [Message(self._topic, item.id.encode(), encode(item)) for item in items]
        )
        return [Verdict.ACCEPTED] * len(items)

    async def delete(self, items: Sequence[ItemId]) -> list[Verdict]:
        """A tombstone for each, durable when this returns."""
        await self._buffer.write([Message(self._topic, item.encode(), None) for item in items])
        return [Verdict.ACCEPTED] * len(items)


class KafkaExposureLog:
    """See `clickwise.doors.ExposureLog`: queued here, written by a task of its own."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._topic = EXPOSURES.full_name(settings.kafka_topic_prefix)
        self._producer = Producer(settings, linger_seconds=LINGER_SECONDS)
        self._limit = settings.max_queued_events
        self._queue: deque[Exposure] = deque()
        self._searching = asyncio.Lock()
        self._arrived = asyncio.Event()
        self._idle = asyncio.Event()
        self._idle.set()
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Begin to write; a Kafka that is away delays, and drops over the bound."""
        self._task = asyncio.create_task(self._run())

    async def stop(self) -> None:
        """Write what waits, for a few seconds, and disconnect."""
        if self._task is not None:
            with suppress(TimeoutError):
                async with asyncio.timeout(WRITE_SECONDS):
                    await self._idle.wait()
            self._task.cancel()
            with suppress(asyncio.CancelledError):
                await self._task
        metrics.dropped.labels(EXPOSURES.name).inc(len(self._queue))
        await self._producer.stop()

    def add(self, exposure: Exposure) -> None:
        """Queue one exposure; over the bound it is dropped and counted."""
        if len(self._queue) >= self._limit:
            metrics.dropped.labels(EXPOSURES.name).inc()
            return
        self._queue.append(exposure)
        self._idle.clear()
        self._arrived.set()

    async def find(self, request: str) -> bytes | None:
        """See `clickwise.doors.ExposureLog`; one search at a time, each reads a slice of time."""
        if self._searching.locked():
            raise OverloadedError("another list is being looked up: ask again in a moment")
        async with self._searching:
            return await find_exposure(self._settings, self._topic, request)

    async def _run(self) -> None:
        while True:
            await self._arrived.wait()
            self._arrived.clear()
            while self._queue:
                number = min(len(self._queue), EXPOSURES_AT_ONCE)
                messages = [
                    Message(self._topic, exposure.user.encode(), exposure.body)
                    for exposure in list(self._queue)[:number]
                ]
                await self._write(messages)
                for _ in range(number):
                    self._queue.popleft()
                metrics.queue_length.labels(EXPOSURES.name).set(len(self._queue))
            self._idle.set()

    async def _write(self, messages: Sequence[Message]) -> None:
        try:
            await persistently(lambda: self._producer.write(messages), dependency="kafka")
        except ClickwiseError as error:
            # A fault that waiting does not mend (no such topic): said, counted, gone on.
            _log.error("exposures are lost", number=len(messages), error=str(error))
            metrics.published.labels(EXPOSURES.name, "failed").inc(len(messages))
        else:
            metrics.published.labels(EXPOSURES.name, "written").inc(len(messages))


def _seen(task: asyncio.Future[None]) -> None:
    """Take note of a late fault, so that it is not reported as one that nobody saw."""
    if not task.cancelled() and (error := task.exception()) is not None:
        _log.warning("a late write failed", error=str(error))
