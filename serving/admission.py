"""How many requests a worker has in work at once, and what happens to the next one.

Over the limit the answer is 503 with `Retry-After` at once: no queue grows here.
"""

from clickwise import metrics
from clickwise.errors import UnavailableError


class Admission:
    """Counts the requests in work; not for several threads."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._now = 0

    @property
    def now(self) -> int:
        """Requests in work."""
        return self._now

    def enter(self) -> None:
        """Take a place; `leave` gives it back.

        Raises:
            UnavailableError: every place is taken.
        """
        if self._now >= self._limit:
            raise UnavailableError(
                f"{self._now} requests are in work, the most for this worker; try again"
            )
        self._now += 1
        metrics.in_flight.inc()

    def leave(self) -> None:
        """Give a place back."""
        self._now -= 1
        metrics.in_flight.dec()
