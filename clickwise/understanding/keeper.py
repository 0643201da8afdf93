"""Keeps what is understood of items in step with the items: driven by state, not by offsets.

The newest items come first. What is to be looked at is kept as windows of the order of changes: one
for all that was there at the start, one more each time that something has changed; a window is
left once it holds nothing that is due. So an idle keeper reads one number, a crash loses nothing,
and another method (another fingerprint) makes everything anew from the next start on. An item that
is served by topics or a language that another method gave it gets those of this one, and counts as
understood once it is found by them: until then its row says `UNTOLD` in place of the methods.
"""

import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from threading import Event

import msgspec
import numpy as np

from clickwise import codec, logs, metrics
from clickwise.clock import Clock, SystemClock
from clickwise.errors import ClickwiseError, ConflictError, OverloadedError, UnavailableError
from clickwise.items import Item
from clickwise.leases import Lease
from clickwise.state.port import State
from clickwise.state.understandings import DueItem, StoredUnderstanding
from clickwise.types import ItemId, ItemKey, ModelVersion
from clickwise.understanding.duplicates import bands_of
from clickwise.understanding.putting_off import PutOff, Window
from clickwise.understanding.retelling import UNTOLD, Retold, TopicsDoor, retold
from clickwise.understanding.understander import Understander

# Few: a process that is to stop finishes them first.
ITEMS_AT_ONCE = 4
LOOK_SECONDS = 1.0
COUNT_SECONDS = 60.0
LONGEST_PAUSE_SECONDS = 30.0
# More windows than this are made one: those below hold little that is due.
_MAX_WINDOWS = 64
# Items whose topics another process gave by other methods since this one began: see `_may_retell`.
_MAX_CONTESTED = 10_000
_CRASHED = "failed"

_log = logs.get(__name__)
_items = msgspec.json.Decoder(Item)


@dataclass(frozen=True, slots=True)
class _Made:
    """What to store of an item, and the item with its topics where those are other ones.

    `waits`: it may be stored with topics that it is not found by yet.
    """

    id: ItemId
    row: StoredUnderstanding
    told: Retold | None
    waits: bool


class UnderstandingKeeper:
    """Understands what is due; owned by one thread. Of those over one database one works, by a
    lease; the others are there to follow it.
    """

    def __init__(
        self,
        *,
        state: State,
        understander: Understander,
        topics: TopicsDoor | None = None,
        clock: Clock | None = None,
    ) -> None:
        """`topics` takes items whose topics have changed; None: they keep those of receipt.
        `clock` is the machine's where none is given.
        """
        self._state = state
        self._topics = topics
        self._store = state.understandings
        self._understander = understander
        self._methods = understander.fingerprint
        self._model = ModelVersion(understander.encoder.version)
        self._windows: list[Window] = []
        clock = clock or SystemClock()
        self.lease = Lease(state.leases, "understanding", clock)
        self._put_off = PutOff(clock)
        self._seen = 0
        self._began: int | None = None
        self._contested: set[ItemKey] = set()
        self._counted = -COUNT_SECONDS

    def run(self, stop: Event) -> None:
        """Work until `stop` is set, through outages of the database."""
        pause = LOOK_SECONDS
        while not stop.is_set():
            try:
                done = self.step()
            except (ConflictError, OverloadedError, UnavailableError) as error:
                _log.warning("items_not_understood_yet", kind=error.kind, again_in_seconds=pause)
                metrics.errors.labels(error.kind, "understanding").inc()
                stop.wait(pause)
                pause = min(2 * pause, LONGEST_PAUSE_SECONDS)
                continue
            pause = LOOK_SECONDS
            if not done:
                stop.wait(LOOK_SECONDS)

    def step(self) -> int:
        """Understand a few of what is due, the newest; how many were looked at, 0: none is due, or
        another one does it.

        Raises:
            UnavailableError, OverloadedError: the database or a library does not answer now.
            ConflictError: another transaction was in the way.
        """
        if not self.lease.held():
            self._stand_by()
            return 0
        self._look()
        while self._windows:
            if looked := self._work(self._windows[-1], ITEMS_AT_ONCE):
                return looked
            self._windows.pop()
        while (window := self._put_off.window()) is not None:
            if looked := self._work(window, 1):
                return looked
            self._put_off.end_round()
        if self._put_off.is_empty:
            metrics.understanding_backlog.set(0)
        else:
            self._count()
        return 0

    def _work(self, window: Window, limit: int) -> int:
        """Understand the newest that are due in a window, and leave them; how many they were."""
        due = self._store.due(
            self._methods, self._model, after=window.after, until=window.until, limit=limit
        )
        if due:
            self._count()
            self._understand(due)
            window.until = due[-1].change - 1
        return len(due)

    def _stand_by(self) -> None:
        """Another one works: if this one's turn comes again, all is looked at anew."""
        if self._seen:
            self._windows.clear()
            self._seen = 0
            metrics.understanding_backlog.set(0)

    def _look(self) -> None:
        newest = self._state.newest_change()
        if self._began is None:
            self._began = newest
        if newest > self._seen:
            self._windows.append(Window(self._seen, newest))
            self._seen = newest
        if len(self._windows) > _MAX_WINDOWS:
            self._windows[:2] = [Window(self._windows[0].after, self._windows[1].until)]

    def _count(self) -> None:
        if time.monotonic() - self._counted >= COUNT_SECONDS:
            due = self._store.count_due(self._methods, after=0, until=self._seen)
            metrics.understanding_backlog.set(due)
            self._counted = time.monotonic()

    def _understand(self, due: Sequence[DueItem]) -> None:
        made = [self._made(one) for one in due]
        untold = [one for one in made if one.told is not None or one.waits]
        changes = self._retell(untold)
        if changes is None:  # they stay due, with what is understood of them for all to read
            for one in untold:
                self._put_off.add(one.row.change)
            made, changes = [one for one in made if one not in untold], {}
        rows = [replace(one.row, change=changes.get(one.row.key, one.row.change)) for one in made]
        stored = self._store.put(rows)
        for row in rows:
            outcome = "overtaken" if row.key not in stored else row.reason or "understood"
            metrics.understood_items.labels(outcome).inc()

    def _retell(self, untold: Sequence[_Made]) -> dict[ItemKey, int] | None:
        """Have items served by these topics; the changes that they have then, None: not now.

        They are marked before and count as understood afterwards: whatever ends this process
        between, they are due, and known to be perhaps stored and not indexed.
        """
        if self._topics is None or not untold:
            return {}
        told = {one.row.key: one.told for one in untold if one.told is not None}
        marks = [replace(one.row, methods=UNTOLD) for one in untold if one.row.key in told]
        marked = self._store.put(marks)
        if self._put_off.rests:
            return None
        try:
            changes = self._topics.put(
                [one for key, one in told.items() if key in marked],
                [one.id for one in untold if one.waits],
            )
        except ClickwiseError as error:
            if error.retryable:
                raise
            metrics.errors.labels(error.kind, "understanding").inc()
            _log.error("topics_not_served", kind=error.kind, reason=str(error))
            self._put_off.rest()
            with suppress(ClickwiseError):  # another process may be able to
                self.lease.release()
            return None
        metrics.retold_items.inc(len(changes))
        return changes

    def _may_retell(self, one: DueItem) -> bool:
        """Whether this process has a say in the item's topics.

        Two processes with other methods would go on correcting each other for ever. So what the
        other one has told since this one began is told otherwise once.
        """
        if one.understood != one.change or one.methods == UNTOLD:
            return True
        if self._began is None or one.change <= self._began:
            return True
        if one.key in self._contested or len(self._contested) >= _MAX_CONTESTED:
            return False
        self._contested.add(one.key)
        return True

    def _made(self, one: DueItem) -> _Made:
        """Understand one item; what cannot be is not tried again before it or a method changes.

        Raises:
            ClickwiseError: only one that a later try may get past.
        """
        started = time.perf_counter()
        reason, body, signature, told = "", b"", b"", None
        try:
            vector_D = np.frombuffer(one.vector, "<f4") if one.vector is not None else None
            item = _items.decode(one.body)
            understood = self._understander.understand(item, vector_D)
            body, signature = codec.encode(understood.understanding), understood.signature
            known = understood.understanding
            told = retold(item, known.topics, known.language, change=one.change)
        except (KeyboardInterrupt, SystemExit, MemoryError):
            raise
        except ClickwiseError as error:
            if error.retryable:
                raise
            reason = error.kind
        except BaseException as error:  # noqa: BLE001  # libraries in Rust panic outside Exception
            # No message and no traceback: they may hold the item's text.
            _log.error("item_not_understood", fault=type(error).__name__, change=one.change)
            reason = _CRASHED
        metrics.understanding_seconds.observe(time.perf_counter() - started)
        row = StoredUnderstanding(
            key=one.key,
            change=one.change,
            methods=self._methods,
            reason=reason,
            body=body,
            signature=signature,
            bands=bands_of(signature),
        )
        told = told if told is not None and self._may_retell(one) else None
        return _Made(one.id, row, told, waits=one.methods == UNTOLD)
