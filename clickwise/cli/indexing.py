"""`clickwise index build`: generations of the Edge index, now or whenever enough changed."""

import signal
from contextlib import ExitStack
from threading import Event

from rich.text import Text

from clickwise import logs
from clickwise.cli import builder, homes
from clickwise.cli.exits import Exit
from clickwise.cli.output import console
from clickwise.cli.up import prepare
from clickwise.cli.wiring import state_of
from clickwise.errors import BundleError, ConfigurationError
from clickwise.settings import Settings
from clickwise.vectors.builder import build_generation


def build(settings: Settings, *, loop: bool) -> int:
    """Build once for each model in use, or until SIGINT or SIGTERM."""
    if settings.qdrant_url:
        raise ConfigurationError("CLICKWISE_QDRANT_URL is set: a Qdrant server indexes by itself")
    logs.configure(level=settings.log_level, output=settings.log_format)
    homes.make_home(settings)
    prepare(settings)
    with ExitStack() as stack:
        state = state_of(settings, stack)
        if loop:
            stop = Event()
            for number in (signal.SIGTERM, signal.SIGINT):
                signal.signal(number, lambda *_: stop.set())
            builder.build(settings, state, stop)
            return Exit.DONE
        wanted = builder.UsedSpaces(settings, state).now()
        for space in wanted.spaces:
            built = build_generation(
                homes.vectors_folder(settings), space.name, space.dimension, space.changes_after
            )
            if built is None:
                said = "nothing has changed since the present generation"
            else:
                said = (
                    f"generation {built.number}: {built.count:,} items, {built.changed:,} changed,"
                    f" {built.seconds:.1f} s"
                )
            console().print(Text(said if len(wanted.spaces) == 1 else f"{space.name}: {said}"))
        if wanted.kept is None:
            raise BundleError("a model in use cannot be had: see the log, and clickwise models")
    return Exit.DONE
