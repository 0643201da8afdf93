"""The item index: vectors of one model version and the facts that ranking needs.

Two implementations, one contract suite (`tests/contracts/test_item_index.py`): Qdrant Edge in
process (`edge`) and a Qdrant server (`server`).

Shape suffixes: Q = queries, N = items, D = embedding dimension, T = topics per item,
P = dimension of picture vectors.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from clickwise.types import ItemId, ItemKey, ModelVersion, TopicCode

Float32Array = NDArray[np.float32]
Float64Array = NDArray[np.float64]
Int64Array = NDArray[np.int64]
Int32Array = NDArray[np.int32]
Int16Array = NDArray[np.int16]
BoolArray = NDArray[np.bool_]

TOPICS_PER_ITEM = 8


@dataclass(frozen=True, slots=True)
class Picture:
    """The vector (P,) of an item's picture, of unit length, float32, and the model it is of."""

    model: ModelVersion
    vector_P: Float32Array


@dataclass(frozen=True, slots=True)
class IndexedItem:
    """One item as the index keeps it.

    `vector_D` has unit length, float32. `language` and `topics` are codes (`topic_code`), 0
    for none. Times are seconds since 1970; `expires` is +inf when it never does. `picture` is
    there until a model's tower has read it (`rows.projected`); an index does not keep it.
    """

    key: ItemKey
    id: ItemId
    title: str
    vector_D: Float32Array
    kind: int
    language: int
    topics: tuple[TopicCode, ...]
    published: float
    expires: float
    hidden: bool
    picture: Picture | None = None


@dataclass(frozen=True, slots=True)
class Removed:
    """A deletion: nothing that the index answers may hold `key` any more."""

    key: ItemKey


@dataclass(frozen=True, slots=True)
class ItemTable:
    """N items in columns, in the order asked for; what is not known is not in it."""

    keys_N: Int64Array
    vectors_ND: Float32Array
    kinds_N: Int16Array
    languages_N: Int32Array
    topics_NT: Int32Array
    published_N: Float64Array
    expires_N: Float64Array
    hidden_N: BoolArray

    def __len__(self) -> int:
        return len(self.keys_N)

    def take(self, rows: NDArray[np.intp]) -> "ItemTable":
        """Some rows, in the order of `rows`."""
        return ItemTable(
            keys_N=self.keys_N[rows],
            vectors_ND=self.vectors_ND[rows],
            kinds_N=self.kinds_N[rows],
            languages_N=self.languages_N[rows],
            topics_NT=self.topics_NT[rows],
            published_N=self.published_N[rows],
            expires_N=self.expires_N[rows],
            hidden_N=self.hidden_N[rows],
        )

    def part(self, begin: int, end: int) -> "ItemTable":
        """Rows from `begin` up to `end`, without copying."""
        return ItemTable(
            self.keys_N[begin:end],
            self.vectors_ND[begin:end],
            self.kinds_N[begin:end],
            self.languages_N[begin:end],
            self.topics_NT[begin:end],
            self.published_N[begin:end],
            self.expires_N[begin:end],
            self.hidden_N[begin:end],
        )

    @classmethod
    def joined(cls, first: "ItemTable", second: "ItemTable") -> "ItemTable":
        """The rows of both."""
        return cls(
            np.concatenate([first.keys_N, second.keys_N]),
            np.concatenate([first.vectors_ND, second.vectors_ND]),
            np.concatenate([first.kinds_N, second.kinds_N]),
            np.concatenate([first.languages_N, second.languages_N]),
            np.concatenate([first.topics_NT, second.topics_NT]),
            np.concatenate([first.published_N, second.published_N]),
            np.concatenate([first.expires_N, second.expires_N]),
            np.concatenate([first.hidden_N, second.hidden_N]),
        )

    @classmethod
    def empty(cls, dimension: int) -> "ItemTable":
        """No items."""
        return cls(
            keys_N=np.zeros(0, np.int64),
            vectors_ND=np.zeros((0, dimension), np.float32),
            kinds_N=np.zeros(0, np.int16),
            languages_N=np.zeros(0, np.int32),
            topics_NT=np.zeros((0, TOPICS_PER_ITEM), np.int32),
            published_N=np.zeros(0, np.float64),
            expires_N=np.zeros(0, np.float64),
            hidden_N=np.zeros(0, np.bool_),
        )


@dataclass(frozen=True, slots=True)
class Where:
    """What a search may return. Empty collections do not restrict; `topics` means any of them.

    Hidden items, and those expired at `now` (seconds since 1970), never come back.
    """

    now: float
    kinds: frozenset[int] = frozenset()
    languages: frozenset[int] = frozenset()
    topics: frozenset[int] = frozenset()
    without: frozenset[ItemKey] = frozenset()

    @property
    def restricts(self) -> bool:
        """True when a plain search, filtered afterwards, could come back nearly empty."""
        return bool(self.kinds or self.languages or self.topics or len(self.without) > 500)


@dataclass(frozen=True, slots=True)
class Hits:
    """The items nearest to one query, best first; `scores_N` are dot products."""

    keys_N: Int64Array
    scores_N: Float32Array


class ItemIndex(Protocol):
    """Port to the vector store. Calls raise UnavailableError when it does not answer."""

    @property
    def model(self) -> ModelVersion:
        """The model whose vectors these are."""
        ...

    @property
    def dimension(self) -> int:
        """D."""
        ...

    def apply(self, changes: Sequence[IndexedItem | Removed]) -> None:
        """Put or remove items; a search that starts after the return sees all of it.

        Idempotent. In order: of two changes of one item the later wins.
        """
        ...

    def search(self, queries_QD: Float32Array, *, limit: int, where: Where) -> list[Hits]:
        """For each query up to `limit` nearest items that `where` allows, best first."""
        ...

    def lookup(self, keys: Sequence[int] | Int64Array) -> ItemTable:
        """The items with these keys, in this order, unknown and removed ones left out.

        Hidden and expired items are included: profiles are built from them too.
        """
        ...

    def labels(self, keys: Sequence[int]) -> dict[ItemKey, tuple[ItemId, str]]:
        """Id and title of the items that are known."""
        ...

    def newest(self, limit: int, *, now: float) -> Int64Array:
        """Keys of the most recently published items that can be shown, newest first."""
        ...

    def count(self) -> int:
        """Number of items, hidden and expired ones included."""
        ...

    def close(self) -> None:
        """Let go of files and connections; the index is not used afterwards."""
        ...
