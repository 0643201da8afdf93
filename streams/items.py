"""What happens to items: encoded, stored, indexed, in that order, and safe to repeat."""

from collections.abc import Sequence

from clickwise.catalog import Catalog
from clickwise.encoder.port import TextEncoder
from clickwise.items import Item
from clickwise.state.port import ItemWrite, State
from clickwise.text import item_text
from clickwise.types import ItemId, ModelVersion, item_key
from clickwise.vectors.port import Removed
from clickwise.vectors.rows import indexed_item, item_write


class ItemHandler:
    """Puts and deletes items; synchronous, owned by one thread."""

    def __init__(
        self, *, state: State, catalog: Catalog, encoder: TextEncoder, model: ModelVersion
    ) -> None:
        self._state = state
        self._catalog = catalog
        self._encoder = encoder
        self._model = model

    def apply(self, changes: Sequence[tuple[ItemId, Item | None]]) -> None:
        """Put items, or delete those given with None; of one item's changes the last counts.

        When this returns the items are durable and searches find them (or no longer do).

        Raises:
            UnavailableError: the database or the vector store does not answer. Repeat it: the
                items may be stored and not indexed yet.
            ConflictError: another item has this one's key.
        """
        latest = dict(changes)
        puts = [item for item in latest.values() if item is not None]
        vectors_ND = self._encoder.encode([item_text(item) for item in puts])
        writes = [
            item_write(item, vector, self._model)
            for item, vector in zip(puts, vectors_ND, strict=True)
        ]
        writes += [
            ItemWrite(key=item_key(name), id=name, body=None, model=self._model, vector=None)
            for name, item in latest.items()
            if item is None
        ]
        with self._state.write() as write:
            write.put_items(writes)
        self._catalog.push(
            [
                *(indexed_item(i, vector) for i, vector in zip(puts, vectors_ND, strict=True)),
                *(Removed(one.key) for one in writes if one.body is None),
            ]
        )
