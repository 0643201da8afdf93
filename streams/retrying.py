"""A transaction is tried again from its start when somebody else wrote first."""

from collections.abc import Callable
from typing import TypeVar

from clickwise import metrics
from clickwise.errors import ConflictError

ATTEMPTS = 5
T = TypeVar("T")


def retried(attempt: Callable[[], T], handler: str) -> T:
    """What `attempt` gives.

    Raises:
        ConflictError: somebody else was first each time.
    """
    for _ in range(ATTEMPTS - 1):
        try:
            return attempt()
        except ConflictError:
            metrics.conflicts.labels(handler).inc()
    return attempt()
