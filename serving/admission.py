"""How many requests a worker has in work at once, whose turn it is, and who is turned away.

Handlers run one after the other in the event loop, so requests queue whether one wants it or not.
Here they queue in sight: each takes its turn, and before the next turn all that arrived meanwhile
are let in or refused, which takes microseconds. So a refusal waits for one handler at most, and
never for the queue. Refused, with 429 and `Retry-After`, is who would wait longer for its turn than
the queue is allowed to last: as many turns as there are before it, each as long as turns are now.
"""

import asyncio
from collections import deque
from collections.abc import Callable

from clickwise import metrics
from clickwise.errors import OverloadedError

# So many may wait however long turns are: producers of large batches are few, and slow to answer.
ALWAYS = 8
# Of the newest turn in the mean, and how many times the mean it may count as: one pause of the
# process is no reason to turn away those who come after it.
_NEWEST = 1 / 16
_MOST_TIMES = 4.0


class Admission:
    """Counts the requests in work and gives them turns; in one event loop, not in several threads.

    `limit`: requests in work, those that wait for something else than their turn too.
    """

    def __init__(
        self, limit: int, *, max_wait_seconds: float, monotonic: Callable[[], float]
    ) -> None:
        self._limit = limit
        self._max_wait_seconds = max_wait_seconds
        self._monotonic = monotonic
        self._now = 0
        self._waiting: deque[asyncio.Future[None]] = deque()
        self._turn_seconds = 0.0  # mean of the newest turns
        self._turning = False
        self._turn_began = 0.0

    @property
    def now(self) -> int:
        """Requests in work."""
        return self._now

    @property
    def wait_seconds(self) -> float:
        """How long a request that comes now would wait for its turn, as far as one can tell."""
        return len(self._waiting) * self._turn_seconds

    def enter(self) -> None:
        """Take a place; `leave` gives it back.

        Raises:
            OverloadedError: every place is taken, or too many wait for their turn.
        """
        if self._now >= self._limit:
            raise OverloadedError(
                f"{self._now} requests are in work, the most for this worker; try again"
            )
        if len(self._waiting) >= ALWAYS and self.wait_seconds > self._max_wait_seconds:
            raise OverloadedError(
                f"{len(self._waiting)} requests wait for their turn, as many as this worker can"
                " answer soon; try again"
            )
        self._now += 1
        metrics.in_flight.inc()

    async def turn(self) -> None:
        """Wait for one's turn: after those who came before, and one turn of the loop at least."""
        loop = asyncio.get_running_loop()
        mine = loop.create_future()
        self._waiting.append(mine)
        if not self._turning:
            self._turning = True
            loop.call_soon(self._begin, loop)
        await mine

    def leave(self) -> None:
        """Give a place back."""
        self._now -= 1
        metrics.in_flight.dec()

    def _begin(self, loop: asyncio.AbstractEventLoop) -> None:
        """The first turn after a while in which nobody waited."""
        self._turn_began = self._monotonic()
        self._give(loop)

    def _follow(self, loop: asyncio.AbstractEventLoop) -> None:
        """A turn is over: its handler ran, and so did the doors of all that arrived meanwhile."""
        now = self._monotonic()
        seconds = now - self._turn_began
        if self._turn_seconds:
            seconds = min(seconds, _MOST_TIMES * self._turn_seconds)
            self._turn_seconds += _NEWEST * (seconds - self._turn_seconds)
        else:
            self._turn_seconds = seconds
        self._turn_began = now
        self._give(loop)

    def _give(self, loop: asyncio.AbstractEventLoop) -> None:
        while self._waiting:
            following = self._waiting.popleft()
            if not following.done():  # its request was not given up meanwhile
                following.set_result(None)  # its handler runs before what is called next
                loop.call_soon(self._follow, loop)
                return
        self._turning = False
