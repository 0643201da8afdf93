"""Days of the archive that are older than a site keeps them go (`CLICKWISE_ARCHIVE_DAYS`).

A day goes once all of it is too old: commits of manifests that name its files no more, some files
at a time; the files themselves go as all do that a reader may still have (`Archive.clean`). Items
stay, and so do marks and gaps, so that nothing is archived again and nothing is taken for lost: the
`rows` of a mark that went are `expired` ones. What is read so late that its day has gone is counted
at once, and never written.
"""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial

import msgspec
import polars as pl

from clickwise import logs
from clickwise.archive import Archive, ArchivedFile, Manifest, Mark, Store, Stream
from clickwise.archive.columns import frame_of
from clickwise.clock import Clock
from streams.archive_source import Batch
from streams.archive_steps import AT_ONCE, Step, steps

# Rows by (stream, source, partition).
Rows = Mapping[tuple[Stream, str, int], int]

_log = logs.get(__name__)


@dataclass(frozen=True, slots=True)
class _Gone:
    """What a commit no longer names."""

    files: int
    rows: int


def first_day(now: datetime, kept: timedelta) -> str:
    """The oldest day of receipt of which something may be younger than `kept`."""
    return (now - kept).date().isoformat()


def expire(
    archive: Archive,
    clock: Clock,
    *,
    kept: timedelta,
    stopped: Callable[[], bool] = lambda: False,
    at_once: int = AT_ONCE,
) -> int:
    """Drop the days before `kept`; how many rows. `stopped` is asked before each file.

    Raises:
        ConflictError: other archivers commit all the time; what was committed stays.
        UnavailableError: the store does not answer; the same.
    """
    before = first_day(clock.now(), kept)

    def change(manifest: Manifest, files: Sequence[ArchivedFile]) -> Step[_Gone] | None:
        gone: set[str] = set()
        rows: Counter[tuple[Stream, str, int]] = Counter()
        for file in files:
            if stopped():
                break
            rows.update(_rows_of(archive.store, file))
            gone.add(file.name)
        if not gone:
            return None
        changed = msgspec.structs.replace(
            manifest,
            files=tuple(file for file in manifest.files if file.name not in gone),
            marks=tuple(_moved(mark, rows) for mark in manifest.marks),
        )
        return Step(changed, _Gone(len(gone), rows.total()))

    expired = 0
    for gone in steps(
        archive, clock, due=partial(_older, before=before), change=change, at_once=at_once
    ):
        expired += gone.rows
        _log.info("old days left the archive", files=gone.files, rows=gone.rows, before=before)
    return expired


def without_expired(batch: Batch, before: str) -> Batch:
    """The batch without rows that were received before that day; its mark counts them."""
    if batch.mark.stream is Stream.ITEMS or not batch.frame.height:
        return batch
    frame = batch.frame.filter(pl.col("received").dt.strftime("%Y-%m-%d") >= before)
    number = batch.frame.height - frame.height
    return Batch(_expired(batch.mark, number), batch.first, frame)


def _older(manifest: Manifest, before: str) -> list[ArchivedFile]:
    """The files of days before that one, oldest first."""
    logged = (file for file in manifest.files if file.stream is not Stream.ITEMS)
    return sorted((file for file in logged if file.date < before), key=lambda file: file.date)


def _rows_of(store: Store, file: ArchivedFile) -> Rows:
    """A file's rows by their partition; it is read only where it has those of several."""
    places = {(span.source, span.partition) for span in file.spans}
    if len(places) == 1:
        ((source, partition),) = places
        return {(file.stream, source, partition): file.rows}
    frame = frame_of(store.read(file.name), file.stream, columns=["source", "partition"])
    counts = frame.group_by("source", "partition").len()
    return {(file.stream, source, partition): rows for source, partition, rows in counts.rows()}


def _moved(mark: Mark, rows: Rows) -> Mark:
    return _expired(mark, rows.get((mark.stream, mark.source, mark.partition), 0))


def _expired(mark: Mark, number: int) -> Mark:
    """The mark with so many of its rows gone by age."""
    return msgspec.structs.replace(mark, rows=mark.rows - number, expired=mark.expired + number)
