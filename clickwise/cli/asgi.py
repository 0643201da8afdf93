"""What granian loads in each worker: the application, from the environment's settings."""

import asyncio
import gc
import os
import sys
from concurrent.futures import ThreadPoolExecutor

from starlette.applications import Starlette

from clickwise import logs, tracing, usage
from clickwise.cli.exits import exit_of
from clickwise.cli.parents import end_with_parent
from clickwise.cli.waiting import wait_for
from clickwise.errors import ClickwiseError
from clickwise.settings import Settings, load

SWITCH_SECONDS = 0.0005


def app() -> Starlette:
    """The application of one worker; a fault ends the process with one line, no traceback."""
    settings = load(os.environ)
    logs.configure(level=settings.log_level, output=settings.log_format)
    # A request lets go of the interpreter's lock at each query and waits this long to have it
    # back from a thread that encodes or writes: 5 ms by default, as much as all else together.
    sys.setswitchinterval(SWITCH_SECONDS)
    end_with_parent()
    usage.report("serve", settings.folder)
    try:
        tracing.start(settings, service="serve")
        made = _made(settings)
    except ClickwiseError as error:
        logs.get(__name__).error("worker_cannot_start", kind=error.kind, reason=str(error))
        sys.exit(exit_of(error))
    # What exists now lives as long as the process: collections need not look at it.
    gc.collect()
    gc.freeze()
    return made


def _made(settings: Settings) -> Starlette:
    from clickwise.cli.processes import serving_parts
    from serving.app import create_app

    with ThreadPoolExecutor(1) as thread:  # this thread's event loop is granian's
        thread.submit(lambda: asyncio.run(wait_for(settings))).result()
    return create_app(serving_parts(settings))
