"""What is stored of items, as it is read: with near-duplicates as of now.

Near-duplicates are looked up when they are asked for: so both of a pair name each other, whichever
came first, and a deleted item is named by none.
"""

from collections.abc import Collection
from typing import Annotated, Literal, Protocol

import msgspec
from msgspec import Meta

from clickwise.errors import NotFoundError
from clickwise.state.port import ItemRow
from clickwise.state.understandings import UnderstandingStore
from clickwise.types import ItemId, ItemKey, item_key
from clickwise.understanding.duplicates import LEAST_SIMILAR, similarity
from clickwise.understanding.understanding import Understanding

MAX_NEAR = 20
_CANDIDATES = 200

_decoder = msgspec.json.Decoder(Understanding)


class Lookups(Protocol):
    """The part of `clickwise.state.port.State` that is read here."""

    @property
    def understandings(self) -> UnderstandingStore:
        """What was understood of items."""
        ...

    def item(self, item: ItemId) -> ItemRow | None:
        """One item, None when unknown or deleted."""
        ...


class ItemUnderstanding(msgspec.Struct, frozen=True, kw_only=True):
    """An item and what was understood of it, if it was."""

    item: ItemId
    status: Annotated[
        Literal["ready", "pending", "failed"],
        Meta(
            description=(
                "ready: it is below. pending: the item is new or has changed, ask again. failed:"
                " nothing could be understood, and it is not tried again before the item changes."
            )
        ),
    ]
    reason: Annotated[
        str | None, Meta(description="Why it failed: no_text (no word in it), failed (a fault).")
    ] = None
    understanding: Understanding | None = None


def shown(state: Lookups, item: ItemId) -> ItemUnderstanding:
    """What is understood of `item`.

    Raises:
        NotFoundError: there is no such item.
        UnavailableError: the database does not answer.
    """
    row = state.item(item)
    if row is None:
        raise NotFoundError(f"there is no item {item!a}")
    stored = state.understandings.of([row.key]).get(row.key)
    if stored is None or stored.change != row.change:
        return ItemUnderstanding(item=item, status="pending")
    if stored.reason:
        return ItemUnderstanding(item=item, status="failed", reason=stored.reason)
    return ItemUnderstanding(
        item=item,
        status="ready",
        understanding=msgspec.structs.replace(
            _decoder.decode(stored.body), near=near(state.understandings, item, stored.signature)
        ),
    )


def near(store: UnderstandingStore, item: ItemId, signature: bytes) -> tuple[ItemId, ...]:
    """Items with nearly the same text as one of this signature, the nearest first."""
    if not signature:
        return ()
    found = [
        (similarity(signature, other.signature), other.id)
        for other in store.neighbors(item_key(item), limit=_CANDIDATES)
    ]
    found.sort(key=lambda pair: (-pair[0], pair[1]))
    return tuple(other for alike, other in found if alike >= LEAST_SIMILAR)[:MAX_NEAR]


def understood(
    store: UnderstandingStore, keys: Collection[ItemKey]
) -> dict[ItemKey, Understanding]:
    """What is understood of these items, of those that something is; without near-duplicates."""
    return {
        key: _decoder.decode(stored.body)
        for key, stored in store.of(keys).items()
        if not stored.reason
    }
