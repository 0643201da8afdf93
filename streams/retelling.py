"""Items get other topics: stored and indexed as items are, but with the vectors that they have."""

from collections.abc import Callable, Sequence
from dataclasses import replace

from clickwise import codec
from clickwise.releases import Releases
from clickwise.state.port import ItemRow, State
from clickwise.types import ItemKey, ModelVersion
from clickwise.understanding.retelling import Retold
from clickwise.vectors.port import IndexedItem, Removed
from clickwise.vectors.rows import indexed
from streams.indexing import as_stored, push


class Retelling:
    """Implements `TopicsDoor`; owned by one thread."""

    def __init__(self, *, state: State, releases: Callable[[], Releases] | None) -> None:
        """`releases`: opens the models whose indexes are written to, when they are first needed;
        None where every process reads what changed for itself.
        """
        self._state = state
        self._open = releases
        self._releases: Releases | None = None

    def put(self, told: Sequence[Retold]) -> dict[ItemKey, int]:
        """See TopicsDoor."""
        if self._open is None:
            return self._store(told)
        if self._releases is None:
            self._releases = self._open()
        releases = self._releases
        releases.refresh()
        try:
            # Before they are stored: when this ends between the two they are told again.
            for release in releases.every():
                push(releases, release, self._entries(told, release.catalog.text))
            changes = self._store(told)
            late = [one.item.id for one in told if one.key not in changes]
            for release in releases.every():
                text = release.catalog.text
                # Perhaps overwritten by what was pushed above: what is stored now counts.
                push(releases, release, [as_stored(self._state, name, text) for name in late])
        finally:
            releases.rest()
        return changes

    def _store(self, told: Sequence[Retold]) -> dict[ItemKey, int]:
        rows = [self._row(one) for one in told]
        with self._state.write() as write:
            return write.put_bodies(rows)

    def _row(self, one: Retold) -> ItemRow:
        body = codec.encode(one.item)
        return ItemRow(one.key, one.item.id, body, one.change, ModelVersion(""), None)

    def _entries(self, told: Sequence[Retold], text: ModelVersion) -> list[IndexedItem | Removed]:
        """Those that are as they were and have a vector of `text`, as an index holds them."""
        found = []
        for one in told:
            row = self._state.item(one.item.id, text)
            if row is not None and row.change == one.change and row.vector is not None:
                found.append(indexed(replace(row, body=codec.encode(one.item)), text))
        return found
