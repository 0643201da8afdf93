"""After a failure, fail at once for a while instead of waiting for the next timeout.

A server has one thread for what reads (ADR 16): without this, each request to a database that is
away would hold all others that need a turn for a whole timeout.
"""

from collections.abc import Callable

from clickwise import logs, metrics
from clickwise.errors import UnavailableError

PAUSE_SECONDS = 0.5

_log = logs.get(__name__)


class Breaker:
    """Closed while the database answers. One caller per pause tries again, others fail fast."""

    def __init__(self, monotonic: Callable[[], float]) -> None:
        self._monotonic = monotonic
        self._pause = 0.0
        self._until = 0.0
        self._told = False
        self._up = metrics.dependency_up.labels("database")

    @property
    def is_open(self) -> bool:
        """True from a failure to the next success."""
        return self._pause > 0.0

    def check(self) -> None:
        """Pass, or raise UnavailableError during a pause."""
        if not self._pause:
            return
        now = self._monotonic()
        if now < self._until:
            raise UnavailableError("the database did not answer a moment ago; not tried again yet")
        self._until = now + self._pause

    def failed(self, *, seconds: float) -> None:
        """A try failed after so many seconds; at most half of the time is spent waiting."""
        if not self._pause:
            _log.warning("database does not answer", waited_seconds=round(seconds, 3))
            self._up.set(0)
        self._pause = max(PAUSE_SECONDS, seconds)
        self._until = self._monotonic() + self._pause

    def succeeded(self) -> None:
        """The database answered."""
        if self._told and not self._pause:
            return
        if self._pause:
            _log.info("database answers again")
            self._pause = 0.0
        self._told = True
        self._up.set(1)
