"""A circuit breaker: while a service is down, calls fail at once instead of each waiting.

One thread of a worker makes all lists, so a vector store that hangs would hold up every
request for its whole timeout. After a few faults in a row calls are refused for a moment; then
one is let through to try.
"""

from threading import Lock

from clickwise import metrics
from clickwise.clock import Clock
from clickwise.errors import UnavailableError


class Breaker:
    """Counts faults in a row of one service. Thread-safe."""

    def __init__(
        self, service: str, *, clock: Clock, faults: int = 3, rest_seconds: float = 1.0
    ) -> None:
        self._service = service
        self._clock = clock
        self._faults = faults
        self._rest_seconds = rest_seconds
        self._in_a_row = 0
        self._closed_until = 0.0
        self._told = False
        self._up = metrics.dependency_up.labels(service.lower())
        self._lock = Lock()

    def check(self) -> None:
        """Let a call through, or refuse it.

        Raises:
            UnavailableError: the service failed a moment ago; nobody has waited for it.
        """
        with self._lock:
            if self._in_a_row < self._faults:
                return
            now = self._clock.monotonic()
            if now < self._closed_until:
                raise UnavailableError(
                    f"{self._service} has failed {self._in_a_row} times in a row",
                    retry_after_seconds=self._closed_until - now,
                )
            # This call tries; others stay refused until it has ended, or as long again.
            self._closed_until = now + self._rest_seconds

    def succeeded(self) -> None:
        """Note an answer."""
        with self._lock:
            if self._in_a_row >= self._faults or not self._told:
                self._told = True
                self._up.set(1)
            self._in_a_row = 0

    def failed(self) -> None:
        """Note a fault of the service (not one of the caller)."""
        with self._lock:
            self._in_a_row += 1
            if self._in_a_row == self._faults:
                self._up.set(0)
            self._closed_until = self._clock.monotonic() + self._rest_seconds
