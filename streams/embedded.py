"""The embedded engine: the same handlers, in the serving process, with the database as the log.

Writers wait in a bounded queue. One thread takes what waits, up to a batch, and applies it in
one transaction (group commit), so that an event is durable *and* in the profile before its
request is answered, and a burst costs one disk flush instead of many. Items are encoded in a
thread of their own: encoding takes long and must not hold events back.
"""

import asyncio
import contextlib
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Generic, TypeVar

import msgspec

from clickwise import logs, metrics, tracing
from clickwise.clock import Clock, SystemClock
from clickwise.doors import Exposure, Verdict
from clickwise.errors import (
    ClickwiseError,
    InvalidInputError,
    OverloadedError,
    UnavailableError,
)
from clickwise.events import Event
from clickwise.ids import time_of
from clickwise.items import Item
from clickwise.merges import Merge
from clickwise.recommend.exposures import is_of
from clickwise.state.port import State
from clickwise.types import ItemId, UserId
from streams.handlers import Arrival, EventHandler
from streams.items import ItemHandler, apply_each
from streams.merging import MergeArrival
from streams.runs import runs

log = logs.get(__name__)
W = TypeVar("W")
R = TypeVar("R")

LARGEST_BATCH = 1_000
ITEMS_AT_ONCE = 32
QUEUED_ITEMS = 20_000
WRITTEN_WITHIN = timedelta(seconds=30)  # of the answer, unless the database was away for longer
FOUND_AT_ONCE = 1_000
_OUTCOMES = {
    "applied": Verdict.APPLIED,
    "stale": Verdict.APPLIED,
    "duplicate": Verdict.DUPLICATE,
    "redelivered": Verdict.DUPLICATE,
    "forgotten": Verdict.DUPLICATE,  # its user was erased: it has no effect any more
}


class _When(msgspec.Struct):
    """The part of an exposure that says when it was."""

    time: datetime


_when = msgspec.json.Decoder(_When)


@dataclass(slots=True)
class _Waiting(Generic[W, R]):
    """A request's share of the queue and the future that its handler awaits."""

    work: Sequence[W]
    done: "asyncio.Future[list[R]]"
    loop: asyncio.AbstractEventLoop
    trace: str | None


class _GroupCommit(Generic[W, R]):
    """A bounded queue and the one thread that empties it in batches."""

    def __init__(
        self, name: str, apply: Callable[[Sequence[W]], list[R]], *, batch: int, bound: int
    ) -> None:
        self._name = name
        self._apply = apply
        self._batch = batch
        self._bound = bound
        self._queue: deque[_Waiting[W, R]] = deque()
        self._queued = 0
        self._changed = threading.Condition()
        self._stopping = False
        self._thread = threading.Thread(target=self._run, name=f"clickwise-{name}", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """Apply what waits, then end."""
        with self._changed:
            self._stopping = True
            self._changed.notify()
        if self._thread.is_alive():
            self._thread.join()

    async def submit(self, work: Sequence[W]) -> list[R]:
        """Results of `work`, once its batch is committed."""
        if not work:
            return []
        loop = asyncio.get_running_loop()
        waiting: _Waiting[W, R] = _Waiting(work, loop.create_future(), loop, tracing.traceparent())
        with self._changed:
            if self._stopping:
                raise UnavailableError("shutting down")
            if self._queued + len(work) > self._bound:
                metrics.errors.labels("overloaded", self._name).inc()
                raise OverloadedError(
                    f"{self._queued} {self._name} wait already, at most {self._bound} may"
                )
            self._queue.append(waiting)
            self._queued += len(work)
            metrics.queue_length.labels(self._name).set(self._queued)
            self._changed.notify()
        return await waiting.done

    def _run(self) -> None:
        while True:
            with self._changed:
                while not self._queue and not self._stopping:
                    self._changed.wait()
                if not self._queue:
                    return
                taken = self._take()
            self._commit(taken)

    def _take(self) -> list[_Waiting[W, R]]:
        taken = [self._queue.popleft()]
        size = len(taken[0].work)
        while self._queue and size + len(self._queue[0].work) <= self._batch:
            taken.append(self._queue.popleft())
            size += len(taken[-1].work)
        self._queued -= size
        metrics.queue_length.labels(self._name).set(self._queued)
        return taken

    def _commit(self, taken: list[_Waiting[W, R]]) -> None:
        work = [one for waiting in taken for one in waiting.work]
        begun = time.time_ns()
        try:
            results = self._apply(work)
        except Exception as error:
            # One bad request must not fail the others; an outage fails them all alike, at once.
            if len(taken) > 1 and not isinstance(error, UnavailableError):
                for waiting in taken:
                    self._commit([waiting])
                return
            if not isinstance(error, ClickwiseError):
                log.exception("batch_failed", queue=self._name)
            metrics.errors.labels(getattr(error, "kind", "internal"), self._name).inc(len(taken))
            for waiting in taken:
                _settle(waiting, error)
            return
        step = tracing.Step(f"commit {self._name}", begun, time.time_ns())
        tracing.batch((waiting.trace for waiting in taken), step)
        begin = 0
        for waiting in taken:
            end = begin + len(waiting.work)
            _settle(waiting, results[begin:end])
            begin = end


def _settle(waiting: _Waiting[W, R], result: list[R] | Exception) -> None:
    """Give a result to its event loop; whoever stopped waiting does not get it."""

    def settle() -> None:
        if waiting.done.done():
            return
        if isinstance(result, Exception):
            waiting.done.set_exception(result)
        else:
            waiting.done.set_result(result)

    with contextlib.suppress(RuntimeError):  # the loop was closed
        waiting.loop.call_soon_threadsafe(settle)


class EmbeddedEngine:
    """EventDoor and ItemDoor in process."""

    def __init__(
        self,
        *,
        events: EventHandler,
        items: ItemHandler,
        clock: Clock,
        max_queued_events: int,
    ) -> None:
        self._handler = events
        self._item_handler = items
        self._clock = clock
        self._events: _GroupCommit[Arrival | MergeArrival, Verdict] = _GroupCommit(
            "events", self._apply_events, batch=LARGEST_BATCH, bound=max_queued_events
        )
        self._items: _GroupCommit[tuple[ItemId, Item | None], Verdict | InvalidInputError] = (
            _GroupCommit("items", self._apply_items, batch=ITEMS_AT_ONCE, bound=QUEUED_ITEMS)
        )

    async def start(self) -> None:
        """Start the two threads."""
        self._events.start()
        self._items.start()

    async def stop(self) -> None:
        """Apply what waits, then end."""
        loop = asyncio.get_running_loop()
        await loop.run_in_executor(None, self._events.stop)
        await loop.run_in_executor(None, self._items.stop)

    async def post(self, events: Sequence[Event]) -> list[Verdict]:
        """See EventDoor."""
        received = self._clock.now()
        return await self._events.submit([Arrival(event, received) for event in events])

    async def merge(self, merge: Merge) -> Verdict:
        """See EventDoor."""
        (verdict,) = await self._events.submit([MergeArrival(merge, self._clock.now())])
        return verdict

    async def put(self, items: Sequence[Item]) -> list[Verdict | InvalidInputError]:
        """See ItemDoor."""
        return await self._change([(item.id, item) for item in items])

    async def delete(self, items: Sequence[ItemId]) -> list[Verdict]:
        """See ItemDoor."""
        await self._change([(item, None) for item in items])
        return [Verdict.DELETED] * len(items)

    async def _change(
        self, changes: Sequence[tuple[ItemId, Item | None]]
    ) -> list[Verdict | InvalidInputError]:
        """In shares of a batch, so that a large import does not stand before a single item."""
        verdicts: list[Verdict | InvalidInputError] = []
        for begin in range(0, len(changes), ITEMS_AT_ONCE):
            verdicts += await self._items.submit(changes[begin : begin + ITEMS_AT_ONCE])
        return verdicts

    def _apply_events(self, work: Sequence[Arrival | MergeArrival]) -> list[Verdict]:
        outcomes: list[str] = []
        for run in runs(work):
            if isinstance(run, MergeArrival):
                outcomes.append(self._handler.merges.apply(run).outcome)
            else:
                outcomes += self._handler.apply(run).outcomes
        return [_OUTCOMES[outcome] for outcome in outcomes]

    def _apply_items(
        self, work: Sequence[tuple[ItemId, Item | None]]
    ) -> list[Verdict | InvalidInputError]:
        faults = apply_each(self._item_handler, work)
        return [fault if fault is not None else Verdict.APPLIED for fault in faults]


class EmbeddedExposureLog:
    """Writes exposures to the database, off the request path, a few times a second."""

    def __init__(self, *, state: State, bound: int = 10_000, every_seconds: float = 0.25) -> None:
        self._state = state
        self._bound = bound
        self._every_seconds = every_seconds
        self._waiting: deque[Exposure] = deque()
        self._searching = asyncio.Lock()
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run, name="clickwise-exposures", daemon=True)

    async def start(self) -> None:
        """Start the writing thread."""
        self._thread.start()

    async def stop(self) -> None:
        """Write what waits, then end."""
        self._stopped.set()
        await asyncio.get_running_loop().run_in_executor(None, self._thread.join)

    def add(self, exposure: Exposure) -> None:
        """See ExposureLog."""
        if len(self._waiting) >= self._bound:
            metrics.dropped.labels("exposures").inc()
            return
        self._waiting.append(exposure)

    async def find(self, request: str) -> bytes | None:
        """See ExposureLog; one search at a time, each reads a slice of time."""
        if self._searching.locked():
            raise OverloadedError("another list is being looked up: ask again in a moment")
        async with self._searching:
            return await asyncio.to_thread(self._find, request)

    def _find(self, request: str) -> bytes | None:
        made = time_of(request)
        if made is None:
            return None
        begin, end, after = made - timedelta(seconds=1), made + WRITTEN_WITHIN, 0
        while rows := self._state.exposures_received(begin, end, after=after, limit=FOUND_AT_ONCE):
            for row in rows:
                if is_of(row.body, request):
                    return row.body
            after = rows[-1].number
        return None

    def _run(self) -> None:
        while not self._stopped.wait(self._every_seconds):
            self._flush()
        self._flush()

    def _flush(self) -> None:
        metrics.queue_length.labels("exposures").set(len(self._waiting))
        while self._waiting:
            exposures = [self._waiting[i] for i in range(min(500, len(self._waiting)))]
            try:
                with self._state.write() as write:
                    notes = write.forgotten({UserId(one.user) for one in exposures})
                    bodies = [one.body for one in exposures if not _is_forgotten(one, notes)]
                    write.add_exposures(bodies, received=SystemClock().now())
            except ClickwiseError as error:
                metrics.errors.labels(error.kind, "exposures").inc()
                return
            for _ in exposures:
                self._waiting.popleft()


def _is_forgotten(exposure: Exposure, notes: Mapping[UserId, datetime]) -> bool:
    """True for what was shown to somebody before they were erased."""
    until = notes.get(UserId(exposure.user))
    return until is not None and _when.decode(exposure.body).time <= until
