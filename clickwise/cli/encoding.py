"""Text vectors of another encoder for all items, before a model that needs them goes live.

Killed half-way it goes on where it was: what has a vector is not encoded again. An item that is
written meanwhile gets the vector from its writer, or is encoded here once more.
"""

from collections.abc import Callable

import msgspec

from clickwise.encoder.port import TextEncoder
from clickwise.errors import InvalidInputError
from clickwise.items import Item
from clickwise.state.port import ItemRow, ItemWrite, State
from clickwise.text import item_text
from clickwise.types import ItemKey, ModelVersion
from clickwise.vectors.rows import stored_vector

ITEMS_AT_ONCE = 64

_items = msgspec.json.Decoder(Item)


def encode_missing(state: State, encoder: TextEncoder, told: Callable[[str], None]) -> int:
    """Encode every item without a vector of this encoder; how many. No index hears of it.

    Raises:
        InvalidInputError: a stored item cannot be read.
        UnavailableError: the database does not answer.
    """
    model, total, done = ModelVersion(encoder.version), state.count_items(), 0
    after: ItemKey | None = None
    while True:
        rows = state.items_without(model, after=after, limit=ITEMS_AT_ONCE)
        if not rows:
            if after is None:
                return done
            after = None  # those that changed while they were encoded
            continue
        encoded = _encoded(rows, encoder)
        with state.write() as write:
            done += write.add_vectors(encoded)
        after = rows[-1].key
        told(f"encoded {done:,} of about {total:,} items")


def encode_stragglers(state: State, encoder: TextEncoder) -> int:
    """Encode items that were written without a vector since, and have every index see them anew.

    Raises:
        InvalidInputError: a stored item cannot be read.
        UnavailableError: the database does not answer.
    """
    model, done = ModelVersion(encoder.version), 0
    while rows := state.items_without(model, limit=ITEMS_AT_ONCE):
        for row in _encoded(rows, encoder):
            stored = state.item(row.id)
            if stored is None or stored.change != row.change or stored.vector is None:
                continue  # written again meanwhile: looked at again
            with state.write() as write:
                write.put_items(
                    [
                        ItemWrite(
                            key=row.key,
                            id=row.id,
                            body=stored.body,
                            model=stored.model,
                            vector=stored.vector,
                            others=((model, row.vector or b""),),
                        )
                    ]
                )
            done += 1
    return done


def _encoded(rows: list[ItemRow], encoder: TextEncoder) -> list[ItemRow]:
    """The rows with their vectors of this encoder."""
    texts = []
    for row in rows:
        try:
            texts.append(item_text(_items.decode(row.body or b"")))
        except msgspec.MsgspecError as error:
            raise InvalidInputError(f"stored item {row.id!a} cannot be read: {error}") from error
    vectors_NC = encoder.encode(texts)
    return [
        ItemRow(row.key, row.id, row.body, row.change, row.model, stored_vector(vector_C))
        for row, vector_C in zip(rows, vectors_NC, strict=True)
    ]
