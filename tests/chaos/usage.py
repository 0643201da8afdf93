"""Memory, file handles and threads of processes over time. Whether they grow: `growth`."""

import os
import statistics
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path

import msgspec

from clickwise.bench.memory import descendants

EVERY_SECONDS = 1.0
WARM_SECONDS = 30.0  # of a life, that no trend counts: it loads what it will hold
_PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")


class Sample(msgspec.Struct, frozen=True):
    """One look at a process and its children; `at` in seconds of its life.

    `own_bytes`: what of the memory is no page of a file, which could be mapped by others, too, or
    be dropped by the kernel.
    """

    at: float
    memory_bytes: int
    own_bytes: int
    handles: int
    threads: int


class Trend(msgspec.Struct, frozen=True, kw_only=True):
    """A figure at the start and end of the longest life, and its slope (least squares)."""

    start: float
    end: float
    per_hour: float


class ProcessUsage(msgspec.Struct, frozen=True, kw_only=True):
    """Of the longest life of a process: trends without its first half minute (`samples` 0: too
    short), and all of its minutes, each the median of its samples.
    """

    lives: int
    seconds: float
    samples: int
    minutes: tuple[Sample, ...]
    memory_bytes: Trend
    own_bytes: Trend
    handles: Trend
    threads: Trend


class Watcher:
    """Looks at processes each second, in a thread, between `start` and `stop`."""

    def __init__(self, pids: Callable[[], dict[str, int]]) -> None:
        """`pids`: those that run now, by name."""
        self._pids = pids
        self._samples: dict[str, dict[int, list[Sample]]] = {}
        self._began: dict[int, float] = {}
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> dict[str, ProcessUsage]:
        self._over.set()
        self._thread.join()
        return {name: usage_of(list(lives.values())) for name, lives in self._samples.items()}

    def _run(self) -> None:
        while not self._over.wait(EVERY_SECONDS):
            now = time.monotonic()
            for name, pid in self._pids().items():
                began = self._began.setdefault(pid, now)
                with suppress(OSError, ValueError):
                    sample = look(pid, now - began)
                    self._samples.setdefault(name, {}).setdefault(pid, []).append(sample)


def look(pid: int, at: float) -> Sample:
    """At a process and all that it started. OSError: it has ended."""
    memory = own = handles = threads = 0
    for one in descendants(pid):
        folder = Path(f"/proc/{one}")
        _, resident, of_files, *_ = map(int, (folder / "statm").read_text().split())
        memory += resident * _PAGE_BYTES
        own += (resident - of_files) * _PAGE_BYTES
        handles += len(list((folder / "fd").iterdir()))
        threads += len(list((folder / "task").iterdir()))
    return Sample(at, memory, own, handles, threads)


def usage_of(lives: Sequence[Sequence[Sample]]) -> ProcessUsage:
    """Of the longest of these lives."""
    longest = max(lives, key=lambda life: life[-1].at)
    warm = [sample for sample in longest if sample.at >= WARM_SECONDS]
    return ProcessUsage(
        lives=len(lives),
        seconds=round(longest[-1].at, 1),
        samples=len(warm),
        minutes=by_minute(longest),
        memory_bytes=trend([(s.at, s.memory_bytes) for s in warm]),
        own_bytes=trend([(s.at, s.own_bytes) for s in warm]),
        handles=trend([(s.at, s.handles) for s in warm]),
        threads=trend([(s.at, s.threads) for s in warm]),
    )


def by_minute(life: Sequence[Sample]) -> tuple[Sample, ...]:
    """The median of each minute that has any samples; `at` is where the minute begins."""
    minutes: dict[int, list[Sample]] = {}
    for sample in life:
        minutes.setdefault(int(sample.at // 60), []).append(sample)
    return tuple(
        msgspec.structs.replace(middle(samples), at=60.0 * minute)
        for minute, samples in sorted(minutes.items())
    )


def middle(samples: Sequence[Sample]) -> Sample:
    """The median of each figure."""
    return Sample(
        at=samples[0].at,
        memory_bytes=statistics.median_low(s.memory_bytes for s in samples),
        own_bytes=statistics.median_low(s.own_bytes for s in samples),
        handles=statistics.median_low(s.handles for s in samples),
        threads=statistics.median_low(s.threads for s in samples),
    )


def trend(points: Sequence[tuple[float, float]]) -> Trend:
    """Start and end are means of the first and last tenth; times in seconds."""
    if len(points) < 2:
        return Trend(start=0.0, end=0.0, per_hour=0.0)
    tenth = max(1, len(points) // 10)
    mean_time = sum(at for at, _ in points) / len(points)
    mean = sum(value for _, value in points) / len(points)
    spread = sum((at - mean_time) ** 2 for at, _ in points)
    slope = sum((at - mean_time) * (value - mean) for at, value in points) / spread
    return Trend(
        start=round(sum(value for _, value in points[:tenth]) / tenth, 1),
        end=round(sum(value for _, value in points[-tenth:]) / tenth, 1),
        per_hour=round(3_600 * slope, 1),
    )
