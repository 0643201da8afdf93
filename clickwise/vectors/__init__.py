"""Item vectors: a port and its two implementations."""

from clickwise.vectors.port import (
    TOPICS_PER_ITEM,
    Hits,
    IndexedItem,
    ItemIndex,
    ItemTable,
    Removed,
    Where,
)

__all__ = [
    "TOPICS_PER_ITEM",
    "Hits",
    "IndexedItem",
    "ItemIndex",
    "ItemTable",
    "Removed",
    "Where",
]
