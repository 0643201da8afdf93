"""Changed items in growable columns: what a reader adds to its generation, and what the
builder puts into the next one.

Putting is O(1) amortized: a row of the same item is overwritten in place, a freed row is used
again, and the columns double when full. Searching is exact: a matrix-vector product per query
over blocks of rows that stay in the cache (for two queries twice as fast as one product of
matrices, measured with OpenBLAS).

Shape suffixes: Q = queries, M = rows in use, D = embedding dimension, T = topics per item.
"""

import math

import numpy as np
from numpy.typing import NDArray

from clickwise.types import ItemId
from clickwise.vectors.matching import matches
from clickwise.vectors.port import (
    TOPICS_PER_ITEM,
    BoolArray,
    Float32Array,
    Float64Array,
    Hits,
    IndexedItem,
    Int64Array,
    ItemTable,
    Where,
)

_FIRST_ROWS = 64
_ROWS_IN_CACHE = 2_048
# The change number of a row whose writer did not give one: no generation is known to cover it.
UNNUMBERED = math.inf


class Delta:
    """Items put and removed, by key; the latest of each. Not thread-safe: its owner locks."""

    def __init__(self, dimension: int) -> None:
        self.dimension = dimension
        self.slots: dict[int, int] = {}
        self.removed: dict[int, float] = {}
        self.ids: list[ItemId] = []
        self.titles: list[str] = []
        self._free: list[int] = []
        self._used = 0
        self._allocate(_FIRST_ROWS)

    def _allocate(self, rows: int) -> None:
        self._keys = np.zeros(rows, np.int64)
        self._vectors = np.zeros((rows, self.dimension), np.float32)
        self._kinds = np.zeros(rows, np.int16)
        self._languages = np.zeros(rows, np.int32)
        self._topics = np.zeros((rows, TOPICS_PER_ITEM), np.int32)
        self._published = np.zeros(rows, np.float64)
        self._expires = np.zeros(rows, np.float64)
        self._hidden = np.zeros(rows, np.bool_)
        self._live = np.zeros(rows, np.bool_)
        self._changes = np.zeros(rows, np.float64)

    def _columns(self) -> tuple[NDArray[np.generic], ...]:
        return (
            self._keys, self._vectors, self._kinds, self._languages, self._topics,
            self._published, self._expires, self._hidden, self._live, self._changes,
        )  # fmt: skip

    def _grow(self) -> None:
        old = self._columns()
        self._allocate(2 * len(self._keys))
        for source, target in zip(old, self._columns(), strict=True):
            target[: len(source)] = source

    def __len__(self) -> int:
        """Items and removals held."""
        return len(self.slots) + len(self.removed)

    def check(self, item: IndexedItem) -> None:
        """Refuse what a search could not stand.

        Raises:
            ValueError: the vector is not of this index's dimension, or not finite.
        """
        if item.vector_D.shape != (self.dimension,) or not np.isfinite(item.vector_D).all():
            raise ValueError(
                f"item {item.id!a}: expected a finite vector of {self.dimension} numbers,"
                f" got shape {item.vector_D.shape}"
            )

    def put(self, item: IndexedItem, *, change: float) -> None:
        """Hold `item`, the newest of its key; `check` it before."""
        self.removed.pop(item.key, None)
        slot = self.slots.get(item.key)
        if slot is None:
            slot = self._slot_for(item.key)
        self._keys[slot] = item.key
        self._vectors[slot] = item.vector_D
        self._kinds[slot] = item.kind
        self._languages[slot] = item.language
        self._topics[slot] = 0
        self._topics[slot, : len(item.topics)] = item.topics
        self._published[slot] = item.published
        self._expires[slot] = item.expires
        self._hidden[slot] = item.hidden
        self._changes[slot] = change
        self._live[slot] = True
        self.ids[slot] = item.id
        self.titles[slot] = item.title

    def _slot_for(self, key: int) -> int:
        if self._free:
            slot = self._free.pop()
        else:
            if self._used == len(self._keys):
                self._grow()
            slot = self._used
            self._used += 1
            self.ids.append(ItemId(""))
            self.titles.append("")
        self.slots[key] = slot
        return slot

    def remove(self, key: int, *, change: float) -> None:
        """Forget an item and remember that it is gone."""
        slot = self.slots.pop(key, None)
        if slot is not None:
            self._live[slot] = False
            self._free.append(slot)
        self.removed[key] = change

    def newer_than(self, change: int) -> "Delta":
        """A new delta of what was written after `change`: the rest is in the generation."""
        kept = Delta(self.dimension)
        slots = self.sorted_slots()
        slots = slots[self._changes[slots] > change]
        kept._used = len(slots)
        kept._allocate(max(_FIRST_ROWS, len(slots)))
        for source, target in zip(self._columns(), kept._columns(), strict=True):
            target[: len(slots)] = source[slots]
        kept.slots = {key: slot for slot, key in enumerate(self._keys[slots].tolist())}
        kept.ids = [self.ids[slot] for slot in slots]
        kept.titles = [self.titles[slot] for slot in slots]
        kept.removed = {key: at for key, at in self.removed.items() if at > change}
        return kept

    def table(self, slots: Int64Array) -> ItemTable:
        """Copies of these rows."""
        return ItemTable(
            keys_N=self._keys[slots],
            vectors_ND=self._vectors[slots],
            kinds_N=self._kinds[slots],
            languages_N=self._languages[slots],
            topics_NT=self._topics[slots],
            published_N=self._published[slots],
            expires_N=self._expires[slots],
            hidden_N=self._hidden[slots],
        )

    def view(self) -> ItemTable:
        """The rows in use, freed ones included, not copied: read it before the next put."""
        used = slice(self._used)
        return ItemTable(
            keys_N=self._keys[used],
            vectors_ND=self._vectors[used],
            kinds_N=self._kinds[used],
            languages_N=self._languages[used],
            topics_NT=self._topics[used],
            published_N=self._published[used],
            expires_N=self._expires[used],
            hidden_N=self._hidden[used],
        )

    def sorted_slots(self) -> Int64Array:
        """Rows of the items held, in order of their keys."""
        slots = np.fromiter(self.slots.values(), np.int64, len(self.slots))
        return slots[np.argsort(self._keys[slots])]

    def search(self, queries_QD: Float32Array, *, limit: int, where: Where) -> list[Hits]:
        """Exact nearest items, for each query up to `limit`, best first."""
        slots = np.flatnonzero(self._allowed(where))
        if not len(slots):
            return []
        found = []
        for scores_M in self._scores(queries_QD):
            scores = scores_M[slots]
            best = np.arange(len(scores))
            if len(scores) > limit:
                best = np.argpartition(scores, len(scores) - limit)[-limit:]
            best = best[np.argsort(-scores[best], kind="stable")]
            found.append(Hits(self._keys[slots[best]], scores[best]))
        return found

    def _scores(self, queries_QD: Float32Array) -> Float32Array:
        scores_QM = np.empty((len(queries_QD), self._used), np.float32)
        for start in range(0, self._used, _ROWS_IN_CACHE):
            part = slice(start, min(start + _ROWS_IN_CACHE, self._used))
            for query_D, scores_M in zip(queries_QD, scores_QM, strict=True):
                np.dot(self._vectors[part], query_D, out=scores_M[part])
        return scores_QM

    def newest(self, limit: int, *, now: float) -> tuple[Int64Array, Float64Array]:
        """Keys and publication times of the newest items that can be shown, in no order."""
        slots = np.flatnonzero(self._allowed(Where(now=now)))
        published = self._published[slots]
        if len(slots) > limit:
            newest = np.argpartition(published, len(slots) - limit)[len(slots) - limit :]
            slots, published = slots[newest], published[newest]
        return self._keys[slots], published

    def _allowed(self, where: Where) -> BoolArray:
        used = slice(self._used)
        allowed_M = self._live[used] & ~self._hidden[used] & (self._expires[used] > where.now)
        matches(
            allowed_M,
            where,
            kinds_N=self._kinds[used],
            languages_N=self._languages[used],
            topics_NT=self._topics[used],
        )
        for key in where.without & self.slots.keys():
            allowed_M[self.slots[key]] = False
        return allowed_M
