"""Port to what was understood of items: made beside the request path, shown and read later.

`SqlState.understandings` is the one implementation; `tests/contracts/test_understandings.py` runs
it on both databases. Deleting an item deletes what is here of it.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Protocol

from clickwise.types import ItemId, ItemKey, ModelVersion


@dataclass(frozen=True, slots=True)
class StoredUnderstanding:
    """What `methods` (a fingerprint) made of the item as it was at `change`.

    `reason` says why nothing could be made of it; empty when something was, which is then in
    `body` (opaque here). `signature` and `bands` are those of its text: items with a band in
    common may be near-duplicates. Both are empty where the text is too short to tell.
    """

    key: ItemKey
    change: int
    methods: str
    reason: str
    body: bytes
    signature: bytes = b""
    bands: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class DueItem:
    """An item to be understood: its JSON as of `change`, its text vector where there is one.

    `understood`: the `change` that is understood, and `methods`: by which; None: none is.
    """

    key: ItemKey
    id: ItemId
    body: bytes
    change: int
    vector: bytes | None
    understood: int | None = None
    methods: str | None = None


@dataclass(frozen=True, slots=True)
class Neighbor:
    """An item that has a band in common with another, and its signature."""

    id: ItemId
    signature: bytes


class UnderstandingStore(Protocol):
    """Every call raises UnavailableError when the database does not answer."""

    def due(
        self, methods: str, model: ModelVersion, *, after: int, until: int, limit: int
    ) -> list[DueItem]:
        """Items with nothing here, or with what older methods or an older text gave.

        Those whose `change` is above `after` and at most `until`, newest first, with their
        vectors of `model`.
        """
        ...

    def count_due(self, methods: str, *, after: int, until: int) -> int:
        """How many of them there are. Looks at all: not for every step."""
        ...

    def put(self, rows: Sequence[StoredUnderstanding]) -> set[ItemKey]:
        """Store those whose item is still as the row says by its `change`; whose they are.

        ConflictError when another transaction was in the way: run it again.
        """
        ...

    def of(self, keys: Collection[ItemKey]) -> dict[ItemKey, StoredUnderstanding]:
        """What is here of these items, without bands."""
        ...

    def neighbors(self, key: ItemKey, *, limit: int) -> list[Neighbor]:
        """Other items that have a band in common with this one, those with most bands first."""
        ...
