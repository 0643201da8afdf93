"""How fast one stream worker takes events from Kafka, and how fast its agents could at most."""

import asyncio
import time
from collections.abc import Sequence
from contextlib import ExitStack
from datetime import UTC, datetime

import msgspec
from rich.progress import Progress, TaskID

from clickwise.bench.children import clickwise, probed
from clickwise.bench.site import Shape, make_site
from clickwise.bench.synthetic import stream_of_events
from clickwise.cli import wiring
from clickwise.codec import encode
from clickwise.events import Event
from clickwise.settings import Settings
from clickwise.state.port import State
from clickwise.testing.processes import Program
from clickwise.topics import EVENTS

LOOK_SECONDS = 0.02
LONGEST_SECONDS = 600.0


class FloorPlan(msgspec.Struct, frozen=True, kw_only=True):
    """As `streams.floor` reads it."""

    events: int


class Floor(msgspec.Struct, frozen=True, kw_only=True):
    """As `streams.floor` writes it."""

    events_per_second: float


class Streamed(msgspec.Struct, frozen=True, kw_only=True):
    """Events a second of one worker from its first committed batch to its last.

    `start_seconds`: from the start of its process to that first batch.
    """

    num_events: int
    num_users: int
    stream_events_per_second: float
    floor_events_per_second: float
    share_of_floor: float
    start_seconds: float


def measure_stream(shape: Shape, *, events: int, users: int, bar: Progress) -> Streamed:
    """Produce the events, let bare agents acknowledge them, then a worker apply them.

    Raises:
        RuntimeError: the worker ended. TimeoutError: it did not get through in ten minutes.
    """
    from clickwise.bench.distributed import distributed

    with ExitStack() as stack:
        services = stack.enter_context(distributed(bar))
        settings = services.settings(dimension=shape.dimension)
        made = make_site(settings, shape, progress=bar)
        services.create_topics(settings)
        sent = list(
            stream_of_events(made, users=users, count=events, until=datetime.now(UTC), seed=4)
        )
        task = bar.add_task("produce events", total=None)
        asyncio.run(produce(settings, sent))
        bar.update(task, description="acknowledge only")
        other_group = msgspec.structs.replace(settings, kafka_group="clickwise-floor")
        floor = probed(other_group, "streams.floor", FloorPlan(events=events), Floor)
        bar.remove_task(task)
        task = bar.add_task("stream worker", total=events)
        state = wiring.state_of(settings, stack)
        started = time.perf_counter()
        with clickwise(settings, "stream") as worker:
            first, rate = _watched(worker, state, settings, events=events, bar=bar, task=task)
            worker.terminate()
        bar.remove_task(task)
    return Streamed(
        num_events=events,
        num_users=len({event.user for event in sent}),
        stream_events_per_second=round(rate, 1),
        floor_events_per_second=round(floor.events_per_second, 1),
        share_of_floor=round(rate / floor.events_per_second, 3),
        start_seconds=round(first - started, 3),
    )


async def produce(settings: Settings, events: Sequence[Event]) -> None:
    """Write events to their topic; all are acknowledged when it returns."""
    from aiokafka import AIOKafkaProducer

    topic = EVENTS.full_name(settings.kafka_topic_prefix)
    producer = AIOKafkaProducer(
        bootstrap_servers=settings.kafka_bootstrap, acks="all", linger_ms=20
    )
    await producer.start()
    try:
        for start in range(0, len(events), 1_000):
            sent = [
                await producer.send(topic, encode(event), key=event.user.encode())
                for event in events[start : start + 1_000]
            ]
            await asyncio.gather(*sent)
    finally:
        await producer.stop()


def _watched(
    worker: Program,
    state: State,
    settings: Settings,
    *,
    events: int,
    bar: Progress,
    task: TaskID,
) -> tuple[float, float]:
    """When the first commit was seen, and events a second from it to the last one."""
    deadline = time.perf_counter() + LONGEST_SECONDS
    first, first_count = 0.0, 0
    while time.perf_counter() < deadline:
        count, now = applied(state, settings), time.perf_counter()
        bar.update(task, completed=count)
        if not first_count and count:
            first, first_count = now, count
        if count >= events:
            return first, (count - first_count) / max(now - first, LOOK_SECONDS)
        if not worker.running:
            raise RuntimeError(f"the stream worker ended:\n{worker.output[-3000:]}")
        time.sleep(LOOK_SECONDS)
    raise TimeoutError(f"{count} of {events} events are applied after {LONGEST_SECONDS:g} s")


def applied(state: State, settings: Settings) -> int:
    """Events below the stored offsets: those whose effect is committed."""
    topic = EVENTS.full_name(settings.kafka_topic_prefix)
    stored = state.offsets(settings.kafka_group)
    return sum(following for place, following in stored.items() if place.topic == topic)
