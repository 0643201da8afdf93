"""Items of a file or a data set's folder, for commands that look at them and store nothing."""

from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

from clickwise.cli.exits import complain
from clickwise.clock import SystemClock
from clickwise.errors import ConfigurationError, InvalidInputError
from clickwise.imports.feed import Feed, Row
from clickwise.imports.layouts import Layout, open_feed
from clickwise.imports.tables import TableOptions
from clickwise.items import Item, parse_item

TOLD = 5  # refused rows that have a line of their own


class ItemFile:
    """The items of a file, once through. What cannot be read is told on standard error with its
    place, counted in `refused`, and the next one follows.
    """

    def __init__(self, feed: Feed, *, texts: bool, limit: int) -> None:
        self.refused = 0
        self._feed = feed
        self._texts = texts
        self._limit = limit

    def __iter__(self) -> Iterator[Item]:
        """Items as they are in the file; reads no further than the limit asks for."""
        now = SystemClock().now()
        given = 0
        for row in self._feed.items():
            try:
                item = _read(row, now)
            except InvalidInputError as error:
                self._refuse(f"{row.place}: {error}")
                continue
            if self._texts and not item.body:
                continue
            yield item
            given += 1
            if given == self._limit:
                break
        if self.refused > TOLD:
            complain(f"{self.refused:,} items refused; `clickwise import` keeps such in a file")

    def _refuse(self, reason: str) -> None:
        self.refused += 1
        if self.refused <= TOLD:
            complain(f"refused {reason}")


def _read(row: Row, now: datetime) -> Item:
    if row.fault:
        raise InvalidInputError(row.fault)
    return parse_item(row.data, received=now)[0]


def items_of(path: Path, layout: str, *, texts: bool, limit: int) -> ItemFile:
    """Items of a file.

    Args:
        path: a file of items, a known data set's folder or its name.
        layout: as `--format` takes it.
        texts: only items with a body.
        limit: at most so many; 0: all.

    Raises:
        ConfigurationError: nothing there, no items in it, not recognized, or no such format.
    """
    try:
        chosen = Layout(layout)
    except ValueError as error:
        known = ", ".join(Layout)
        raise ConfigurationError(f"--format {layout}: expected one of {known}") from error
    feed = open_feed(path, chosen, TableOptions())
    if not feed.num_items:
        raise ConfigurationError(
            f"{path} holds no items; its {feed.num_events:,} rows with a user are events"
        )
    return ItemFile(feed, texts=texts, limit=limit)
