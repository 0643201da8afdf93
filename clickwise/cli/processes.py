"""What a serving process is made of: over the embedded engine, or over Kafka.

No Kafka client is imported where none is set: the base install has none.
"""

import asyncio
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from typing import Protocol

from clickwise import logs, tracing
from clickwise.cli import handlers
from clickwise.cli.extras import kafka_extra
from clickwise.cli.people import SitePeople
from clickwise.cli.wiring import Core, open_core
from clickwise.errors import ClickwiseError, UnavailableError
from clickwise.settings import Settings
from serving.parts import Health, Parts
from streams.embedded import EmbeddedExposureLog

_log = logs.get(__name__)


class _Door(Protocol):
    async def start(self) -> None: ...


def serving_parts(settings: Settings) -> Parts:
    """One serving process over the embedded engine, or over Kafka where that is set.

    Raises:
        UnavailableError: a service does not answer.
        ConfigurationError: a setting cannot work.
    """
    stack = ExitStack()
    try:
        core = open_core(settings, stack)
        if settings.embedded:
            return _embedded_parts(core, stack)
        return _kafka_parts(core, stack)
    except BaseException:
        stack.close()
        raise


def _embedded_parts(core: Core, stack: ExitStack) -> Parts:
    engine = handlers.embedded_engine(core)
    exposures = EmbeddedExposureLog(state=core.state)
    shadow = core.shadow()

    async def start() -> None:
        core.releases.start()
        core.shelf.start()
        shadow.start()
        await engine.start()
        await exposures.start()

    async def stop() -> None:
        await engine.stop()
        await exposures.stop()
        shadow.stop()
        core.shelf.stop()
        stack.close()
        await asyncio.to_thread(tracing.stop)

    return Parts(
        settings=core.settings,
        recommender=core.answers(shadow=shadow),
        state=core.state,
        events=engine,
        items=engine,
        exposures=exposures,
        people=SitePeople(core.settings, core.state, core.clock),
        clock=core.clock,
        health=lambda: _health(core),
        keys=core.state.keys,
        on_start=start,
        on_stop=stop,
    )


def _kafka_parts(core: Core, stack: ExitStack) -> Parts:
    with kafka_extra():
        from streams.kafka_doors import KafkaEventDoor, KafkaExposureLog, KafkaItemDoor

    events = KafkaEventDoor(core.settings)
    items = KafkaItemDoor(core.settings)
    exposures = KafkaExposureLog(core.settings)
    shadow = core.shadow()

    async def start() -> None:
        core.releases.start()
        core.shelf.start()
        shadow.start()
        await connect(events)
        await connect(items)
        await exposures.start()

    async def stop() -> None:
        await events.stop()
        await items.stop()
        await exposures.stop()
        shadow.stop()
        core.shelf.stop()
        stack.close()
        await asyncio.to_thread(tracing.stop)

    return Parts(
        settings=core.settings,
        recommender=core.answers(shadow=shadow),
        state=core.state,
        events=events,
        items=items,
        exposures=exposures,
        people=SitePeople(core.settings, core.state, core.clock),
        clock=core.clock,
        health=lambda: _health(core),
        keys=core.state.keys,
        on_start=start,
        on_stop=stop,
    )


async def connect(door: _Door) -> None:
    """Connect; where Kafka went away since it was asked, a later write does it. Lists need none."""
    try:
        await door.start()
    except UnavailableError as error:
        _log.warning("Kafka went away at the start", reason=str(error))


def _health(core: Core) -> Sequence[Health]:
    """Runs in a thread; each check is bounded by its client's own timeout."""
    checks = [
        _checked("database", core.state.ping),
        _checked("vectors", lambda: _count(core)),
        Health(name="models", ok=True, detail=_models(core)),
    ]
    if not core.settings.embedded:
        from streams import kafka

        checks.append(_checked("kafka", lambda: asyncio.run(kafka.ping(core.settings))))
    return checks


def _count(core: Core) -> int:
    """Items of the live index, which is not closed meanwhile."""
    core.releases.refresh()
    try:
        return core.catalog.index.count()
    finally:
        core.releases.rest()


def _models(core: Core) -> str:
    """What this process answers with, and what it keeps open beside that."""
    live, *others = (release.version for release in core.releases.every())
    return f"live {live}" + "".join(f", open {version}" for version in others)


def _checked(name: str, call: Callable[[], object]) -> Health:
    try:
        call()
    except ClickwiseError as error:
        return Health(name=name, ok=False, detail=str(error))
    return Health(name=name, ok=True)
