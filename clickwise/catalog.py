"""Keeps an item index in step with the items table, and answers the profile rule's questions.

With Qdrant Edge every process holds its own index and pulls changes from the table; with a
Qdrant server the writer pushes them and there is nothing to pull.
"""

from collections.abc import Mapping, Sequence
from typing import Protocol, runtime_checkable

from clickwise import metrics
from clickwise.profile import ItemFacts
from clickwise.state.port import State
from clickwise.types import ModelVersion, TopicCode
from clickwise.vectors.port import IndexedItem, ItemIndex, Removed
from clickwise.vectors.rows import Tower, indexed, projected

PULL_ROWS = 500
WHOLE_SHARE = 0.99  # of the items, in an index that is taken for whole
PULLS_AT_ONCE = 8  # per request: 4,000 rows, so that a burst does not hold one up


@runtime_checkable
class PullingIndex(Protocol):
    """What Edge adds to ItemIndex: it knows which changes it holds, and has generations."""

    @property
    def covered(self) -> int:
        """The `change` up to which everything is in the index."""
        ...

    def apply(self, changes: Sequence[IndexedItem | Removed], *, through: int = 0) -> None:
        """Put changes that go up to `through`."""
        ...

    def refresh(self) -> bool:
        """Swap to a newer generation when one is there."""
        ...


class Catalog:
    """The items as this process sees them."""

    def __init__(
        self,
        *,
        state: State,
        index: ItemIndex,
        model: ModelVersion | None = None,
        tower: Tower | None = None,
        text: ModelVersion | None = None,
    ) -> None:
        """`model` names the bundle that profiles are folded for (None: as the vectors).

        `text` names the stored text vectors (None: those are the index's own), and `tower` makes
        the index's vectors of them.
        """
        self._state = state
        self._model = model if model is not None else index.model
        self._tower = tower
        self._text = text if text is not None else index.model
        self.index = index
        # Checked once: a structural check takes longer than a profile's read.
        self._pulling = index if isinstance(index, PullingIndex) else None

    @property
    def model(self) -> ModelVersion:
        """The model that profiles belong to."""
        return self._model

    @property
    def text(self) -> ModelVersion:
        """The text vectors that the index's are made of."""
        return self._text

    @property
    def dimension(self) -> int:
        """D."""
        return self.index.dimension

    def refresh(self, newest: int | None = None) -> bool:
        """See changes up to `newest` (None: ask the database); False when there are more yet.

        At most 4,000 at a time, so that a burst of items does not hold up one request.
        """
        index = self._pulling
        if index is None:
            return True
        index.refresh()
        target = self._state.newest_change() if newest is None else newest
        for _ in range(PULLS_AT_ONCE):
            if index.covered >= target:
                return True
            self._pull(index)
        return index.covered >= target

    def catch_up(self) -> None:
        """See every change: at start-up, and before a writer acknowledges its own."""
        index = self._pulling
        if index is not None:
            index.refresh()
            while index.covered < self._state.newest_change() and self._pull(index):
                pass
        metrics.items.set(self.index.count())

    def fill(self, *, after: int) -> int:
        """Put what changed after `after` into an index that pulls nothing, until nothing is new.

        Rows are read after what was put before: where somebody else puts the same items meanwhile,
        the last to write is followed by a look that finds what is newer. The newest `change`.
        """
        while rows := self._state.items_changed(after=after, limit=PULL_ROWS, model=self._text):
            self.index.apply(self._projected([indexed(row, self._text) for row in rows]))
            after = rows[-1].change
        return after

    def refill(self, *, since: int) -> int:
        """`fill` after `since`; all of it where the index holds much less than there is.

        Such as one that was lost, put back as it was before, or not yet filled by whoever made it.
        Not where it lacks a few: those are on their way, or changed after `since`.
        """
        there = self._state.count_items()
        lacks = self.index.count() < WHOLE_SHARE * there
        return self.fill(after=0 if lacks else since)

    def push(self, changes: Sequence[IndexedItem | Removed]) -> None:
        """After a write to the items table: searches of this process see it from here on.

        `changes` hold text vectors.
        """
        if self._pulling is not None:
            self.catch_up()
        else:
            self.index.apply(self._projected(changes))
            metrics.items.set(self.index.count())

    def facts(self, keys: Sequence[int]) -> Mapping[int, ItemFacts]:
        """See profile.ItemSource."""
        table = self.index.lookup(keys)
        return {
            key: ItemFacts(vector, tuple(TopicCode(t) for t in topics if t))
            for key, vector, topics in zip(
                table.keys_N.tolist(),
                table.vectors_ND,
                table.topics_NT.tolist(),
                strict=True,
            )
        }

    def _pull(self, index: PullingIndex) -> bool:
        """Apply the next changes; False when there are none."""
        rows = self._state.items_changed(after=index.covered, limit=PULL_ROWS, model=self._text)
        if rows:
            index.apply(
                self._projected([indexed(row, self._text) for row in rows]),
                through=rows[-1].change,
            )
            metrics.items.set(self.index.count())
        return bool(rows)

    def _projected(
        self, entries: Sequence[IndexedItem | Removed]
    ) -> Sequence[IndexedItem | Removed]:
        return projected(entries, self._tower) if self._tower is not None else entries
