"""Whether memory, handles or threads of a long life grow: its level early against that late.

A process takes more in its first minutes whatever it does: it imports, fills caches, opens its
connections, and its allocator finds its size. So a life is judged by what comes after them, and
only when enough does. A level is a median of minutes, each a median of its seconds: neither a
freeze nor a child that starts anew, nor a queue that a fault has filled for a while, moves it.

A bound is what comes and goes in a system that does not leak, with room to spare, as two runs of an
hour showed it.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from tests.chaos.usage import ProcessUsage, Sample, middle

YOUNG_SECONDS = 600.0  # of a life, that are not judged
JUDGED_SECONDS = 900.0  # after them, at least
LONG_RUN_SECONDS = 3_000.0  # of a run, in which each sort of process has to have lived that long
_PARTS = 5  # of what is judged; levels are those of the first and the last


@dataclass(frozen=True, slots=True)
class Bound:
    """How much more of a figure is still none."""

    name: str
    figure: str
    most: float
    unit: float = 1.0
    unit_name: str = ""


BOUNDS = (
    # In half an hour a server's level moved by 1 MB and a worker's by 7, single minutes by 10.
    # 24 MB are less than 200 bytes kept of each event and list of three quarters of an hour.
    Bound("own memory", "own_bytes", 24e6, 1e6, " MB"),
    # Edge's log is 33 MB, mapped once or twice by each of two processes while the index is swapped.
    Bound("memory", "memory_bytes", 100e6, 1e6, " MB"),
    # Connections that a fault has cut are made anew beside those that are not yet found dead. A
    # dozen is less than one for each of the times that a service goes away in an hour.
    Bound("handles", "handles", 12),
    # Pools that have their size after the first minutes.
    Bound("threads", "threads", 4),
)


def judged_seconds(use: ProcessUsage) -> float | None:
    """How much of the longest life is judged; None: it is too short."""
    judged = _judged(use.minutes)
    return judged[-1].at + 60.0 - judged[0].at if judged else None


def growth(use: ProcessUsage) -> list[str]:
    """What has grown beyond its bound, in words; nothing of a life that is too short."""
    judged = _judged(use.minutes)
    if not judged:
        return []
    part = len(judged) // _PARTS
    early, late = middle(judged[:part]), middle(judged[-part:])
    found = []
    for bound in BOUNDS:
        before, after = getattr(early, bound.figure), getattr(late, bound.figure)
        if after - before > bound.most:
            found.append(
                f"{bound.name} from {before / bound.unit:.0f} to {after / bound.unit:.0f}"
                f"{bound.unit_name} (flat: up to {bound.most / bound.unit:.0f} more)"
            )
    return found


def growth_problems(usage: Mapping[str, ProcessUsage], *, seconds: float) -> list[str]:
    """Who has grown in a run of so many seconds, and in a long one who could not be judged."""
    found = []
    for name, use in usage.items():
        judged = judged_seconds(use)
        if judged is not None:
            found += [f"{name} grows, in {judged / 60:.0f} min: {what}" for what in growth(use)]
    if seconds < LONG_RUN_SECONDS:
        return found
    old = {_sort(name) for name, use in usage.items() if judged_seconds(use) is not None}
    young = sorted({_sort(name) for name in usage} - old)
    return found + [f"no {sort} has lived long enough to tell whether it grows" for sort in young]


def verdict(use: ProcessUsage) -> str:
    """In a word or two, for a table."""
    judged = judged_seconds(use)
    if judged is None:
        return "too young"
    return f"{'GROWS' if growth(use) else 'flat'}, {judged / 60:.0f} min"


def _judged(minutes: Iterable[Sample]) -> Sequence[Sample]:
    old = [one for one in minutes if one.at >= YOUNG_SECONDS]
    long = len(old) >= _PARTS and old[-1].at + 60.0 - old[0].at >= JUDGED_SECONDS
    return old if long else []


def _sort(name: str) -> str:
    """`serve` of `serve-a`."""
    return name.rpartition("-")[0]
