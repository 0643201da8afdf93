"""What Faust can do at most: the stream worker's own agents, with nothing to do.

    python -m streams.floor < plan > result      (JSON; settings from the environment)

It takes `events` events from the topic as a worker does, with the same settings, acknowledges
them, and says how many it got a second. For `clickwise bench ingest`, and for whoever wants to
know whether a slow worker is Faust's fault.
"""

import os
import signal
import sys
import time
from collections.abc import Sequence

import msgspec

from clickwise.settings import load
from streams.app import Flows
from streams.deadline import Deadline
from streams.records import Record
from streams.supervision import run_flows


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """How many events to take."""

    events: int


class Floor(msgspec.Struct, frozen=True, kw_only=True):
    """What it did, from the end of its first batch to the end of its last."""

    events_per_second: float


class Nothing:
    """See streams.app.Flow."""

    async def take(self, records: Sequence[Record]) -> None:
        """Let them be acknowledged."""


class Counting:
    """See streams.app.Flow; asks the process to stop once it has `expected` records."""

    def __init__(self, expected: int) -> None:
        self._expected = expected
        self._count = self._first_count = 0
        self._first = self._last = 0.0

    async def take(self, records: Sequence[Record]) -> None:
        """Count them and let them be acknowledged."""
        self._count += len(records)
        self._last = time.perf_counter()
        if not self._first_count:
            self._first, self._first_count = self._last, self._count
        if self._count >= self._expected:
            os.kill(os.getpid(), signal.SIGTERM)

    @property
    def per_second(self) -> float:
        """Records a second after the first batch."""
        seconds = self._last - self._first
        return (self._count - self._first_count) / seconds if seconds > 0.0 else 0.0


def main() -> int:
    """Read the plan, take events, write the result; the worker's exit code."""
    plan = msgspec.json.decode(sys.stdin.buffer.read(), type=Plan)
    counting, nothing = Counting(plan.events), Nothing()
    flows = Flows(events=counting, items=nothing, activity=nothing, applied=None)
    with Deadline() as deadline:
        code = run_flows(load(os.environ), lambda: flows, deadline)
    result = Floor(events_per_second=counting.per_second)
    sys.stdout.buffer.write(b"\n" + msgspec.json.encode(result) + b"\n")
    return code


if __name__ == "__main__":
    sys.exit(main())
