"""`clickwise migrate`: the database's tables as this version wants them, before it serves."""

import asyncio
from collections.abc import Sequence
from contextlib import ExitStack

from rich.text import Text

from clickwise import logs
from clickwise.cli import homes
from clickwise.cli.audited import audited
from clickwise.cli.exits import Exit
from clickwise.cli.output import console, progress_console
from clickwise.cli.waiting import database_answers
from clickwise.cli.wiring import state_of
from clickwise.errors import ConflictError
from clickwise.settings import Settings
from clickwise.state.tables import SCHEMA_VERSION
from streams.waiting import wait_for_services


def migrate_back(settings: Settings, version: str) -> int:
    """Bring the database's tables back to the schema of an older version, which is then started.

    This program does it, since the older one does not know what to undo. No process of it may
    run: it would miss its tables. What only they hold is lost, so a backup comes first; what that
    is, is said before it is done.

    Raises:
        UnavailableError: the database did not answer.
        ConfigurationError: there is no such schema, or the database is not ahead of it.
    """
    logs.configure(level=settings.log_level, output=settings.log_format)
    homes.need_home(settings)
    running = homes.ServerLock(settings).address()
    if running:
        raise ConflictError(f"a server runs on {settings.folder}, at {running}: stop it first")
    with ExitStack() as stack, audited(settings, "migrate --back-to"):
        before = state_of(settings, stack).migrate_back(version, _tell_lost)
    console().print(Text(f"the database has the tables of schema {version}, and had {before}"))
    return Exit.DONE


def migrate(settings: Settings) -> int:
    """Wait for the database, and bring its tables to this version's schema; safe to repeat.

    Every process does the same when it starts. Done before, a rolling update begins with tables
    that are there, and a fault of theirs stops it before any process is replaced.

    Raises:
        UnavailableError: the database did not answer within `startup_timeout_seconds`.
        ConfigurationError: a newer version has migrated it.
    """
    logs.configure(level=settings.log_level, output=settings.log_format)
    if not settings.database_url.reveal():
        homes.make_home(settings)
    probes = {"database": lambda: database_answers(settings)}
    asyncio.run(wait_for_services(probes, limit_seconds=settings.startup_timeout_seconds))
    with ExitStack() as stack:
        state_of(settings, stack).migrate()
    console().print(Text(f"the database has the tables of schema {SCHEMA_VERSION}"))
    return Exit.DONE


def _tell_lost(lost: Sequence[str]) -> None:
    for one in lost:
        progress_console().print(Text(f"lost: {one}"), soft_wrap=True)
