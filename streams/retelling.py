"""Items get other topics: stored and indexed as items are, but with the vectors that they have."""

from collections.abc import Callable, Sequence

from clickwise import codec
from clickwise.releases import Releases
from clickwise.state.port import ItemRow, State
from clickwise.types import ItemId, ItemKey, ModelVersion
from clickwise.understanding.retelling import Retold
from streams.indexing import push_as_stored


class Retelling:
    """Implements `TopicsDoor`; owned by one thread."""

    def __init__(self, *, state: State, releases: Callable[[], Releases] | None) -> None:
        """`releases`: opens the models whose indexes are written to, when they are first needed;
        None where every process reads what changed for itself.
        """
        self._state = state
        self._open = releases
        self._releases: Releases | None = None

    def put(self, told: Sequence[Retold], again: Sequence[ItemId]) -> dict[ItemKey, int]:
        """See TopicsDoor."""
        if self._open is None:
            return self._store(told)
        if self._releases is None:
            self._releases = self._open()  # first: nothing is stored that could not be indexed
        releases = self._releases
        changes = self._store(told)
        # What was overtaken is indexed by who overtook it.
        names = {*again, *(one.item.id for one in told if one.key in changes)}
        releases.refresh()
        try:
            for release in releases.every():  # one that is being released has them too
                push_as_stored(self._state, releases, release, names)
        finally:
            releases.rest()
        return changes

    def _store(self, told: Sequence[Retold]) -> dict[ItemKey, int]:
        if not told:
            return {}
        rows = [self._row(one) for one in told]
        with self._state.write() as write:
            return write.put_bodies(rows)

    def _row(self, one: Retold) -> ItemRow:
        body = codec.encode(one.item)
        return ItemRow(one.key, one.item.id, body, one.change, ModelVersion(""), None)
