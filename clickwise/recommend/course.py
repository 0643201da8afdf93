"""One request under way: its deadline, what fell back, how long each stage took."""

import time
from collections.abc import Callable
from typing import TypeVar

from clickwise import logs, metrics, tracing
from clickwise.clock import Clock
from clickwise.errors import UnavailableError

T = TypeVar("T")
log = logs.get(__name__)
STAGES = {
    name: metrics.recommend_seconds.labels(name)
    for name in ("profile", "candidates", "score", "rank", "explain", "total")
}


class Course:
    """Runs the stages of a request and notes what became of them."""

    def __init__(self, clock: Clock, deadline_seconds: float) -> None:
        self._clock = clock
        self._ends = clock.monotonic() + deadline_seconds
        self.degraded: list[str] = []
        self.started = self._last = time.perf_counter()

    def late(self) -> bool:
        """True when the deadline has passed."""
        return self._clock.monotonic() >= self._ends

    def fall_back(self, cause: str) -> None:
        """Note that a stage was replaced by a cheaper one."""
        if cause not in self.degraded:
            self.degraded.append(cause)
            metrics.degraded.labels(cause).inc()

    def attempt(self, cause: str, stage: Callable[[], T], instead: T) -> T:
        """`stage()`, or `instead` when it is too late for it or it is not available."""
        if self.late():
            self.fall_back("deadline")
            return instead
        try:
            return stage()
        except UnavailableError as error:
            log.debug("stage_unavailable", stage=cause, reason=str(error))
            self.fall_back(cause)
            return instead

    def done(self, stage: str) -> None:
        """Observe the time since the last stage ended."""
        now = time.perf_counter()
        STAGES[stage].observe(now - self._last)
        tracing.stage(f"recommend.{stage}", now - self._last)
        self._last = now
