"""The Faust application, made by a factory; Faust is known here, in `progress` and `transport`.

Faust's own acknowledgement loses messages: `take`, `take_events` and `events()` acknowledge in a
`finally`, so that what raised or was cancelled is committed without its effect. Here a batch is
taken with `noack_take` and acknowledged after its flow has returned, one agent a topic, one
batch after the other: no later message is committed before an earlier one, and what a batch
skips is looked for in the topic (`continuity`). An agent that raises would stay stuck in a
process that looks alive; so the process ends, without committing, and whoever supervises it
starts it again.
"""

import asyncio
import contextlib
from collections.abc import Callable, Collection, Coroutine, Sequence
from dataclasses import dataclass
from typing import Protocol

import faust
from faust.types import TP

from clickwise import logs, metrics, tracing
from clickwise.settings import Settings
from clickwise.topics import EVENTS, ITEM_ACTIVITY, ITEMS
from streams.continuity import Continuity
from streams.exits import end_process
from streams.kafka import REQUEST_SECONDS, bootstrap_servers, ssl_context
from streams.progress import Progress
from streams.records import Record, replay_of
from streams.transport import Kept, Offsets, SeekingTransport

LAG_SECONDS = 1.0
ITEM_BATCH = 64

FaustApp = faust.App

_log = logs.get(__name__)


class Flow(Protocol):
    """`streams.flows`: returns when all that the records cause is durable."""

    async def take(self, records: Sequence[Record]) -> None:
        """Apply records."""
        ...


@dataclass(frozen=True, slots=True)
class Flows:
    """What the agents feed, and what runs beside them until the end.

    `applied`: the next offset that the database would apply, of partitions of events and items;
    None where no database keeps any. `placed` hears of all partitions that this worker has
    (topic, number), whenever they move: of none when they are about to.
    """

    events: Flow
    items: Flow
    activity: Flow
    applied: Callable[[], Offsets] | None
    placed: Callable[[Collection[tuple[str, int]]], None] | None = None
    beside: tuple[Callable[[], Coroutine[None, None, None]], ...] = ()
    at_end: tuple[Callable[[], Coroutine[None, None, None]], ...] = ()


def create_app(settings: Settings, flows: Flows) -> tuple[faust.App, Progress]:
    """An application whose agents feed `flows`, and how far they have come."""
    folder = settings.folder / "faust"  # nothing is kept there, but Faust wants one
    folder.mkdir(parents=True, exist_ok=True)
    app = faust.App(
        settings.kafka_group,
        broker=[f"kafka://{server}" for server in bootstrap_servers(settings)],
        broker_credentials=_credentials(settings),
        autodiscover=False,
        web_enabled=False,
        store="memory://",
        datadir=str(folder),
        topic_allow_declare=False,
        topic_disable_leader=True,
        processing_guarantee="at_least_once",
        consumer_auto_offset_reset="earliest",
        # A broker that is starting may not know its topics yet: look again soon.
        consumer_metadata_max_age_ms=3000,
        broker_commit_interval=0.5,
        broker_session_timeout=settings.kafka_session_timeout_seconds,
        broker_heartbeat_interval=settings.kafka_session_timeout_seconds / 6,
        broker_rebalance_timeout=max(10.0, settings.kafka_session_timeout_seconds),
        broker_request_timeout=max(REQUEST_SECONDS, settings.kafka_session_timeout_seconds),
        broker_max_poll_records=1000,
        stream_buffer_maxsize=4096,
        stream_wait_empty=False,
        worker_redirect_stdouts=False,
    )
    app.transport = SeekingTransport(app.conf.broker_consumer, app)
    prefix = settings.kafka_topic_prefix
    if flows.applied is not None:
        app.transport.kept = Kept(
            read=flows.applied,
            topics=(EVENTS.full_name(prefix), ITEMS.full_name(prefix)),
            after=ITEM_ACTIVITY.full_name(prefix),
        )
    progress = Progress(app)
    continuity = Continuity(settings, progress.following)
    linger = settings.stream_linger_seconds
    for topic, flow, batch, linger_seconds in (
        (EVENTS, flows.events, settings.stream_batch, linger),
        # Nobody waits for counts: fewer, larger transactions leave room for the profiles.
        (ITEM_ACTIVITY, flows.activity, settings.stream_batch, 5 * linger),
        (ITEMS, flows.items, min(ITEM_BATCH, settings.stream_batch), linger),
    ):
        agent = _agent(
            topic.full_name(prefix),
            flow,
            continuity,
            batch=batch,
            linger_seconds=linger_seconds,
            progress=progress,
        )
        source = app.topic(topic.full_name(prefix), key_serializer="raw", value_serializer="raw")
        app.agent(source, name=topic.name)(agent)
    app.task(_guarded(lambda: _report_lag(app, progress)))
    for job in flows.beside:
        app.task(_guarded(job))
    _connect_signals(app, flows, continuity)
    app.in_worker = True
    return app, progress


def _agent(
    topic: str,
    flow: Flow,
    continuity: Continuity,
    *,
    batch: int,
    linger_seconds: float,
    progress: Progress,
) -> Callable[[faust.Stream[bytes]], Coroutine[None, None, None]]:
    async def agent(stream: faust.Stream[bytes]) -> None:
        async for events in stream.noack_take(batch, within=linger_seconds):
            try:
                records = [_record(event.message) for event in events]
                with progress.at_work(topic):
                    await continuity.check(records)
                    await flow.take(records)
            except Exception:  # noqa: BLE001  # the process edge
                end_process(f"{topic}: a batch failed")
            for event in events:
                await stream.ack(event)
                progress.advance(event.message)

    return agent


def _record(message: faust.types.Message) -> Record:
    place = set_aside = trace = None
    if message.headers:
        headers = dict(message.headers)
        place, set_aside = replay_of(headers)
        if (sent := headers.get(tracing.HEADER)) is not None:
            trace = sent.decode(errors="replace")
    return Record(
        message.topic,
        message.partition,
        message.offset,
        message.key,
        message.value,
        message.timestamp,
        place,
        trace,
        set_aside,
    )


def _guarded(
    job: Callable[[], Coroutine[None, None, None]],
) -> Callable[[], Coroutine[None, None, None]]:
    async def run() -> None:
        try:
            await job()
        except Exception:  # noqa: BLE001  # the process edge
            end_process("a task beside the agents failed")

    return run


async def _report_lag(app: faust.App, progress: Progress) -> None:
    """Each second: the end of each partition of ours, less the next offset to apply."""
    while True:
        await asyncio.sleep(LAG_SECONDS)
        consumer = app.consumer
        places = consumer.assignment()
        if not places:
            continue
        try:
            ends = await asyncio.wait_for(consumer.highwaters(*places), 5.0)
        except Exception as error:  # noqa: BLE001  # an outage, which the consumer itself reports
            _log.debug("lag is not known", error=repr(error))
            continue
        for place, end in ends.items():
            after = progress.following(place.topic, place.partition)
            metrics.lag.labels(place.topic, place.partition).set(max(0, (end or 0) - after))


def _connect_signals(app: faust.App, flows: Flows, continuity: Continuity) -> None:
    def tell(places: Collection[TP]) -> None:
        if flows.placed is not None:
            flows.placed([(one.topic, one.partition) for one in places])

    async def assigned(_app: faust.App, assigned: set[TP], **_: object) -> None:
        tell(assigned)
        _log.info("partitions assigned", partitions=_by_topic(assigned))

    async def revoked(_app: faust.App, revoked: set[TP], **_: object) -> None:
        tell(())
        for place in revoked:
            with contextlib.suppress(KeyError):
                metrics.lag.remove(place.topic, str(place.partition))
        _log.info("partitions revoked", partitions=_by_topic(revoked))

    async def stopping(_app: faust.App, **_: object) -> None:
        await continuity.close()

    app.on_before_shutdown.connect(stopping, weak=False)
    app.on_partitions_assigned.connect(assigned, weak=False)
    app.on_partitions_revoked.connect(revoked, weak=False)


def _by_topic(places: set[TP]) -> dict[str, list[int]]:
    found: dict[str, list[int]] = {}
    for place in sorted(places):
        found.setdefault(place.topic, []).append(place.partition)
    return found


def _credentials(settings: Settings) -> object:
    context = ssl_context(settings)
    if settings.kafka_security_protocol.startswith("SASL"):
        return faust.SASLCredentials(
            mechanism=settings.kafka_sasl_mechanism,
            username=settings.kafka_username,
            password=settings.kafka_password.reveal(),
            ssl_context=context,
        )
    return faust.SSLCredentials(context) if context is not None else None
