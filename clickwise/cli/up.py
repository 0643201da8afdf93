"""`clickwise up` and `clickwise serve`: prepare, run the server, say where it is."""

import asyncio
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

from rich.text import Text

from clickwise import logs
from clickwise.cli import homes, server
from clickwise.cli.encoders import Progress
from clickwise.cli.following import Lines, encoder_progress
from clickwise.cli.output import console
from clickwise.cli.refusals import refuse
from clickwise.cli.starting import say
from clickwise.cli.waiting import wait_for
from clickwise.cli.wiring import bundle_of, encoder_of, name_first, state_of
from clickwise.clock import SystemClock
from clickwise.errors import ConfigurationError
from clickwise.settings import Settings

_log = logs.get(__name__)


def up(settings: Settings) -> int:
    """Everything in one folder, no services; returns when it is stopped.

    Raises:
        ConfigurationError: Kafka is set, the port is taken, a file is missing.
        ConflictError: a server runs on this home.
    """
    if not settings.embedded:
        raise ConfigurationError(
            "CLICKWISE_KAFKA_BOOTSTRAP is set, and `clickwise up` runs without Kafka: unset it, or"
            " run `clickwise stream` and `clickwise serve`"
        )
    return _run(settings)


def serve(settings: Settings) -> int:
    """The HTTP interface over Kafka and a shared database; returns when it is stopped.

    Raises:
        ConfigurationError: Kafka is not set, or what `up` raises.
        UnavailableError: a service did not answer in time.
    """
    if settings.embedded:
        raise ConfigurationError(
            "`clickwise serve` needs CLICKWISE_KAFKA_BOOTSTRAP and CLICKWISE_DATABASE_URL;"
            " `clickwise up` runs without them"
        )
    return _run(settings)


def _run(settings: Settings) -> int:
    logs.configure(level=settings.log_level, output=settings.log_format)
    refuse(settings)  # told here, not by a worker or a process beside this one
    homes.make_home(settings)
    settings = server.with_real_port(settings)
    lock = homes.ServerLock(settings)
    lock.take(server.address_of(settings))
    try:
        asyncio.run(wait_for(settings))
        prepare(settings)
        say(settings, f"starting the server on {server.address_of(settings)} ...")
        keys = asks_for_keys(settings)
        return server.run_server(settings, announce=lambda: announce(settings, keys=keys))
    finally:
        lock.release()


def prepare(settings: Settings) -> None:
    """Encoder, day-0 bundle and tables of this home, made where they are missing."""
    with ExitStack() as stack:
        state = state_of(settings, stack)
        state.migrate()
        with _following(settings) as follow:
            bundle = bundle_of(settings, encoder_of(settings, progress=follow))
        name_first(state, bundle, clock=SystemClock())


def asks_for_keys(settings: Settings) -> bool:
    """Whether requests need a key: by the settings, or since the database has one."""
    if settings.keys or settings.closed:
        return True
    with ExitStack() as stack:
        return bool(state_of(settings, stack).keys.every())


@contextmanager
def _following(settings: Settings) -> Iterator[Progress]:
    """A bar or lines; a log collector gets records."""
    if settings.log_format != "json":
        with encoder_progress() as follow:
            yield follow
        return

    def said(stage: str, share: float) -> None:
        _log.info("making_encoder", doing=stage, share=round(share, 3))

    yield Lines(said)


def announce(settings: Settings, *, keys: bool) -> None:
    """Where it answers and what to try."""
    address = server.address_of(settings)
    lines: list[tuple[str, str]] = [
        ("ready", address),
        ("docs", f"{address}/docs"),
        ("figures", f"{address}/metrics"),
        ("data", str(settings.folder.absolute())),
    ]
    out = console()
    for name, value in lines:
        out.print(Text.assemble((f"{name:<8}", "bold"), value), soft_wrap=True)
    out.print(Text(""))
    for line in samples(address, keys=keys):
        out.print(Text(line), soft_wrap=True)
    out.file.flush()


# No CLICKWISE_KEY: exported, it would be an unknown setting of the next command.
KEY_NEEDED = "KEY=...  # of `clickwise keys create`, with the scopes items, events and read"
JSON_HEADER = "-H 'content-type: application/json'"
SAMPLE_ITEMS = (
    '{"items": [{"id": "a1", "kind": "news", "title": "A robot that cooks"},'
    ' {"id": "a2", "kind": "news", "title": "A robot that cleans"}]}'
)
SAMPLE_EVENT = '{"user": "ada", "item": "a1", "type": "click"}'


def samples(address: str, *, keys: bool) -> list[str]:
    """Lines for a shell: two items, an event, the list; the key, where one is asked for, first."""
    key = ' -H "Authorization: Bearer $KEY"' if keys else ""
    return [
        *([KEY_NEEDED] if keys else []),
        f"curl{key} {address}/v1/items {JSON_HEADER} -d '{SAMPLE_ITEMS}'",
        f"curl{key} {address}/v1/events {JSON_HEADER} -d '{SAMPLE_EVENT}'",
        f"curl{key} '{address}/v1/users/ada/recommendations?limit=5'",
    ]
