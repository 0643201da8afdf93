"""What happens to items: encoded, stored, indexed, in that order, and safe to repeat."""

import time
from collections.abc import Mapping, Sequence

from clickwise import metrics
from clickwise.encoder.port import TextEncoder
from clickwise.items import Item
from clickwise.releases import Releases
from clickwise.state.port import ItemWrite, Partition, State
from clickwise.text import item_text
from clickwise.types import ItemId, ModelVersion, item_key
from clickwise.vectors.port import IndexedItem, Removed
from clickwise.vectors.rows import indexed, indexed_item, item_write

Place = tuple[Partition, int]


class ItemHandler:
    """Puts and deletes items; synchronous, owned by one thread."""

    def __init__(self, *, state: State, releases: Releases, encoder: TextEncoder) -> None:
        self._state = state
        self._releases = releases
        self._encoder = encoder
        self._model = ModelVersion(encoder.version)

    def apply(
        self,
        changes: Sequence[tuple[ItemId, Item | None]],
        places: Sequence[Place] | None = None,
    ) -> None:
        """Put items, or delete those given with None; of one item's changes the last counts.

        When this returns the items are durable and searches find them (or no longer do).

        Args:
            changes: what to put and delete.
            places: the partition and offset of each change, where it came through a log. A
                change whose place has been applied is not written again: a worker that has
                lost its partition cannot undo what the next owner wrote.

        Raises:
            UnavailableError: the database or the vector store does not answer. Repeat it: the
                items may be stored and not indexed yet.
            ConflictError: another item has this one's key.
        """
        started = time.perf_counter()
        latest = dict(changes)
        puts = [item for item in latest.values() if item is not None]
        vectors_ND = self._encoder.encode([item_text(item) for item in puts])
        writes: dict[ItemId, ItemWrite] = {}
        entries: dict[ItemId, IndexedItem | Removed] = {}
        for item, vector in zip(puts, vectors_ND, strict=True):
            writes[item.id] = item_write(item, vector, self._model)
            entries[item.id] = indexed_item(item, vector)
        for name, change in latest.items():
            if change is None:
                key = item_key(name)
                writes[name] = ItemWrite(
                    key=key, id=name, body=None, model=self._model, vector=None
                )
                entries[name] = Removed(key)
        late = self._store(writes, _last_places(changes, places) if places else {})
        for name in late:
            # Perhaps stored by a try that could not index it: what is stored now counts.
            row = self._state.item(name)
            removed = Removed(item_key(name))
            entries[name] = removed if row is None else indexed(row, self._model)
        self._releases.refresh()
        for release in self._releases.every():  # one that is being released has them too
            release.catalog.push(list(entries.values()))
        metrics.batch_seconds.labels("items").observe(time.perf_counter() - started)
        metrics.batch_messages.labels("items").observe(len(changes))

    def _store(
        self, writes: Mapping[ItemId, ItemWrite], places: Mapping[ItemId, Place]
    ) -> list[ItemId]:
        """Write what is new, with its offsets, in one transaction; the items that are not new."""
        with self._state.write() as write:
            applied = write.offsets({partition for partition, _ in places.values()})
            late = [
                name
                for name, (partition, offset) in places.items()
                if offset < applied.get(partition, 0)
            ]
            skipped = set(late)
            fresh = [one for name, one in writes.items() if name not in skipped]
            if fresh:
                write.put_items(fresh)
            ahead: dict[Partition, int] = {}
            for partition, offset in places.values():
                if offset >= applied.get(partition, 0):
                    ahead[partition] = max(ahead.get(partition, 0), offset + 1)
            write.put_offsets(ahead)
        return late


def _last_places(
    changes: Sequence[tuple[ItemId, Item | None]], places: Sequence[Place]
) -> dict[ItemId, Place]:
    """Where the change of each item that counts came from."""
    return {name: place for (name, _), place in zip(changes, places, strict=True)}
