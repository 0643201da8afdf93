"""How many requests a worker has in work at once, whose turn it is, and who is turned away.

What takes long (lists, the parsing of batches) is done by one thread, one after the other, so
requests queue whether one wants it or not. Here they queue in sight, and the event loop stays
free: a refusal waits for the interpreter's lock at most, never for a list. Refused, with 429 and
`Retry-After`, is who would wait longer for its turn than the queue is allowed to last: as many
turns as there are before it, each as long as turns are now.
"""

import asyncio
import contextvars
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from clickwise import metrics
from clickwise.errors import OverloadedError

# So many may wait however long turns are: producers of large batches are few, and slow to answer.
ALWAYS = 8
# Of the newest turn in the mean, and how many times the mean it may count as: one pause of the
# process is no reason to turn away those who come after it.
_NEWEST = 1 / 16
_MOST_TIMES = 4.0

T = TypeVar("T")


class Admission:
    """Counts the requests in work and gives them turns; asked by one event loop.

    `limit`: requests in work, those that wait for something else than their turn too.
    """

    def __init__(
        self, limit: int, *, max_wait_seconds: float, monotonic: Callable[[], float]
    ) -> None:
        self._limit = limit
        self._max_wait_seconds = max_wait_seconds
        self._monotonic = monotonic
        self._now = 0
        self._thread = _new_thread()
        # Of turns. The loop counts the first two and the thread the third, so none needs a lock.
        self._asked = 0
        self._given_up = 0
        self._begun = 0
        self._turn_seconds = 0.0  # mean of the newest turns; the thread's

    @property
    def now(self) -> int:
        """Requests in work."""
        return self._now

    @property
    def waiting(self) -> int:
        """Turns that have been asked for and have not begun."""
        return self._asked - self._given_up - self._begun

    @property
    def wait_seconds(self) -> float:
        """How long a request that comes now would wait for its turn, as far as one can tell."""
        return self.waiting * self._turn_seconds

    def enter(self) -> None:
        """Take a place; `leave` gives it back.

        Raises:
            OverloadedError: every place is taken, or too many wait for their turn.
        """
        if self._now >= self._limit:
            raise OverloadedError(
                f"{self._now} requests are in work, the most for this worker; try again"
            )
        if self.waiting >= ALWAYS and self.wait_seconds > self._max_wait_seconds:
            raise OverloadedError(
                f"{self.waiting} requests wait for their turn, as many as this worker can"
                " answer soon; try again"
            )
        self._now += 1
        metrics.in_flight.inc()

    async def turn(self, work: Callable[[], T]) -> T:
        """What `work` returns or raises, in the thread, after the turns that were asked for before.

        Given up meanwhile (canceled), it is not begun, or its outcome is dropped.
        """
        asked = self._thread.submit(contextvars.copy_context().run, self._take, work)
        self._asked += 1
        try:
            return await asyncio.wrap_future(asked)
        finally:
            if asked.cancelled():
                self._given_up += 1

    def leave(self) -> None:
        """Give a place back."""
        self._now -= 1
        metrics.in_flight.dec()

    def close(self) -> None:
        """Wait for the turns that were asked for and end the thread; the next begins another."""
        ended, self._thread = self._thread, _new_thread()
        ended.shutdown()

    def _take(self, work: Callable[[], T]) -> T:
        """Runs in the thread."""
        self._begun += 1
        began = self._monotonic()
        try:
            return work()
        finally:
            seconds = self._monotonic() - began
            if self._turn_seconds:
                seconds = min(seconds, _MOST_TIMES * self._turn_seconds)
                self._turn_seconds += _NEWEST * (seconds - self._turn_seconds)
            else:
                self._turn_seconds = seconds


def _new_thread() -> ThreadPoolExecutor:
    """Begun with its first turn."""
    return ThreadPoolExecutor(1, "clickwise-lists")
