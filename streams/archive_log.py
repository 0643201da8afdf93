"""The embedded log as a source of the archive. Offsets are sequence numbers, from 1.

The log forgets (pruning), and it may be another one than before (a database made anew): what it
had forgotten before it was archived is a gap, and another log is refused, because its numbers
would be taken for those that are archived already.
"""

from collections.abc import Sequence
from datetime import datetime
from hashlib import blake2b

import msgspec
import polars as pl

from clickwise.archive import Gap, Manifest, Mark, Stream
from clickwise.archive.layout import DATABASE
from clickwise.errors import ConfigurationError
from clickwise.state.port import LogName, LogRow, State
from streams.archive_rows import (
    EventAt,
    ExposureAt,
    events_frame,
    exposures_frame,
    is_no_event,
    read_event,
    read_exposure,
)
from streams.archive_source import ROWS_AT_ONCE, Batch, Reading, moved_on

_UNREADABLE = (msgspec.MsgspecError, UnicodeDecodeError)


class DatabaseLog:
    """See `streams.archive_source.Source`."""

    def __init__(self, state: State, log: LogName, *, rows_at_once: int | None = None) -> None:
        self._state = state
        self._log = log
        self._stream = Stream(log)
        self._rows_at_once = rows_at_once or ROWS_AT_ONCE[self._stream]

    def read(self, manifest: Manifest, *, now: datetime) -> Reading:
        """See Source."""
        known = manifest.mark(self._stream, DATABASE, 0)
        mark = known or Mark(stream=self._stream, source=DATABASE, partition=0, next=1)
        # One row more, the last that is archived: it tells whether this is the same log.
        found = self._state.log_rows(
            self._log, after=max(0, mark.next - 2), limit=self._rows_at_once + 1
        )
        # Asked later than the rows, so that none can be forgotten in between unnoticed.
        forgotten = self._state.forgotten(self._log)
        rows = self._new_rows(found, known, forgotten)[: self._rows_at_once]
        lost_to = min(forgotten, rows[0].number - 1) if rows else forgotten
        first = max(mark.next, lost_to + 1)
        gaps = (self._gap(mark.next, lost_to, now),) if first > mark.next else ()
        if not rows and not gaps:
            return Reading()
        frame, refused = _FRAMES[self._log](rows)
        following = rows[-1].number + 1 if rows else first
        moved = moved_on(
            mark,
            following=following,
            rows=frame.height,
            refused=refused,
            last=_digest(rows[-1].body) if rows else "",
        )
        done = len(rows) < self._rows_at_once
        return Reading((Batch(moved, first, frame),), gaps, done)

    def _new_rows(
        self, rows: Sequence[LogRow], known: Mark | None, forgotten: int
    ) -> Sequence[LogRow]:
        """The rows that are not archived yet."""
        if known is None:
            return rows
        last = known.next - 1
        if rows and rows[0].number == last:
            if not known.last or _digest(rows[0].body) == known.last:
                return rows[1:]
        elif forgotten >= last or self._state.people.any_forgotten():
            return rows  # the row went, by age or with its user
        raise ConfigurationError(
            f"the database is not the one that the archive's {self._log} up to number {last} came"
            " from: name another folder in CLICKWISE_ARCHIVE_URL"
        )

    def _gap(self, first: int, last: int, noticed: datetime) -> Gap:
        return Gap(
            stream=self._stream, source=DATABASE, partition=0,
            first=first, last=last, noticed=noticed,
        )  # fmt: skip


def _digest(body: bytes) -> str:
    return blake2b(body, digest_size=8).hexdigest()


def _events(rows: Sequence[LogRow]) -> tuple[pl.DataFrame, int]:
    """Events as columns, and how many rows break their schema."""
    events: list[EventAt] = []
    refused = 0
    for row in rows:
        if is_no_event(row.body):
            continue
        try:
            events.append((row.number, row.received, read_event(row.body)))
        except _UNREADABLE:
            refused += 1
    return events_frame(events, source=DATABASE, partition=0), refused


def _exposures(rows: Sequence[LogRow]) -> tuple[pl.DataFrame, int]:
    exposures: list[ExposureAt] = []
    for row in rows:
        try:
            exposures.append((row.number, row.received, read_exposure(row.body)))
        except _UNREADABLE:
            continue
    return exposures_frame(exposures, source=DATABASE, partition=0), len(rows) - len(exposures)


_FRAMES = {"events": _events, "exposures": _exposures}
