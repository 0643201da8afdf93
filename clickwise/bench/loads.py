"""Starts load generators as processes and reads what they measured."""

import os
import signal
import subprocess
import sys
from dataclasses import dataclass
from types import TracebackType
from typing import Self

import msgspec
import numpy as np

from clickwise.bench.load import PATIENCE_SECONDS, Plan, Result
from clickwise.vectors.port import Float64Array


class LoadFailedError(RuntimeError):
    """Requests failed, or answers were not what was asked for: the figures mean nothing."""


@dataclass(frozen=True, slots=True)
class Measured:
    """Right answers of one run, in the order in which they came. `ends`: monotonic seconds."""

    ends_N: Float64Array
    latencies_N: Float64Array
    window_seconds: float
    without_note: int
    cpu_seconds: float

    @property
    def per_second(self) -> float:
        """Answers a second while requests were sent."""
        return len(self.ends_N) / self.window_seconds if self.window_seconds > 0 else 0.0

    def between(self, start: float, end: float) -> Float64Array:
        """Latencies of requests that were under way at some moment from `start` to `end`."""
        began_N = self.ends_N - self.latencies_N
        return self.latencies_N[(self.ends_N >= start) & (began_N <= end)]


class Load:
    """A load generator that runs; killed at the end of the `with` block if it still does."""

    def __init__(self, plan: Plan) -> None:
        self._plan = plan
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "clickwise.bench.load"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env={**os.environ, "OMP_NUM_THREADS": "1"},
        )
        given = self._process.stdin
        assert given is not None  # noqa: S101  # it is a pipe
        given.write(msgspec.msgpack.encode(self._plan))
        given.close()
        return self

    def stop(self) -> None:
        """Let it send nothing more."""
        if self._process is not None:
            self._process.send_signal(signal.SIGTERM)

    def result(self) -> Measured:
        """Wait for its end.

        Raises:
            LoadFailedError: an answer was wrong or missing.
        """
        process = self._process
        assert process is not None  # noqa: S101  # used inside the block
        assert process.stdout is not None  # noqa: S101  # it is a pipe
        raw = process.stdout.read()
        patience = self._plan.warmup_seconds + self._plan.seconds + 2 * PATIENCE_SECONDS
        if process.wait(patience):
            raise LoadFailedError(f"the load generator ended with code {process.returncode}")
        result = msgspec.msgpack.decode(raw, type=Result)
        if result.failures:
            raise LoadFailedError(f"{result.failures} requests failed: {result.first_failure}")
        return Measured(
            ends_N=np.frombuffer(result.ends, np.float64),
            latencies_N=np.frombuffer(result.latencies, np.float64),
            window_seconds=result.window_seconds,
            without_note=result.without_note,
            cpu_seconds=result.cpu_seconds,
        )

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        process = self._process
        if process is None:
            return
        if process.poll() is None:
            process.kill()
            process.wait()
        if process.stdout is not None:
            process.stdout.close()


def measure(plan: Plan) -> Measured:
    """Run a plan to its end in a process of its own.

    Raises:
        LoadFailedError: an answer was wrong or missing.
    """
    with Load(plan) as load:
        return load.result()
