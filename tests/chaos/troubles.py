"""What was wrong when, and which exposures may have gone with their server because of it."""

import signal
from collections.abc import Sequence
from dataclasses import dataclass

from tests.chaos.schedule import Fault
from tests.chaos.supervisor import Life

# An exposure is written within that much of its answer, while Kafka can be reached.
EXPOSURE_SECONDS = 3.0


@dataclass(frozen=True, slots=True)
class Trouble:
    """Faults that were made together, from their strike until all was whole again (monotonic)."""

    faults: tuple[Fault, ...]
    began: float
    over: float


def away(fault: Fault, service: str, process: str) -> bool:
    """Whether a fault is of a service (or its disk), or between it and the process's machine."""
    machine = process.rpartition("-")[2]
    return fault.target in (service, f"{machine}-{service}")


def may_be_lost(server: str, at: float, lives: Sequence[Life], troubles: Sequence[Trouble]) -> bool:
    """Whether the exposure of a list that `server` gave at `at` may have gone with it: it was
    killed right after, or ended while Kafka was away, or after it stood still or lost a process.

    An orderly end is none of these: it writes what waits first.
    """
    for life in lives:
        if life.ended is None or life.ended < at:
            continue
        if life.code == -signal.SIGKILL and life.ended - at < EXPOSURE_SECONDS:
            return True
        return any(
            trouble.began - EXPOSURE_SECONDS <= at
            and life.ended <= trouble.over + EXPOSURE_SECONDS
            and any(_keeps_back(fault, server) for fault in trouble.faults)
            for trouble in troubles
        )
    return False


def _keeps_back(fault: Fault, server: str) -> bool:
    """Whether a server may not write its exposures because of it."""
    struck = fault.target == server and fault.kind.startswith(("kill", "freeze"))
    return struck or away(fault, "kafka", server)
