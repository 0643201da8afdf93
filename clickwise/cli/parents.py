"""A child process beside the server: how it begins, and how it ends with its parent."""

import os
import signal
import threading
import time
from collections.abc import Callable

from clickwise import logs, usage
from clickwise.cli.exits import Exit, exit_of
from clickwise.errors import ClickwiseError
from clickwise.settings import Settings, load

LOOK_SECONDS = 0.5

_log = logs.get(__name__)


def run_child(name: str, work: Callable[[Settings, threading.Event], None]) -> int:
    """Do `work` with the settings of the environment until SIGTERM; the exit code.

    `name`: the part that it is, of `usage.PARTS`.
    """
    stop = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: stop.set())
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # of the terminal; the parent says when to stop
    settings = load(os.environ)
    logs.configure(level=settings.log_level, output=settings.log_format)
    end_with_parent()
    usage.report(name, settings.folder)
    try:
        work(settings, stop)
    except ClickwiseError as error:
        _log.error(f"{name}_failed", kind=error.kind, reason=str(error))
        return exit_of(error)
    return Exit.DONE


def end_with_parent() -> None:
    """From now on: a changed parent means that it died, and this process gets SIGTERM."""
    parent = os.getppid()

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(LOOK_SECONDS)
        os.kill(os.getpid(), signal.SIGTERM)

    threading.Thread(target=watch, name="clickwise-parent", daemon=True).start()
