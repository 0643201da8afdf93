"""Items of a file or a data set's folder, for commands that look at them and store nothing."""

import itertools
from collections.abc import Iterator
from pathlib import Path

from clickwise.clock import SystemClock
from clickwise.errors import ConfigurationError, InvalidInputError
from clickwise.imports.feed import Feed
from clickwise.imports.layouts import Layout, open_feed
from clickwise.imports.tables import TableOptions
from clickwise.items import Item, parse_item


def items_of(path: Path, layout: str, *, texts: bool, limit: int) -> Iterator[Item]:
    """Items that can be read; those that cannot are for `clickwise import` to tell.

    Args:
        path: a file of items, a known data set's folder or its name.
        layout: as `--format` takes it.
        texts: only items with a body.
        limit: at most so many; 0: all.

    Raises:
        ConfigurationError: nothing there, not recognized, or no such format.
    """
    try:
        chosen = Layout(layout)
    except ValueError as error:
        known = ", ".join(Layout)
        raise ConfigurationError(f"--format {layout}: expected one of {known}") from error
    feed = open_feed(path, chosen, TableOptions())
    return itertools.islice(_parsed(feed, texts=texts), limit or None)


def _parsed(feed: Feed, *, texts: bool) -> Iterator[Item]:
    now = SystemClock().now()
    for row in feed.items():
        try:
            item, _ = parse_item(row.data, received=now)
        except InvalidInputError:
            continue
        if item.body or not texts:
            yield item
