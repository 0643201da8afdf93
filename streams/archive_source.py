"""The port between the archive and what it is made from.

Three implementations: the embedded log (`archive_log`), the items table (`archive_items`), and
Kafka (`kafka_archive`). A source keeps no place of its own: the manifest says where to go on.
"""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol

import polars as pl

from clickwise.archive import Gap, Manifest, Mark, Stream

# Messages of one reading; an exposure is a page of items.
ROWS_AT_ONCE = {Stream.EVENTS: 20_000, Stream.EXPOSURES: 2_000}


@dataclass(frozen=True, slots=True)
class Batch:
    """Offsets `first` to `mark.next - 1` of a partition: the rows that they have, in order.

    `frame` may be empty: all of them were refused, or the log had forgotten them.
    """

    mark: Mark
    first: int
    frame: pl.DataFrame


@dataclass(frozen=True, slots=True)
class Reading:
    """What a source gave. `done`: it had no more when it was asked."""

    batches: tuple[Batch, ...] = ()
    gaps: tuple[Gap, ...] = field(default=())
    done: bool = True


class Source(Protocol):
    """Where messages come from."""

    def read(self, manifest: Manifest, *, now: datetime) -> Reading:
        """Messages from the manifest's marks on, a bounded number.

        Raises:
            UnavailableError: it does not answer.
            ConfigurationError: it is another source than the archive was made from.
        """
        ...


def moved_on(mark: Mark, *, following: int, rows: int, refused: int, last: str = "") -> Mark:
    """The mark moved on to `following`, with so many more rows and refused messages."""
    return Mark(
        stream=mark.stream,
        source=mark.source,
        partition=mark.partition,
        next=following,
        rows=mark.rows + rows,
        refused=mark.refused + refused,
        last=last,
        expired=mark.expired,
    )
