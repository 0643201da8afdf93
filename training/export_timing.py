"""How long a call takes on a machine that does other things too."""

import time
from collections.abc import Callable

_CALLS, _ROUNDS = 40, 7


def seconds_of(call: Callable[[], object]) -> float:
    """Seconds of one call: the best of seven rounds of forty, which others disturbed least."""
    call()
    best = float("inf")
    for _ in range(_ROUNDS):
        begun = time.perf_counter()
        for _ in range(_CALLS):
            call()
        best = min(best, time.perf_counter() - begun)
    return best / _CALLS
