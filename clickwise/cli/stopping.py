"""SIGTERM and SIGHUP unwind a command as Ctrl-C does, so that what it started ends with it."""

import asyncio
import signal
from collections.abc import Coroutine, Iterator
from contextlib import contextmanager
from types import FrameType

from clickwise.cli.exits import complain

_STOPPING = (signal.SIGTERM, signal.SIGHUP)


@contextmanager
def signals_unwind() -> Iterator[None]:
    """While the block runs both raise KeyboardInterrupt; one that is ignored stays so (nohup)."""
    before = {number: signal.getsignal(number) for number in _STOPPING}
    for number, handler in before.items():
        if handler is not signal.SIG_IGN:
            signal.signal(number, signal.default_int_handler)
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextmanager
def stop_is_said(message: str) -> Iterator[None]:
    """One line on standard error when the block is interrupted: what that leaves."""
    try:
        yield
    except KeyboardInterrupt:
        complain(message)
        raise


def run_unwinding(work: Coroutine[object, object, None]) -> None:
    """`asyncio.run` within `signals_unwind`: a signal cancels the work, as asyncio's Ctrl-C does.

    Raised in the midst of one task, KeyboardInterrupt would leave the others unfinished, and
    asyncio would complain of them.
    """
    main: asyncio.Task[None] | None = None
    interrupted = False

    async def cancelable() -> None:
        nonlocal main
        main = asyncio.current_task()
        await work

    def stop(number: int, frame: FrameType | None) -> None:
        del number, frame
        nonlocal interrupted
        first, interrupted = not interrupted, True
        if first and main is not None and not main.done():
            main.get_loop().call_soon_threadsafe(main.cancel)

    before = {number: signal.getsignal(number) for number in _STOPPING}
    for number, handler in before.items():
        if handler is signal.default_int_handler:
            signal.signal(number, stop)
    try:
        asyncio.run(cancelable())
    except asyncio.CancelledError:
        if not interrupted:
            raise
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
    if interrupted:
        raise KeyboardInterrupt
