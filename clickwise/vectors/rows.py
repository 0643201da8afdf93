"""Items between their three forms: the message, the stored row, the entry of the index."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Protocol

import msgspec
import numpy as np

from clickwise.codec import encode
from clickwise.errors import InvalidInputError
from clickwise.items import Item
from clickwise.state.port import ItemRow, ItemWrite
from clickwise.types import ITEM_KIND_CODES, ModelVersion, TopicCode, item_key, topic_code
from clickwise.vectors.port import (
    TOPICS_PER_ITEM,
    Float32Array,
    IndexedItem,
    Picture,
    Removed,
)

_items = msgspec.json.Decoder(Item)
_STORED = np.dtype("<f4")


class Tower(Protocol):
    """The part of a bundle's tower that an index needs (`clickwise.bundle.tower`)."""

    def vectors(
        self,
        keys: Sequence[int],
        text_NC: Float32Array,
        pictures: Sequence[Picture | None] = (),
    ) -> Float32Array:
        """Unit vectors of items with these keys, text vectors and pictures (empty: none has)."""
        ...


def indexed(row: ItemRow, model: ModelVersion | None = None) -> IndexedItem | Removed:
    """What the index of `model` holds of a stored row; None means the row's own model.

    A deleted row is a removal, and so is one whose vector belongs to another model: vectors of
    two models never meet in one index.

    Raises:
        InvalidInputError: the row's JSON or vector cannot be read.
    """
    if row.body is None or row.vector is None or (model is not None and row.model != model):
        return Removed(row.key)
    try:
        item = _items.decode(row.body)
        vector_D = np.frombuffer(row.vector, _STORED).astype(np.float32, copy=False)
    except (msgspec.MsgspecError, ValueError) as error:
        raise InvalidInputError(f"stored item {row.id!a} cannot be read: {error}") from error
    return indexed_item(item, vector_D)


def projected(
    entries: Sequence[IndexedItem | Removed], tower: Tower
) -> list[IndexedItem | Removed]:
    """The entries with their text vectors and pictures replaced by vectors of a model's space."""
    items = [entry for entry in entries if isinstance(entry, IndexedItem)]
    if not items:
        return list(entries)
    text_NC = np.stack([item.vector_D for item in items])
    pictures = [item.picture for item in items]
    vectors = iter(tower.vectors([item.key for item in items], text_NC, pictures))
    return [
        replace(entry, vector_D=next(vectors), picture=None)
        if isinstance(entry, IndexedItem)
        else entry
        for entry in entries
    ]


def indexed_item(item: Item, vector_D: Float32Array) -> IndexedItem:
    """What the index holds of an item; `vector_D` has unit length."""
    return IndexedItem(
        key=item_key(item.id),
        id=item.id,
        title=item.title,
        vector_D=vector_D,
        kind=ITEM_KIND_CODES[item.kind],
        language=topic_code(item.written_in) if item.written_in else 0,
        topics=topic_codes(item.subjects),
        published=item.published.timestamp() if item.published else 0.0,
        expires=item.expires.timestamp() if item.expires else np.inf,
        hidden=item.hidden,
        picture=picture_of(item),
    )


def picture_of(item: Item) -> Picture | None:
    """The picture of a stored item."""
    if item.image_vector is None or item.image_model is None:
        return None
    return Picture(ModelVersion(item.image_model), np.array(item.image_vector, np.float32))


def topic_codes(topics: tuple[str, ...]) -> tuple[TopicCode, ...]:
    """Codes of an item's topics, main one first, as many as the index keeps."""
    return tuple(topic_code(topic) for topic in topics[:TOPICS_PER_ITEM])


def item_write(item: Item, vector_D: Float32Array, model: ModelVersion) -> ItemWrite:
    """The row that stores an item with its vector of `model`."""
    return ItemWrite(
        key=item_key(item.id),
        id=item.id,
        body=encode(item),
        model=model,
        vector=stored_vector(vector_D),
    )


def stored_vector(vector_D: Float32Array) -> bytes:
    """A vector as the database keeps it."""
    return np.ascontiguousarray(vector_D, _STORED).tobytes()
