"""An item index that knows every item: its vector and topic are drawn from its key.

The same in every process, with nothing to load: what a test of the streams needs of items.
"""

from collections.abc import Sequence

import numpy as np

from clickwise.types import ItemId, ItemKey, ModelVersion
from clickwise.vectors.port import (
    TOPICS_PER_ITEM,
    Float32Array,
    Hits,
    IndexedItem,
    Int64Array,
    ItemTable,
    Removed,
    Where,
)

NUM_TOPICS = 7


class HashedIndex:
    """See `clickwise.vectors.port.ItemIndex`; changes are counted, and otherwise ignored."""

    def __init__(self, *, dimension: int = 16, model: str = "hashed-1") -> None:
        self.model = ModelVersion(model)
        self.dimension = dimension
        self.changes = 0
        self._vectors: dict[int, Float32Array] = {}

    def apply(self, changes: Sequence[IndexedItem | Removed]) -> None:
        """See ItemIndex."""
        self.changes += len(changes)

    def search(self, queries_QD: Float32Array, *, limit: int, where: Where) -> list[Hits]:
        """Nothing is near: this index cannot list what it knows."""
        del limit, where
        nothing = Hits(np.empty(0, np.int64), np.empty(0, np.float32))
        return [nothing] * len(queries_QD)

    def lookup(self, keys: Sequence[int] | Int64Array) -> ItemTable:
        """See ItemIndex."""
        known = [int(key) for key in keys]
        topics_NT = np.zeros((len(known), TOPICS_PER_ITEM), np.int32)
        topics_NT[:, 0] = [1 + key % NUM_TOPICS for key in known]
        zeros = np.zeros(len(known))
        return ItemTable(
            keys_N=np.array(known, np.int64),
            vectors_ND=np.stack([self._vector(key) for key in known])
            if known
            else np.empty((0, self.dimension), np.float32),
            kinds_N=np.zeros(len(known), np.int16),
            languages_N=np.zeros(len(known), np.int32),
            topics_NT=topics_NT,
            published_N=zeros,
            expires_N=zeros + np.inf,
            hidden_N=np.zeros(len(known), np.bool_),
        )

    def labels(self, keys: Sequence[int]) -> dict[ItemKey, tuple[ItemId, str]]:
        """See ItemIndex; no item has a name here."""
        del keys
        return {}

    def newest(self, limit: int, *, now: float) -> Int64Array:
        """See ItemIndex; nothing can be listed."""
        del limit, now
        return np.empty(0, np.int64)

    def count(self) -> int:
        """See ItemIndex."""
        return 0

    def close(self) -> None:
        """See ItemIndex."""

    def _vector(self, key: int) -> Float32Array:
        vector = self._vectors.get(key)
        if vector is None:
            drawn = np.random.default_rng(key).standard_normal(self.dimension)
            vector = (drawn / np.linalg.norm(drawn)).astype(np.float32)
            self._vectors[key] = vector
        return vector
