"""The item index in process: a generation of Qdrant Edge plus a delta that every call covers.

Each serving process has one. `apply` puts changes into the delta, so they are findable when it
returns; the builder (`builder`) makes the next generation elsewhere, and `refresh` swaps to
it. A process that starts opens the newest sound generation and is `covered` up to its change
number; the catalog's sync applies the rest.

Calls may come from several threads; they take turns (the engine holds the interpreter's lock
anyway).

Shape suffixes: Q = queries, N = items, D = embedding dimension.
"""

import time
from collections.abc import Sequence
from pathlib import Path
from threading import RLock

import numpy as np

from clickwise import logs, metrics
from clickwise.errors import BundleError
from clickwise.types import ItemId, ItemKey, ModelVersion
from clickwise.vectors.delta import UNNUMBERED, Delta
from clickwise.vectors.edge_generation import Generation
from clickwise.vectors.generations import Generations
from clickwise.vectors.port import (
    Float32Array,
    Hits,
    IndexedItem,
    Int64Array,
    ItemTable,
    Removed,
    Where,
)
from clickwise.vectors.tables import joined, merged, no_hits

_log = logs.get(__name__)
_OPEN_ATTEMPTS = 5


class EdgeIndex:
    """Implements `ItemIndex`; open it with `EdgeIndex.open`."""

    def __init__(
        self, generations: Generations, dimension: int, *, check_interval_seconds: float
    ) -> None:
        self._generations = generations
        self._dimension = dimension
        self._check_interval_seconds = check_interval_seconds
        self._next_check = 0.0
        self._stamp = generations.stamp()
        self._lock = RLock()
        self._delta = Delta(dimension)
        self._generation = _open_newest(generations, dimension)
        self._covered = self._generation_covers()
        self._report()

    @classmethod
    def open(
        cls,
        root: Path,
        model: ModelVersion,
        dimension: int,
        *,
        check_interval_seconds: float = 0.2,
    ) -> "EdgeIndex":
        """Open the index of `model` in `root`; nothing has to be there yet.

        Raises:
            ConfigurationError: what is there has another dimension.
        """
        return cls(
            Generations(root, model), dimension, check_interval_seconds=check_interval_seconds
        )

    @property
    def model(self) -> ModelVersion:
        """See ItemIndex."""
        return self._generations.model

    @property
    def dimension(self) -> int:
        """See ItemIndex."""
        return self._dimension

    @property
    def covered(self) -> int:
        """The item `change` up to which this index holds everything."""
        return self._covered

    @property
    def delta_size(self) -> int:
        """Items and removals that the generation does not hold."""
        return len(self._delta)

    @property
    def generation(self) -> int:
        """Number of the generation in use; 0 before the first."""
        return self._generation.manifest.number if self._generation else 0

    def apply(
        self, changes: Sequence[IndexedItem | Removed], *, through: int | None = None
    ) -> None:
        """See ItemIndex. `through` says that with these, all changes up to it are applied.

        Changes up to `covered` have no effect. Without `through` they stay
        in the delta for as long as this index lives: no generation is known to hold them.

        Raises:
            ValueError: a vector of another dimension; nothing was applied.
        """
        with self._lock:
            if through is not None and through <= self._covered:
                return  # another thread read them too, and later ones may be in already
            for each in changes:
                if isinstance(each, IndexedItem):
                    self._delta.check(each)
            change = UNNUMBERED if through is None else through
            for each in changes:
                if isinstance(each, Removed):
                    self._delta.remove(each.key, change=change)
                else:
                    self._delta.put(each, change=change)
            if self._generation is not None:
                self._generation.override(each.key for each in changes)
            if through is not None:
                self._covered = max(self._covered, through)
            self._report()

    def search(self, queries_QD: Float32Array, *, limit: int, where: Where) -> list[Hits]:
        """See ItemIndex.

        Raises:
            ValueError: queries of another dimension, or a limit below 1.
        """
        queries_QD = np.asarray(queries_QD, np.float32)
        if queries_QD.ndim != 2 or queries_QD.shape[1] != self._dimension or limit < 1:
            raise ValueError(
                f"expected queries of shape (Q, {self._dimension}) and a limit from 1,"
                f" got {queries_QD.shape} and {limit}"
            )
        with self._lock:
            fresh = self._delta.search(queries_QD, limit=limit, where=where)
            if self._generation is None:
                return fresh or [no_hits()] * len(queries_QD)
            found = self._generation.search(queries_QD, limit=limit, where=where, delta=self._delta)
        if not fresh:
            return found
        return [merged(*pair, limit=limit) for pair in zip(found, fresh, strict=True)]

    def lookup(self, keys: Sequence[int] | Int64Array) -> ItemTable:
        """See ItemIndex."""
        keys_M = np.asarray(keys, np.int64)
        with self._lock:
            if self._generation is None:
                rows_M, known_M = np.zeros(len(keys_M), np.int64), np.zeros(len(keys_M), np.bool_)
            else:
                rows_M, known_M = self._generation.rows(keys_M)
            if self._generation is not None and (not self._delta.slots or known_M.all()):
                return self._generation.table(rows_M[known_M])
            slots_M = np.fromiter(
                (self._delta.slots.get(key, -1) for key in keys_M.tolist()), np.int64, len(keys_M)
            )
            fresh_M = slots_M >= 0
            fresh = self._delta.table(slots_M[fresh_M])
            if self._generation is None or not known_M.any():
                return fresh
            return joined(
                self._generation.table(rows_M[known_M]), fresh, fresh_M[known_M | fresh_M]
            )

    def labels(self, keys: Sequence[int]) -> dict[ItemKey, tuple[ItemId, str]]:
        """See ItemIndex."""
        found: dict[ItemKey, tuple[ItemId, str]] = {}
        if not len(keys):
            return found
        with self._lock:
            delta = self._delta
            if self._generation is not None:
                rows, known = self._generation.rows(np.asarray(keys, np.int64))
                for key, row, here in zip(keys, rows.tolist(), known.tolist(), strict=True):
                    if here:
                        found[ItemKey(int(key))] = self._generation.label(row)
            for key in keys:
                slot = delta.slots.get(int(key))
                if slot is not None:
                    found[ItemKey(int(key))] = delta.ids[slot], delta.titles[slot]
        return found

    def newest(self, limit: int, *, now: float) -> Int64Array:
        """See ItemIndex."""
        with self._lock:
            keys, published = self._delta.newest(limit, now=now)
            if self._generation is not None:
                old_keys, old_published = self._generation.newest(limit, now=now)
                keys = np.concatenate([keys, old_keys])
                published = np.concatenate([published, old_published])
        order: Int64Array = np.lexsort((keys, -published))[:limit]
        return keys[order]

    def count(self) -> int:
        """See ItemIndex."""
        with self._lock:
            old = self._generation.count() if self._generation else 0
            return old + len(self._delta.slots)

    def refresh(self) -> bool:
        """Swap to a newer generation if there is one; True when it did.

        Cheap (a `stat`, at most once per check interval). The swap itself happens in the
        calling thread and pauses the whole process for as long as the engine opens the files:
        0.1 to 0.3 s at 100,000 x 384. Readers of one folder take turns, so they do not pause
        together; who is not on turn tries again at the next check.
        """
        now = time.monotonic()
        if now < self._next_check:
            return False
        self._next_check = now + self._check_interval_seconds
        stamp = self._generations.stamp()
        if stamp is None or stamp == self._stamp:
            return False
        with self._generations.swapping() as my_turn:
            return my_turn and self._swap()

    def _swap(self) -> bool:
        for _ in range(_OPEN_ATTEMPTS):
            self._stamp = self._generations.stamp()
            number = self._generations.current()
            if number is None or number == self.generation:
                return False
            try:
                newer = Generation.open(self._generations, number, self._dimension)
            except BundleError as error:
                # Perhaps the builder has just removed it: then CURRENT names another one.
                if self._generations.current() != number:
                    continue
                metrics.errors.labels(error.kind, "vectors").inc()
                _log.exception("generation not usable", model=self.model, generation=number)
                return False
            self._replace(newer)
            return True
        return False

    def _replace(self, newer: Generation) -> None:
        with self._lock:
            older, self._generation = self._generation, newer
            self._delta = self._delta.newer_than(newer.manifest.covered)
            newer.override(self._delta.slots)
            newer.override(self._delta.removed)
            self._covered = max(self._covered, newer.manifest.covered)
            if older is not None:
                older.close()
            self._report()
        _log.info(
            "generation swapped",
            model=self.model,
            generation=self.generation,
            items=self.count(),
            delta=len(self._delta),
        )

    def _generation_covers(self) -> int:
        return self._generation.manifest.covered if self._generation else 0

    def _report(self) -> None:
        metrics.items.set(self.count())
        metrics.index_delta.set(len(self._delta))
        metrics.index_generation.set(self.generation)

    def close(self) -> None:
        """See ItemIndex."""
        with self._lock:
            if self._generation is not None:
                self._generation.close()
                self._generation = None
            self._delta = Delta(self._dimension)


def _open_newest(generations: Generations, dimension: int) -> Generation | None:
    """The live generation, or the next sound one; what it lacks comes back as changes."""
    for _ in range(_OPEN_ATTEMPTS):
        current = generations.current()
        for number in generations.in_order_of_trust():
            try:
                return Generation.open(generations, number, dimension)
            except BundleError:
                metrics.errors.labels(BundleError.kind, "vectors").inc()
                _log.exception("generation not usable", model=generations.model, generation=number)
        if generations.current() == current:
            return None
    return None
