"""A circuit breaker: after failures in a row the model is left alone for a while, then tried once.

    closed --(FAILURES in a row)--> open --(pause over)--> half-open --success--> closed
                                     ^                         |
                                     +-------- failure --------+   (the pause doubles)

It closes by itself. Time is passed in, so tests and replays drive it by hand.
"""

import enum
from collections.abc import Callable

FAILURES = 3
FIRST_PAUSE_SECONDS = 5.0
LONGEST_PAUSE_SECONDS = 120.0


class BreakerState(enum.IntEnum):
    """The number is what the metric shows."""

    CLOSED = 0
    HALF_OPEN = 1
    OPEN = 2


class Breaker:
    """Counts failures in a row; owned by one thread."""

    def __init__(
        self, monotonic: Callable[[], float], *, first_pause_seconds: float = FIRST_PAUSE_SECONDS
    ) -> None:
        self._monotonic = monotonic
        self._first_pause_seconds = first_pause_seconds
        self._failures = 0
        self._pause_seconds = 0.0
        self._until = 0.0

    @property
    def state(self) -> BreakerState:
        """Where it stands now."""
        if not self._pause_seconds:
            return BreakerState.CLOSED
        over = self._monotonic() >= self._until
        return BreakerState.HALF_OPEN if over else BreakerState.OPEN

    @property
    def wait_seconds(self) -> float:
        """Until the next try may be made; 0: now."""
        return max(0.0, self._until - self._monotonic()) if self._pause_seconds else 0.0

    def succeeded(self) -> None:
        """The model answered with sense."""
        self._failures = 0
        self._pause_seconds = 0.0

    def failed(self) -> None:
        """It did not answer, or with nonsense."""
        self._failures += 1
        if self._pause_seconds:
            self._pause_seconds = min(2.0 * self._pause_seconds, LONGEST_PAUSE_SECONDS)
        elif self._failures >= FAILURES:
            self._pause_seconds = self._first_pause_seconds
        else:
            return
        self._until = self._monotonic() + self._pause_seconds
