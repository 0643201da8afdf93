"""The items table as a source of the archive: what changed since, in the order of changes.

A row is an item as it is now, so an item that changed twice is seen once; the archive's newest
row of an item is the item.
"""

from datetime import datetime

from clickwise.archive import Manifest, Mark, Stream
from clickwise.archive.layout import DATABASE
from clickwise.errors import ConfigurationError
from clickwise.state.port import State
from streams.archive_rows import items_frame
from streams.archive_source import Batch, Reading, moved_on

ROWS_AT_ONCE = 2_000  # with text and vector


class DatabaseItems:
    """See `streams.archive_source.Source`."""

    def __init__(self, state: State, *, rows_at_once: int = ROWS_AT_ONCE) -> None:
        self._state = state
        self._rows_at_once = rows_at_once

    def read(self, manifest: Manifest, *, now: datetime) -> Reading:
        """See Source."""
        del now
        known = manifest.mark(Stream.ITEMS, DATABASE, 0)
        mark = known or Mark(stream=Stream.ITEMS, source=DATABASE, partition=0, next=1)
        if self._state.newest_change() < mark.next - 1:
            raise ConfigurationError(
                "the database is not the one that the archive's items came from: name another"
                " folder in CLICKWISE_ARCHIVE_URL"
            )
        rows = self._state.items_changed(after=mark.next - 1, limit=self._rows_at_once)
        if not rows:
            return Reading()
        moved = moved_on(mark, following=rows[-1].change + 1, rows=len(rows), refused=0)
        batch = Batch(moved, mark.next, items_frame(rows))
        return Reading((batch,), done=len(rows) < self._rows_at_once)
