"""What happens to items: read and encoded, stored, indexed, in that order, and safe to repeat."""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import msgspec

from clickwise import metrics
from clickwise.encoder.port import TextEncoder
from clickwise.errors import InvalidInputError
from clickwise.items import Item
from clickwise.pictures.reader import NO_PICTURES, PictureReader
from clickwise.releases import Releases
from clickwise.state.port import ItemWrite, Partition, State
from clickwise.text import item_text
from clickwise.types import ItemId, ModelVersion, item_key
from clickwise.understanding import understood
from clickwise.understanding.topics import NO_TAXONOMY, TopicModel
from clickwise.understanding.understanding import TopicWeight
from clickwise.vectors.port import Float32Array, IndexedItem, Removed
from clickwise.vectors.rows import indexed_item, item_write, stored_vector
from streams.indexing import as_stored, overtaken, push, push_as_stored

Place = tuple[Partition, int]


class ItemHandler:
    """Puts and deletes items; synchronous, owned by one thread."""

    def __init__(
        self,
        *,
        state: State,
        releases: Releases,
        encoder: TextEncoder,
        others: Callable[[], Sequence[TextEncoder]] = tuple,
        topics: TopicModel = NO_TAXONOMY,
        pictures: PictureReader = NO_PICTURES,
    ) -> None:
        """`others`: encoders that models in use need beside `encoder`, asked for every time.
        `topics` gives items that bring none some, by their vector of `encoder`; `pictures` reads
        what pictures they bring.
        """
        self._state = state
        self._releases = releases
        self._encoder = encoder
        self._others = others
        self._topics = topics
        self._pictures = pictures

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
            InvalidInputError: a picture cannot be read; nothing was written.
        """
        started = time.perf_counter()
        latest = dict(changes)
        puts = [self._pictures.read(item) for item in latest.values() if item is not None]
        puts = self._in_known_languages(puts)
        encoded = _Encoded.of(puts, (self._encoder, *self._others())).about(
            self._topics, ModelVersion(self._encoder.version)
        )
        gone = [name for name, change in latest.items() if change is None]
        writes = encoded.writes(gone, model=ModelVersion(self._encoder.version))
        late, last = self._store(writes, _last_places(changes, places) if places else {})
        self._releases.refresh()
        try:
            for release in self._releases.every():  # one that is being released has them too
                entries = encoded.entries(gone, release.catalog.text)
                for name in late:
                    # Perhaps stored by a try that could not index it: what is stored now counts.
                    entries[name] = as_stored(self._state, name, release.catalog.text)
                push(self._releases, release, list(entries.values()))
                # Whoever wrote one of them in the meantime may have been indexed before this was.
                newer = overtaken(self._state, latest, since=last)
                push_as_stored(self._state, self._releases, release, newer)
        finally:
            self._releases.rest()
        metrics.batch_seconds.labels("items").observe(time.perf_counter() - started)
        metrics.batch_messages.labels("items").observe(len(changes))

    def _in_known_languages(self, items: Sequence[Item]) -> list[Item]:
        """Items that name no language keep the one that was understood of them before, until they
        are understood again: what is put again and again goes on being found by it.
        """
        keys = [item_key(item.id) for item in items if not item.language]
        known = understood(self._state.understandings, keys) if keys else {}
        return [
            msgspec.structs.replace(item, inferred_language=known[key].language or None)
            if not item.language and (key := item_key(item.id)) in known
            else item
            for item in items
        ]

    def _store(
        self, writes: Mapping[ItemId, ItemWrite], places: Mapping[ItemId, Place]
    ) -> tuple[list[ItemId], int]:
        """Write what is new, with its offsets, in one transaction; the items that are not new, and
        the newest `change` once this is written.
        """
        last = self._state.newest_change()
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
                last = write.put_items(fresh)
            ahead: dict[Partition, int] = {}
            for partition, offset in places.values():
                if offset >= applied.get(partition, 0):
                    ahead[partition] = max(ahead.get(partition, 0), offset + 1)
            write.put_offsets(ahead)
        return late, last


def apply_each(
    handler: ItemHandler, changes: Sequence[tuple[ItemId, Item | None]]
) -> list[InvalidInputError | None]:
    """Apply changes that came through no log. The fault of each that cannot be applied (a picture
    that cannot be decoded), in order: it costs the others nothing.

    Raises:
        ClickwiseError: see `ItemHandler.apply`; any fault but an item's own.
    """
    try:
        handler.apply(changes)
    except InvalidInputError as error:
        if len(changes) == 1:
            return [error]
        return [fault for change in changes for fault in apply_each(handler, [change])]
    return [None] * len(changes)


@dataclass(frozen=True, slots=True)
class _Encoded:
    """Items with their vectors (N, C) of each encoder."""

    items: Sequence[Item]
    vectors: Mapping[ModelVersion, Float32Array]

    @classmethod
    def of(cls, items: Sequence[Item], encoders: Sequence[TextEncoder]) -> "_Encoded":
        texts = [item_text(item) for item in items]
        return cls(items, {ModelVersion(one.version): one.encode(texts) for one in encoders})

    def about(self, topics: TopicModel, of: ModelVersion) -> "_Encoded":
        """The same with topics for the items that bring none, by their vectors of encoder `of`."""
        vectors_NC = self.vectors[of]
        items = [
            item if item.topics else _given(item, topics.weigh(item_text(item), vectors_NC[row]))
            for row, item in enumerate(self.items)
        ]
        return replace(self, items=items)

    def writes(self, gone: Sequence[ItemId], *, model: ModelVersion) -> dict[ItemId, ItemWrite]:
        """What to store; `model` names the vectors that the items are stored with."""
        others = [other for other in self.vectors if other != model]
        writes = {}
        for row, item in enumerate(self.items):
            more = tuple((other, stored_vector(self.vectors[other][row])) for other in others)
            write = item_write(item, self.vectors[model][row], model)
            writes[item.id] = replace(write, others=more)
        for name in gone:
            key = item_key(name)
            writes[name] = ItemWrite(key=key, id=name, body=None, model=model, vector=None)
        return writes

    def entries(
        self, gone: Sequence[ItemId], text: ModelVersion
    ) -> dict[ItemId, IndexedItem | Removed]:
        """What an index over the text vectors `text` holds of them afterwards."""
        vectors_NC = self.vectors.get(text)
        entries: dict[ItemId, IndexedItem | Removed] = {}
        for row, item in enumerate(self.items):
            if vectors_NC is None:  # its encoder is not open here: the item is not in that index
                entries[item.id] = Removed(item_key(item.id))
            else:
                entries[item.id] = indexed_item(item, vectors_NC[row])
        entries.update({name: Removed(item_key(name)) for name in gone})
        return entries


def _given(item: Item, topics: Sequence[TopicWeight]) -> Item:
    if not topics:
        return item
    return msgspec.structs.replace(item, inferred_topics=tuple(one.topic for one in topics))


def _last_places(
    changes: Sequence[tuple[ItemId, Item | None]], places: Sequence[Place]
) -> dict[ItemId, Place]:
    """Where the change of each item that counts came from."""
    return {name: place for (name, _), place in zip(changes, places, strict=True)}
