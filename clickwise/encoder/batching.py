"""Texts of concurrent callers, encoded together by one thread.

Callers on any thread or event loop hand texts in; the thread takes what waits, up to one batch,
in turns: after each batch an unfinished job goes behind the others, so one new item never waits
for the thousand before it. What may wait is bounded; over the bound a caller is refused at once.

The thread asks the system for less of the processor than serving gets: requests come first.
"""

import asyncio
import contextlib
import os
import sys
import threading
import time
from collections import deque
from collections.abc import Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field

import numpy as np

from clickwise import metrics
from clickwise.encoder.port import TextEncoder
from clickwise.errors import OverloadedError, UnavailableError
from clickwise.vectors.port import Float32Array

_QUEUE = "encoder"
_NICENESS = 5


@dataclass(slots=True, eq=False)
class _Job:
    """One caller's texts; `taken` of them are in a batch or encoded."""

    texts: Sequence[str]
    vectors_ND: Float32Array
    done: Future[Float32Array]
    submitted: float = field(default_factory=time.perf_counter)
    taken: int = 0


@dataclass(frozen=True, slots=True)
class _Slice:
    """A job's part in one batch."""

    job: _Job
    start: int
    stop: int


class BatchingEncoder:
    """A TextEncoder around another one; `close` it.

    `batch` texts are encoded at once; at most `capacity` texts wait, or a single job of any
    size when nothing else does.
    """

    def __init__(self, encoder: TextEncoder, *, batch: int, capacity: int = 20_000) -> None:
        if batch < 1 or capacity < 1:
            raise ValueError(f"batch and capacity start at 1, got {batch} and {capacity}")
        self._encoder = encoder
        self._batch = batch
        self._capacity = capacity
        self._jobs: deque[_Job] = deque()
        self._waiting = 0
        self._closed = False
        self._changed = threading.Condition()
        self._gauge = metrics.queue_length.labels(_QUEUE)
        self._thread = threading.Thread(target=self._work, name="clickwise-encoder", daemon=True)
        self._thread.start()

    @property
    def version(self) -> str:
        """See TextEncoder."""
        return self._encoder.version

    @property
    def dimension(self) -> int:
        """See TextEncoder."""
        return self._encoder.dimension

    def encode(self, texts: Sequence[str]) -> Float32Array:
        """See TextEncoder; waits for its turn.

        Raises:
            OverloadedError: too many texts are waiting.
            UnavailableError: it is closed, or was closed meanwhile.
        """
        return self._submit(texts).result()

    async def encode_async(self, texts: Sequence[str]) -> Float32Array:
        """`encode` for an event loop; a cancelled call is not encoded if it has not begun."""
        return await asyncio.wrap_future(self._submit(texts))

    def close(self) -> None:
        """Finish the batch at work, refuse what waits, end the thread. May be repeated."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()
        if threading.current_thread() is not self._thread:
            self._thread.join()

    def _submit(self, texts: Sequence[str]) -> Future[Float32Array]:
        vectors_ND = np.empty((len(texts), self._encoder.dimension), np.float32)
        job = _Job(texts=texts, vectors_ND=vectors_ND, done=Future())
        if not texts:
            job.done.set_result(vectors_ND)
            return job.done
        with self._changed:
            if self._closed:
                raise UnavailableError("the encoder is closed")
            if self._waiting and self._waiting + len(texts) > self._capacity:
                raise OverloadedError(
                    f"{self._waiting} texts wait to be encoded, at most {self._capacity} may"
                )
            self._jobs.append(job)
            self._count(len(texts))
            self._changed.notify()
        return job.done

    def _work(self) -> None:
        if sys.platform == "linux":  # elsewhere this would slow the whole process
            with contextlib.suppress(OSError):
                os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), _NICENESS)
        while slices := self._next_batch():
            try:
                vectors_ND = self._encoder.encode(
                    [text for part in slices for text in part.job.texts[part.start : part.stop]]
                )
            except Exception as error:  # noqa: BLE001  # the thread's edge: the callers get it
                self._fail([part.job for part in slices], error)
                continue
            self._hand_out(slices, vectors_ND)
        with self._changed:
            left = list(self._jobs)
            self._jobs.clear()
        for job in left:
            if job.taken or job.done.set_running_or_notify_cancel():
                job.done.set_exception(UnavailableError("the encoder was closed"))
        self._count(-self._waiting)

    def _next_batch(self) -> list[_Slice]:
        """What is encoded next; empty when closed."""
        slices: list[_Slice] = []
        with self._changed:
            while not slices:
                self._changed.wait_for(lambda: bool(self._jobs) or self._closed)
                if self._closed:
                    return []
                slices = self._take()
        return slices

    def _take(self) -> list[_Slice]:
        """Up to one batch of waiting texts, in turns; the lock is held."""
        slices: list[_Slice] = []
        unfinished: list[_Job] = []
        free = self._batch
        while self._jobs and free:
            job = self._jobs.popleft()
            if not job.taken and not self._started(job):
                continue
            stop = min(job.taken + free, len(job.texts))
            slices.append(_Slice(job, job.taken, stop))
            free -= stop - job.taken
            self._count(job.taken - stop)
            job.taken = stop
            if stop < len(job.texts):
                unfinished.append(job)
        self._jobs.extend(unfinished)
        return slices

    def _started(self, job: _Job) -> bool:
        """Mark a job as begun; False if its caller has given up."""
        if not job.done.set_running_or_notify_cancel():
            self._count(-len(job.texts))
            return False
        waited = time.perf_counter() - job.submitted
        metrics.encoder_seconds.labels("queue").observe(waited)
        return True

    def _hand_out(self, slices: list[_Slice], vectors_ND: Float32Array) -> None:
        row = 0
        for part in slices:
            size = part.stop - part.start
            part.job.vectors_ND[part.start : part.stop] = vectors_ND[row : row + size]
            row += size
            if part.stop == len(part.job.texts):
                part.job.done.set_result(part.job.vectors_ND)

    def _fail(self, jobs: list[_Job], error: Exception) -> None:
        with self._changed:
            for job in jobs:
                if job in self._jobs:
                    self._jobs.remove(job)
                    self._count(job.taken - len(job.texts))
        for job in jobs:
            job.done.set_exception(error)

    def _count(self, change: int) -> None:
        """Keep the number of waiting texts; the lock is held, or the thread is alone."""
        self._waiting += change
        self._gauge.set(self._waiting)
