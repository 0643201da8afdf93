"""An exact item index in memory: the plain reading of the port, for tests and for tuning.

Every answer comes from one matrix product over all items and a stable sort, so it is what an
approximate index should come close to.

Shape suffixes: Q = queries, N = items, D = embedding dimension, T = topics per item.
"""

from collections.abc import Sequence

import numpy as np

from clickwise.types import ItemId, ItemKey, ModelVersion
from clickwise.vectors.port import (
    TOPICS_PER_ITEM,
    BoolArray,
    Float32Array,
    Hits,
    IndexedItem,
    Int64Array,
    ItemTable,
    Removed,
    Where,
)


class ExactIndex:
    """See `clickwise.vectors.port.ItemIndex`. Not thread-safe: one owner."""

    def __init__(self, *, model: ModelVersion, dimension: int) -> None:
        self.model = model
        self.dimension = dimension
        self._items: dict[ItemKey, IndexedItem] = {}
        self._all: ItemTable | None = ItemTable.empty(dimension)

    def apply(self, changes: Sequence[IndexedItem | Removed]) -> None:
        """See ItemIndex."""
        for change in changes:
            if isinstance(change, Removed):
                self._items.pop(change.key, None)
                continue
            if change.vector_D.shape != (self.dimension,):
                raise ValueError(
                    f"item {change.id!a}: expected {self.dimension} numbers,"
                    f" got shape {change.vector_D.shape}"
                )
            self._items[change.key] = change
        self._all = None

    def search(self, queries_QD: Float32Array, *, limit: int, where: Where) -> list[Hits]:
        """See ItemIndex."""
        table = self._table()
        rows = np.flatnonzero(_allowed(table, where))
        found = []
        for query_D in queries_QD:
            scores_N = table.vectors_ND[rows] @ query_D
            best = np.argsort(-scores_N, kind="stable")[:limit]
            found.append(Hits(table.keys_N[rows[best]], scores_N[best].astype(np.float32)))
        return found

    def lookup(self, keys: Sequence[int] | Int64Array) -> ItemTable:
        """See ItemIndex."""
        table = self._table()
        wanted = np.asarray(keys, np.int64)
        if not len(table) or not len(wanted):
            return ItemTable.empty(self.dimension)
        places = np.searchsorted(table.keys_N, wanted)
        places[places == len(table)] = 0
        return table.take(places[table.keys_N[places] == wanted])

    def labels(self, keys: Sequence[int]) -> dict[ItemKey, tuple[ItemId, str]]:
        """See ItemIndex."""
        known = ((ItemKey(key), self._items.get(ItemKey(key))) for key in keys)
        return {key: (item.id, item.title) for key, item in known if item is not None}

    def newest(self, limit: int, *, now: float) -> Int64Array:
        """See ItemIndex."""
        table = self._table()
        rows = np.flatnonzero(_allowed(table, Where(now=now)))
        order = np.argsort(-table.published_N[rows], kind="stable")[:limit]
        return table.keys_N[rows[order]]

    def count(self) -> int:
        """See ItemIndex."""
        return len(self._items)

    def close(self) -> None:
        """See ItemIndex."""

    def _table(self) -> ItemTable:
        """All items in columns, in order of their keys; built anew after a change."""
        if self._all is None:
            items = [self._items[key] for key in sorted(self._items)]
            self._all = _columns(items) if items else ItemTable.empty(self.dimension)
        return self._all


def _columns(items: Sequence[IndexedItem]) -> ItemTable:
    topics_NT = np.zeros((len(items), TOPICS_PER_ITEM), np.int32)
    for row, item in enumerate(items):
        topics_NT[row, : len(item.topics)] = item.topics
    return ItemTable(
        keys_N=np.array([item.key for item in items], np.int64),
        vectors_ND=np.stack([item.vector_D for item in items]).astype(np.float32, copy=False),
        kinds_N=np.array([item.kind for item in items], np.int16),
        languages_N=np.array([item.language for item in items], np.int32),
        topics_NT=topics_NT,
        published_N=np.array([item.published for item in items], np.float64),
        expires_N=np.array([item.expires for item in items], np.float64),
        hidden_N=np.array([item.hidden for item in items], np.bool_),
    )


def _allowed(table: ItemTable, where: Where) -> BoolArray:
    allowed_N = ~table.hidden_N & (table.expires_N > where.now)
    if where.kinds:
        allowed_N &= np.isin(table.kinds_N, list(where.kinds))
    if where.languages:
        allowed_N &= np.isin(table.languages_N, list(where.languages))
    if where.topics:
        allowed_N &= np.isin(table.topics_NT, list(where.topics)).any(axis=1)
    if where.without:
        allowed_N &= ~np.isin(table.keys_N, list(where.without))
    return allowed_N
