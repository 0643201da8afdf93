"""`clickwise index build`: a generation of the Edge index, now or whenever enough changed."""

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
from clickwise.errors import ConfigurationError
from clickwise.settings import Settings
from clickwise.vectors.builder import build_generation, stored_changes


def build(settings: Settings, *, loop: bool) -> int:
    """Build once, or until SIGINT or SIGTERM."""
    if settings.qdrant_url:
        raise ConfigurationError("CLICKWISE_QDRANT_URL is set: a Qdrant server indexes by itself")
    logs.configure(level=settings.log_level, output=settings.log_format)
    homes.make_home(settings)
    bundle = prepare(settings)
    dimension = bundle.manifest.dimension
    if loop:
        stop = Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: stop.set())
        builder.build(settings, bundle.vectors, dimension, stop)
        return Exit.DONE
    with ExitStack() as stack:
        built = build_generation(
            homes.vectors_folder(settings),
            bundle.vectors,
            dimension,
            stored_changes(state_of(settings, stack), bundle.vectors),
        )
    if built is None:
        console().print(Text("nothing has changed since the present generation"))
    else:
        console().print(
            Text(
                f"generation {built.number}: {built.count:,} items, {built.changed:,} changed,"
                f" {built.seconds:.1f} s"
            )
        )
    return Exit.DONE
