"""The process that builds Edge's next generation: `python -m clickwise.cli.builder MODEL D`.

Started by `clickwise up` and `clickwise serve`, with the settings in its environment. It does
not open the encoder: model and dimension are told.
"""

import os
import signal
import sys
from collections.abc import Sequence
from contextlib import ExitStack
from threading import Event

from clickwise import logs
from clickwise.cli import homes
from clickwise.cli.exits import Exit, exit_of
from clickwise.cli.parents import end_with_parent
from clickwise.cli.wiring import state_of
from clickwise.errors import ClickwiseError
from clickwise.settings import Settings, load
from clickwise.types import ModelVersion
from clickwise.vectors.builder import build_loop


def main(arguments: Sequence[str]) -> int:
    """Build until SIGTERM; the exit code."""
    model, dimension = ModelVersion(arguments[0]), int(arguments[1])
    stop = Event()
    signal.signal(signal.SIGTERM, lambda *_: stop.set())
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # of the terminal; the parent says when to stop
    settings = load(os.environ)
    logs.configure(level=settings.log_level, output=settings.log_format)
    end_with_parent()
    try:
        build(settings, model, dimension, stop)
    except ClickwiseError as error:
        logs.get(__name__).error("builder_failed", kind=error.kind, reason=str(error))
        return exit_of(error)
    return Exit.DONE


def build(settings: Settings, model: ModelVersion, dimension: int, stop: Event) -> None:
    """Build generations of the home's items until `stop` is set."""
    with ExitStack() as stack:
        build_loop(
            state_of(settings, stack),
            homes.vectors_folder(settings),
            model,
            dimension,
            build_after=settings.edge_build_after,
            build_interval_seconds=settings.edge_build_interval_seconds,
            stop=stop,
        )


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
