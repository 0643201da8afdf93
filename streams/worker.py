"""One stream worker: waits for its services, checks the topics, runs the agents until stopped.

Its exit codes are those of `streams.exits`.
"""

import asyncio
import gc
from collections.abc import Callable, Coroutine
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial

import httpx

from clickwise import logs, metrics, usage
from clickwise.clock import Clock, SystemClock
from clickwise.errors import ClickwiseError, ConfigurationError, UnavailableError
from clickwise.masking import masking_of
from clickwise.settings import Settings
from clickwise.state.port import State
from clickwise.tls import trusting
from clickwise.topics import DEAD_LETTERS, EVENTS, ITEM_ACTIVITY, RECOMMENDATIONS
from streams import kafka, topics_admin
from streams.app import Flows
from streams.deadline import Deadline
from streams.exits import EX_CONFIG, EX_SOFTWARE, EX_UNAVAILABLE
from streams.flows import ActivityFlow, EventFlow, ItemChanges, ItemFlow, SetAside
from streams.handlers import ActivityHandler, EventHandler
from streams.handover import Handover
from streams.looking_back import users_between
from streams.marks import Marks
from streams.publish import Publisher, Recommend
from streams.replication import watch_replication
from streams.supervision import run_flows
from streams.waiting import Probe, wait_for_services

__all__ = ["EX_CONFIG", "EX_UNAVAILABLE", "Parts", "PartsFactory", "Recommend", "run"]

CLOSE_SECONDS = 10.0

_log = logs.get(__name__)

# Apart, so that items to encode or a slow count do not hold up the profiles.
_THREADS = ("profiles", "activity", "items", "lists")


@dataclass(frozen=True, slots=True)
class Parts:
    """What a worker is wired from; `recommend` None: no lists are published.

    `events`, `activity`, `items` and `recommend` are each used by one thread of its own.
    """

    state: State
    events: EventHandler
    activity: ActivityHandler
    items: ItemChanges
    recommend: Recommend | None
    close: Callable[[], None]


PartsFactory = Callable[[Settings], Parts]
Job = Callable[[], Coroutine[None, None, None]]


def run(settings: Settings, make_parts: PartsFactory, *, clock: Clock | None = None) -> int:
    """Run a worker in this process, and in its main thread; returns the exit code.

    `make_parts` opens the database and the vector store; as long as it raises
    UnavailableError, and `startup_timeout_seconds` have not passed, it is called again.
    """
    try:
        parts = asyncio.run(_prepare(settings, make_parts))
    except ConfigurationError as error:
        _log.error("cannot start", error=str(error))
        return EX_CONFIG
    except UnavailableError as error:
        _log.error("cannot start", error=str(error))
        return EX_UNAVAILABLE
    try:
        _show_metrics(settings)
    except ConfigurationError as error:
        parts.close()
        _log.error("cannot start", error=str(error))
        return EX_CONFIG
    # What exists now lives as long as the process: collections need not look at it.
    gc.collect()
    gc.freeze()
    with Deadline() as deadline:
        try:
            code = _run_agents(settings, parts, clock or SystemClock(), deadline)
            deadline.begin("closing the stores", seconds=CLOSE_SECONDS, code=EX_SOFTWARE)
        finally:
            parts.close()
    _log.info("stopped", code=code)
    return code


def _show_metrics(settings: Settings) -> None:
    metrics.listen(
        settings.stream_metrics_port, settings.host, setting="CLICKWISE_STREAM_METRICS_PORT"
    )
    usage.report("stream", settings.folder)


async def _prepare(settings: Settings, make_parts: PartsFactory) -> Parts:
    made: list[Parts] = []

    async def connect() -> None:
        made.append(await asyncio.to_thread(make_parts, settings))

    probes: dict[str, Probe] = {"kafka": lambda: kafka.ping(settings)}
    if settings.qdrant_url:
        probes["qdrant"] = lambda: _ping_qdrant(settings)
    probes["database"] = connect
    # Again Kafka, and the database: either may be lost while the other is waited for.
    probes["topics"] = lambda: _check_log(settings, made[0].state)
    try:
        await wait_for_services(probes, limit_seconds=settings.startup_timeout_seconds)
    except ClickwiseError:
        for parts in made:
            parts.close()
        raise
    return made[0]


async def _check_log(settings: Settings, state: State) -> None:
    """Refuse to start on topics that are missing, misshapen, or not those of the state."""
    problems = await topics_admin.find_problems(settings)
    if problems:
        raise ConfigurationError("; ".join(problems))
    topic = EVENTS.full_name(settings.kafka_topic_prefix)
    # In this order: other workers go on applying what is written meanwhile.
    offsets = state.offsets(settings.kafka_group)
    ends = await kafka.end_offsets(settings, topic, settings.kafka_partitions)
    for place, applied in offsets.items():
        if place.topic == topic and applied > ends.get(place.partition, applied):
            raise ConfigurationError(
                f"{topic} ends at {ends[place.partition]} in partition {place.partition}, where"
                f" the database has applied {applied}: the topic was made anew, and its events"
                " would pass for old ones; set a new CLICKWISE_KAFKA_GROUP"
            )


async def _ping_qdrant(settings: Settings) -> None:
    key = settings.qdrant_api_key.reveal()
    try:
        async with httpx.AsyncClient(
            timeout=settings.qdrant_timeout_seconds,
            verify=trusting(settings.qdrant_ca_file, "CLICKWISE_QDRANT_CA_FILE"),
        ) as client:
            answer = await client.get(
                f"{settings.qdrant_url.rstrip('/')}/readyz",
                headers={"api-key": key} if key else {},
            )
    except httpx.HTTPError as error:
        raise UnavailableError(f"Qdrant at {settings.qdrant_url}: {error!r}") from error
    if answer.status_code >= 500:
        raise UnavailableError(f"Qdrant at {settings.qdrant_url}: status {answer.status_code}")


def _run_agents(settings: Settings, parts: Parts, clock: Clock, deadline: Deadline) -> int:
    threads = {name: ThreadPoolExecutor(1, name) for name in _THREADS}
    try:
        return run_flows(settings, lambda: _flows(settings, parts, clock, threads), deadline)
    finally:
        # What they use is closed next, and the interpreter would wait for them, unwatched.
        for thread in threads.values():
            thread.shutdown(cancel_futures=True)


def _flows(
    settings: Settings, parts: Parts, clock: Clock, threads: dict[str, ThreadPoolExecutor]
) -> Flows:
    prefix = settings.kafka_topic_prefix
    producer = kafka.Producer(settings)
    aside = SetAside(
        state=parts.state, outlet=producer, topic=DEAD_LETTERS.full_name(prefix), clock=clock
    )
    beside: list[Job] = [partial(watch_replication, settings)]
    at_end: list[Job] = [producer.stop]
    publisher = handover = None
    if parts.recommend is not None:
        marks = Marks()
        publisher = Publisher(
            parts.recommend,
            versions=parts.state.profile_versions,
            marks=marks,
            outlet=producer,
            topic=RECOMMENDATIONS.full_name(prefix),
            interval_seconds=settings.publish_interval_seconds,
            thread=threads["lists"],
        )
        handover = Handover(
            settings=settings,
            state=parts.state,
            marks=marks,
            found=publisher.found,
            full=publisher.full,
            read=partial(users_between, settings),
        )
        beside += [publisher.run, handover.run]
        at_end = [publisher.finish, handover.finish, *at_end]
    return Flows(
        events=EventFlow(
            parts.events,
            aside=aside,
            outlet=producer,
            thread=threads["profiles"],
            consumer=settings.kafka_group,
            activity_topic=ITEM_ACTIVITY.full_name(prefix),
            lists_topic=RECOMMENDATIONS.full_name(prefix),
            partitions=settings.kafka_partitions,
            changed=publisher.changed if publisher else lambda *_: None,
        ),
        items=ItemFlow(
            parts.items,
            aside=aside,
            thread=threads["items"],
            consumer=settings.kafka_group,
            masking=masking_of(settings.mask),
        ),
        activity=ActivityFlow(parts.activity, aside=aside, thread=threads["activity"]),
        applied=lambda: {
            (place.topic, place.partition): offset
            for place, offset in parts.state.offsets(settings.kafka_group).items()
            if place.source < 0
        },
        placed=handover.placed if handover is not None else None,
        beside=tuple(beside),
        at_end=tuple(at_end),
    )
