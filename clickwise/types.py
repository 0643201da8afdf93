"""The words that every part uses: ids, kinds of events and items, and their hashes.

Ids are opaque text of the site. Inside, an item is its `ItemKey`: the first 63 bits of
BLAKE2b over the id's UTF-8 bytes. The key is the same in every process and database, needs
no allocation, fits a signed 64-bit column and is a valid Qdrant point id. At 10 million items
the chance of any collision is about 5e-6; `state` refuses an item whose key is taken by
another id, so a collision is an error, never a mix-up.
"""

import enum
from hashlib import blake2b
from typing import NewType

UserId = NewType("UserId", str)
ItemId = NewType("ItemId", str)
EventId = NewType("EventId", str)
ItemKey = NewType("ItemKey", int)
EventKey = NewType("EventKey", int)
TopicCode = NewType("TopicCode", int)
ModelVersion = NewType("ModelVersion", str)


class EventType(enum.StrEnum):
    """What a user did. The order is the code stored in profiles: append, never reorder."""

    IMPRESSION = "impression"
    CLICK = "click"
    VIEW = "view"
    RATING = "rating"
    LIKE = "like"
    DISLIKE = "dislike"
    HIDE = "hide"
    BOOKMARK = "bookmark"
    SHARE = "share"
    PURCHASE = "purchase"


class ItemKind(enum.StrEnum):
    """What an item is. The order is the code stored in the vector index: append only."""

    NEWS = "news"
    VIDEO = "video"
    ARTICLE = "article"
    AD = "ad"
    COURSE = "course"


EVENT_TYPES: tuple[EventType, ...] = tuple(EventType)
EVENT_CODES: dict[EventType, int] = {kind: code for code, kind in enumerate(EVENT_TYPES)}
ITEM_KINDS: tuple[ItemKind, ...] = tuple(ItemKind)
ITEM_KIND_CODES: dict[ItemKind, int] = {kind: code for code, kind in enumerate(ITEM_KINDS)}

_63_BITS = (1 << 63) - 1
_31_BITS = (1 << 31) - 1


def item_key(item: str) -> ItemKey:
    """63-bit key of an item id; equal ids have equal keys everywhere."""
    return ItemKey(int.from_bytes(blake2b(item.encode(), digest_size=8).digest()) & _63_BITS)


def event_key(event: str) -> EventKey:
    """63-bit key of an event id: what deduplication and the history anchor look at."""
    digest = blake2b(event.encode(), digest_size=8, person=b"event").digest()
    return EventKey(int.from_bytes(digest) & _63_BITS)


def topic_code(topic: str) -> TopicCode:
    """31-bit code of a topic or a language tag, never 0 (0 means none)."""
    digest = blake2b(topic.encode(), digest_size=4, person=b"topic").digest()
    return TopicCode((int.from_bytes(digest) & _31_BITS) or 1)
