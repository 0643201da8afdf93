"""Who waits for a new list, and whose turn it is.

Those whose profile changes now are due at once, or an interval after they last had a turn, so that
the changes within it are one. Those of whom a look back found that they may have no list
(`handover`) come behind them: an interval later, since another worker may just have published
theirs, and in the place of a slice that is left to them.

Bounded: over the bound the longest waiting is let go, of those found by looking back first.
Moments are monotonic seconds. Owned by one event loop.
"""

import heapq
from collections.abc import Callable
from itertools import islice, takewhile

from clickwise import metrics
from clickwise.types import UserId

MAX_WAITING = 20_000
_QUEUE = "recommendations"


class Line:
    """Everybody who waits, once."""

    def __init__(
        self, *, interval_seconds: float, max_waiting: int, let_go: Callable[[UserId], None]
    ) -> None:
        """`let_go` hears of each who had to leave for another."""
        self._interval_seconds = interval_seconds
        self._max_waiting = max_waiting
        self._let_go = let_go
        self._due: dict[UserId, float] = {}
        self._queue: list[tuple[float, UserId]] = []
        self._late: dict[UserId, float] = {}  # found by looking back; when due, in that order
        self._last: dict[UserId, float] = {}

    def __len__(self) -> int:
        return len(self._due) + len(self._late)

    def full(self) -> bool:
        """Whether to look back no further for now: half the room is for those who change."""
        return len(self) >= self._max_waiting // 2

    def changed(self, user: UserId, now: float) -> None:
        """One more who changed, if no change of this user waits already."""
        last = self._last.get(user)
        self.again(user, now if last is None else max(now, last + self._interval_seconds))

    def again(self, user: UserId, due: float) -> None:
        """One more who is due then, if no change of this user waits already."""
        if user in self._due:
            return
        self._late.pop(user, None)
        self._make_room()
        self._due[user] = due
        heapq.heappush(self._queue, (due, user))
        self._tell()

    def found(self, user: UserId, now: float) -> None:
        """One more who changed some time ago, if this user does not wait already."""
        if user in self._due or user in self._late:
            return
        self._make_room()
        self._late[user] = now + self._interval_seconds
        self._tell()

    def take(self, now: float, most: int) -> list[UserId]:
        """Whose turn it is now; they wait no more."""
        late = [*islice(takewhile(lambda user: self._late[user] <= now, self._late), most)]
        users: list[UserId] = []
        fresh = most - 1 if late else most
        while self._queue and len(users) < fresh and self._queue[0][0] <= now:
            due, user = heapq.heappop(self._queue)
            if self._due.get(user) == due:  # else it was let go, or waits anew
                del self._due[user]
                users.append(user)
        for user in late[: most - len(users)]:
            del self._late[user]
            users.append(user)
        for user in users:
            self._last.pop(user, None)
            self._last[user] = now
        while self._last and next(iter(self._last.values())) < now - self._interval_seconds:
            del self._last[next(iter(self._last))]
        self._tell()
        return users

    def take_all(self) -> list[UserId]:
        """All who wait, due or not; they wait no more."""
        users = [*self._due, *self._late]
        self._queue.clear()
        self._due.clear()
        self._late.clear()
        return users

    def next_due(self) -> float | None:
        """When it is somebody's turn; None while nobody waits."""
        dues = [*(due for due, _ in self._queue[:1]), *islice(self._late.values(), 1)]
        return min(dues) if dues else None

    def _make_room(self) -> None:
        if len(self) < self._max_waiting:
            return
        waiting = self._late or self._due
        oldest = next(iter(waiting))
        del waiting[oldest]
        self._let_go(oldest)
        metrics.dropped.labels(_QUEUE).inc()

    def _tell(self) -> None:
        metrics.queue_length.labels(_QUEUE).set(len(self))
