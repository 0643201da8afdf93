"""`clickwise bench freshness`: from an event to the first answer that rests on it.

Embedded: from the start of `POST /v1/events` to the end of the first list that counts the
event. Kafka: from just before an event is produced (acknowledged by all replicas) to the same,
with a stream worker and a server as processes of their own. The reader asks again as soon as an
answer is there, so what is measured includes one whole request.
"""

import asyncio
import tempfile
import time
from collections.abc import Callable
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path

import msgspec
from rich.console import Console
from rich.progress import Progress

from clickwise.bench.children import serving
from clickwise.bench.connection import Connection
from clickwise.bench.machine import Machine, machine
from clickwise.bench.report import Percentiles, bars, percentiles, progress, shown, table
from clickwise.bench.requests import recommendations
from clickwise.bench.site import Shape, make_site, settings_for
from clickwise.bench.synthetic import Made, user_id
from clickwise.codec import encode
from clickwise.events import Event
from clickwise.topics import EVENTS
from clickwise.types import EventId, EventType

WARM_EVENTS = 20
LIMIT = 10
PATIENCE_SECONDS = 30.0


class _Said(msgspec.Struct, frozen=True):
    """What an answer says of the profile that it rests on."""

    events_applied: int


class FreshnessReport(msgspec.Struct, frozen=True, kw_only=True):
    """Seconds; None where it was not measured."""

    machine: Machine
    site: Shape
    events: int
    embedded: Percentiles | None
    kafka: Percentiles | None


def bench_freshness(shape: Shape, *, events: int, kafka: bool, console: Console) -> FreshnessReport:
    """Measure both ways to run; without `kafka` the embedded one alone.

    Raises:
        TimeoutError: an event was in no answer for half a minute.
    """
    facts = machine()
    with progress(console) as bar:
        embedded = _embedded(shape, events, bar)
        distributed_ = _kafka(shape, events, bar) if kafka else None
    return FreshnessReport(
        machine=facts, site=shape, events=events, embedded=embedded, kafka=distributed_
    )


def _embedded(shape: Shape, events: int, bar: Progress) -> Percentiles:
    with ExitStack() as stack:
        home = stack.enter_context(tempfile.TemporaryDirectory(prefix="clickwise-bench-"))
        settings = settings_for(Path(home), dimension=shape.dimension)
        made = make_site(settings, shape, progress=bar)
        port = stack.enter_context(serving(settings, "up", workers=1))
        reader = stack.enter_context(Connection("127.0.0.1", port))

        def send(event: Event) -> None:
            reply = reader.post("/v1/events", encode(event))
            if reply.status != 200:
                raise RuntimeError(f"an event was answered with {reply.status}: {reply.body!r}")

        return _measured(reader, made, shape, events, send, bar, "freshness, embedded")


def _kafka(shape: Shape, events: int, bar: Progress) -> Percentiles:
    from aiokafka import AIOKafkaProducer

    from clickwise.bench.distributed import distributed, streaming

    async def started() -> AIOKafkaProducer:
        producer = AIOKafkaProducer(bootstrap_servers=settings.kafka_bootstrap, acks="all")
        await producer.start()
        return producer

    with ExitStack() as stack:
        services = stack.enter_context(distributed(bar))
        settings = services.settings(dimension=shape.dimension)
        made = make_site(settings, shape, progress=bar)
        services.create_topics(settings)
        stack.enter_context(streaming(settings))
        port = stack.enter_context(serving(settings, "serve", workers=1))
        reader = stack.enter_context(Connection("127.0.0.1", port))
        runner = stack.enter_context(asyncio.Runner())
        topic = EVENTS.full_name(settings.kafka_topic_prefix)
        producer = runner.run(started())
        stack.callback(lambda: runner.run(producer.stop()))

        def send(event: Event) -> None:
            runner.run(producer.send_and_wait(topic, encode(event), key=event.user.encode()))

        return _measured(reader, made, shape, events, send, bar, "freshness, Kafka")


def _measured(
    reader: Connection,
    made: Made,
    shape: Shape,
    events: int,
    send: Callable[[Event], None],
    bar: Progress,
    title: str,
) -> Percentiles:
    """One event after the other, each of another reader than the one before."""
    task = bar.add_task(title, total=events)
    seconds = []
    run = time.time_ns()
    for number in range(WARM_EVENTS + events):
        user = user_id(number % shape.users)
        ask = recommendations(user, limit=LIMIT)
        before = _applied(reader, ask)
        event = Event(
            id=EventId(f"fresh-{run}-{number}"),
            user=user,
            item=made.items[int(made.popular[number % len(made.popular)])].id,
            type=EventType.CLICK,
            time=datetime.now(UTC),
        )
        begin = time.perf_counter()
        send(event)
        while _applied(reader, ask) <= before:
            if time.perf_counter() - begin > PATIENCE_SECONDS:
                raise TimeoutError(f"event {number} is in no answer after {PATIENCE_SECONDS:g} s")
        if number >= WARM_EVENTS:
            seconds.append(time.perf_counter() - begin)
            bar.advance(task)
    bar.remove_task(task)
    return percentiles(seconds)


def _applied(reader: Connection, ask: bytes) -> int:
    reply = reader.ask(ask)
    if reply.status != 200:
        raise RuntimeError(f"a list was answered with {reply.status}: {reply.body[:400]!r}")
    return msgspec.json.decode(reply.body, type=_Said).events_applied


def draw_freshness(report: FreshnessReport, console: Console) -> None:
    """The report for people."""
    both = [("embedded", report.embedded), ("kafka", report.kafka)]
    measured = [(name, figures) for name, figures in both if figures is not None]
    console.print(
        table(
            "from an event to the first answer that rests on it",
            ("engine", "p50", "p90", "p99", "longest", "events"),
            [
                (name, shown(f.p50), shown(f.p90), shown(f.p99), shown(f.max), str(f.num_samples))
                for name, f in measured
            ],
        )
    )
    console.print(bars("p99", [(name, f.p99, shown(f.p99)) for name, f in measured]))
