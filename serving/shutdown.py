"""Open streams end when granian's worker is told to stop.

granian waits for open connections before it runs the lifespan's end, so a server-sent stream
would hold a stopping worker for ever. A worker listens to SIGTERM and SIGINT alike: here
SIGTERM first ends the streams and is then passed on as SIGINT.
"""

import asyncio
import multiprocessing
import os
import signal
from collections.abc import Callable

PAUSE_SECONDS = 0.1


def end_before_stop(end: Callable[[], None]) -> None:
    """Call `end` on SIGTERM, then let granian go on; no effect under other servers."""
    if multiprocessing.current_process().name != "granian-worker":
        return
    loop = asyncio.get_running_loop()

    def stop() -> None:
        loop.call_later(PAUSE_SECONDS, os.kill, os.getpid(), signal.SIGINT)  # whatever `end` does
        end()

    loop.add_signal_handler(signal.SIGTERM, stop)
