"""The Faust application, made by a factory: the one module that imports Faust.

Faust's own acknowledgement loses messages: `take`, `take_events` and `events()` acknowledge in a
`finally`, so that what raised or was cancelled is committed without its effect. Here a batch is
taken with `noack_take` and acknowledged after its flow has returned, one agent a topic, one
batch after the other: no later message is committed before an earlier one. An agent that raises
would stay stuck in a process that looks alive; so the process ends, without committing, and
whoever supervises it starts it again.
"""

import asyncio
import contextlib
import logging
import os
import signal
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass
from typing import Protocol

import faust
import uvloop
from faust.types import TP

from clickwise import logs, metrics
from clickwise.settings import Settings
from clickwise.topics import EVENTS, ITEM_ACTIVITY, ITEMS
from streams.kafka import REQUEST_SECONDS, bootstrap_servers, ssl_context
from streams.records import REPLAY_HEADER, Record

EX_SOFTWARE = 70
LAG_SECONDS = 1.0
STOP_SECONDS = 10.0
ITEM_BATCH = 64

_log = logs.get(__name__)


class Flow(Protocol):
    """`streams.flows`: returns when all that the records cause is durable."""

    async def take(self, records: Sequence[Record]) -> None:
        """Apply records."""
        ...


@dataclass(frozen=True, slots=True)
class Flows:
    """What the agents feed, and what runs beside them until the end."""

    events: Flow
    items: Flow
    activity: Flow
    beside: tuple[Callable[[], Coroutine[None, None, None]], ...] = ()
    at_end: tuple[Callable[[], Coroutine[None, None, None]], ...] = ()


def create_app(settings: Settings, flows: Flows) -> faust.App:
    """An application whose agents feed `flows`; `faust.Worker` runs it."""
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
    prefix = settings.kafka_topic_prefix
    progress: dict[TP, int] = {}
    for topic, flow, batch in (
        (EVENTS, flows.events, settings.stream_batch),
        (ITEM_ACTIVITY, flows.activity, settings.stream_batch),
        (ITEMS, flows.items, min(ITEM_BATCH, settings.stream_batch)),
    ):
        agent = _agent(
            topic.full_name(prefix),
            flow,
            batch=batch,
            linger_seconds=settings.stream_linger_seconds,
            progress=progress,
        )
        source = app.topic(topic.full_name(prefix), key_serializer="raw", value_serializer="raw")
        app.agent(source, name=topic.name)(agent)
    app.task(_guarded(lambda: _report_lag(app, progress)))
    for job in flows.beside:
        app.task(_guarded(job))
    _connect_signals(app, progress)
    return app


def run_flows(settings: Settings, make_flows: Callable[[], Flows]) -> int:
    """Run an application in this thread until a signal or a fault ends it; its exit code.

    `make_flows` is called in the application's event loop.
    """
    for name in ("faust", "mode", "aiokafka"):  # they tell of each of their services and groups
        logging.getLogger(name).setLevel(max(logging.WARNING, logging.getLogger().level))
    # Faust makes a second loop, in the consumer's thread: the policy serves both.
    asyncio.set_event_loop_policy(uvloop.EventLoopPolicy())
    return asyncio.run(_supervise(settings, make_flows))


async def _supervise(settings: Settings, make_flows: Callable[[], Flows]) -> int:
    told_to_stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, told_to_stop.set)
    flows = make_flows()
    app = create_app(settings, flows)
    app.in_worker = True
    try:
        await app.start()
        ends = [told_to_stop, app._crashed, app._stopped]  # noqa: SLF001  # no public ones
        waiting = [asyncio.ensure_future(end.wait()) for end in ends]
        await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
        for one in waiting:
            one.cancel()
    except Exception:  # noqa: BLE001  # the process edge
        _end_process("Faust could not start")
    reason = app.crash_reason
    _log.info("stopping", fault=repr(reason) if reason else None)
    try:
        async with asyncio.timeout(STOP_SECONDS):
            await app.stop()
            for job in flows.at_end:
                await job()
    except TimeoutError:
        _log.warning("stopped without waiting for Kafka", seconds=STOP_SECONDS)
    return EX_SOFTWARE if reason else 0


def _agent(
    topic: str, flow: Flow, *, batch: int, linger_seconds: float, progress: dict[TP, int]
) -> Callable[[faust.Stream[bytes]], Coroutine[None, None, None]]:
    async def agent(stream: faust.Stream[bytes]) -> None:
        async for events in stream.noack_take(batch, within=linger_seconds):
            try:
                await flow.take([_record(event.message) for event in events])
            except Exception:  # noqa: BLE001  # the process edge
                _end_process(f"{topic}: a batch failed")
            for event in events:
                await stream.ack(event)
                progress[event.message.tp] = event.message.offset + 1

    return agent


def _record(message: faust.types.Message) -> Record:
    replay_of = None
    if message.headers:
        for name, value in dict(message.headers).items():
            if name == REPLAY_HEADER:
                replay_of = value.decode(errors="replace")
    return Record(
        message.topic,
        message.partition,
        message.offset,
        message.key,
        message.value,
        message.timestamp,
        replay_of,
    )


def _guarded(
    job: Callable[[], Coroutine[None, None, None]],
) -> Callable[[], Coroutine[None, None, None]]:
    async def run() -> None:
        try:
            await job()
        except Exception:  # noqa: BLE001  # the process edge
            _end_process("a task beside the agents failed")

    return run


def _end_process(what: str) -> None:
    """End without committing: the records come again after the restart."""
    _log.exception(what)
    metrics.errors.labels("internal", "stream").inc()
    logging.shutdown()
    os._exit(EX_SOFTWARE)


async def _report_lag(app: faust.App, progress: dict[TP, int]) -> None:
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
            after = progress.get(place)
            if after is None:
                after = consumer._committed_offset.get(place) or 0  # noqa: SLF001  # no public one
            metrics.lag.labels(place.topic, place.partition).set(max(0, (end or 0) - after))


def _connect_signals(app: faust.App, progress: dict[TP, int]) -> None:
    async def assigned(_app: faust.App, assigned: set[TP], **_: object) -> None:
        _log.info("partitions assigned", partitions=_by_topic(assigned))

    async def revoked(_app: faust.App, revoked: set[TP], **_: object) -> None:
        for place in revoked:
            progress.pop(place, None)
            with contextlib.suppress(KeyError):
                metrics.lag.remove(place.topic, str(place.partition))
        _log.info("partitions revoked", partitions=_by_topic(revoked))

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
