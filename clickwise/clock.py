"""Time as a value that is passed, so that tests and replays drive it by hand."""

import time
from datetime import UTC, datetime, timedelta
from typing import Protocol


class Clock(Protocol):
    """Where `now` comes from."""

    def now(self) -> datetime:
        """Aware UTC wall-clock time."""
        ...

    def monotonic(self) -> float:
        """Seconds that only grow, for deadlines and durations."""
        ...


class SystemClock:
    """The machine's clock."""

    def now(self) -> datetime:
        """See Clock."""
        return datetime.now(UTC)

    def monotonic(self) -> float:
        """See Clock."""
        return time.monotonic()


class ReplayClock:
    """A clock that stands still until it is set: a log that is lived again sets it to each event.

    Its durations grow by as much as its time does.
    """

    def __init__(self, start: datetime) -> None:
        self._start = start
        self._now = start

    def set(self, now: datetime) -> None:
        """It is `now`, if it was not later already."""
        self._now = max(self._now, now)

    def advance(self, by: timedelta) -> None:
        """Let time pass."""
        self._now += by

    def now(self) -> datetime:
        """See Clock."""
        return self._now

    def monotonic(self) -> float:
        """See Clock."""
        return (self._now - self._start).total_seconds()
