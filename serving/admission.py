"""How many requests a worker has in work at once, and who is turned away.

What takes long is done by one thread, one after the other (`serving.turns`), so requests queue
whether one wants it or not. Here they queue in sight, and the event loop stays free: a refusal
waits for the interpreter's lock at most, never for a list. Refused, with 429 and `Retry-After`, is
who would wait longer for its turn than the queue is allowed to last: at the door, and once more
when its body is there, since others came meanwhile.
"""

from collections.abc import Callable
from typing import TypeVar

from clickwise import metrics
from clickwise.errors import OverloadedError
from serving.turns import Turns

# So many may wait however long turns are: producers of large batches are few, and slow to answer.
ALWAYS = 8

T = TypeVar("T")


class Admission:
    """Counts the requests in work and bounds their wait; asked by one event loop.

    `limit`: requests in work, those that wait for something else than their turn too.
    """

    def __init__(
        self, limit: int, *, max_wait_seconds: float, monotonic: Callable[[], float]
    ) -> None:
        self._limit = limit
        self._max_wait_seconds = max_wait_seconds
        self._now = 0
        self.turns = Turns(monotonic=monotonic)

    @property
    def now(self) -> int:
        """Requests in work."""
        return self._now

    def enter(self) -> None:
        """Take a place; `leave` gives it back.

        Raises:
            OverloadedError: every place is taken, or too many wait for their turn.
        """
        if self._now >= self._limit:
            raise OverloadedError(
                f"{self._now} requests are in work, the most for this worker; try again"
            )
        self._check()
        self._now += 1
        metrics.in_flight.inc()

    async def turn(self, kind: str, work: Callable[[], T]) -> T:
        """A request's turn; see `Turns.take`. `kind`: of work that takes about as long.

        Raises:
            OverloadedError: too many wait for theirs.
        """
        self._check()
        return await self.turns.take(self.turns.requests, kind, work)

    async def stream_turn(self, kind: str, work: Callable[[], T]) -> T:
        """The turn of a stream, however long it takes: streams are bounded by their number."""
        return await self.turns.take(self.turns.streams, kind, work)

    def leave(self) -> None:
        """Give a place back."""
        self._now -= 1
        metrics.in_flight.dec()

    def _check(self) -> None:
        waiting = self.turns.requests.waiting
        if waiting >= ALWAYS and self.turns.wait_seconds > self._max_wait_seconds:
            raise OverloadedError(
                f"{waiting} requests wait for their turn, as many as this worker can answer soon;"
                " try again"
            )
