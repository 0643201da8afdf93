"""The archive's newest state as a `Dataset` and its sheet: the way in for every training."""

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import polars as pl

from clickwise.archive import Archive, Manifest, Stream
from clickwise.archive.columns import COLUMNS
from clickwise.archive.commits import drop_copies
from training.data import Dataset
from training.prepare.catalog import read_items
from training.prepare.events import read_events
from training.prepare.figures import data_sheet
from training.prepare.sheet import DataSheet, Intake


@dataclass(frozen=True, slots=True)
class Prepared:
    """What one training reads. `manifest`: the state of the archive that it was read from."""

    dataset: Dataset
    sheet: DataSheet
    manifest: Manifest


def prepare(
    archive: Archive,
    *,
    name: str,
    cache: Path,
    now: datetime,
    since: datetime | None = None,
    until: datetime | None = None,
    last: DataSheet | None = None,
) -> Prepared:
    """Read the archive.

    Distinct events (of one id the first that arrived) from `since` to before `until`, in
    event-time order; every item as it is now, and those that only events know, without text.
    It takes about 100 bytes of memory per event at the peak, and 21 in the end.

    Args:
        archive: where.
        name: of the data set.
        cache: folder for copies of what is in another machine's store.
        now: when the sheet is made.
        since: leave out events that happened before.
        until: leave out events that happened then or later.
        last: the sheet of the last training, which drift is measured against.

    Raises:
        NotFoundError: a file that counts is missing: the archive is damaged.
        UnavailableError: the store does not answer.
    """
    manifest = archive.newest()
    drop_copies(cache, manifest, now)
    events = read_events(_scans(archive, manifest, Stream.EVENTS, cache), since=since, until=until)
    items = read_items(_scans(archive, manifest, Stream.ITEMS, cache), mentioned=events.items)
    log = events.log(items.places_of(events.items))
    dataset = Dataset(name, log, items.items, events.users)
    intake = Intake(
        duplicates=events.duplicates,
        refused=sum(m.refused for m in manifest.marks if m.stream is Stream.EVENTS),
        lost=sum(gap.messages for gap in manifest.gaps if gap.stream is Stream.EVENTS),
        unknown=items.unknown,
    )
    return Prepared(dataset, data_sheet(dataset, intake, now=now, last=last), manifest)


def _scans(archive: Archive, manifest: Manifest, stream: Stream, cache: Path) -> list[pl.LazyFrame]:
    """The files of a stream, nothing read yet; columns that a file does not have are null."""
    return [
        pl.scan_parquet(
            archive.store.fetch(name, cache),
            schema=dict(COLUMNS[stream]),
            missing_columns="insert",
            extra_columns="ignore",
            hive_partitioning=False,
            glob=False,
        )
        for name in sorted(file.name for file in manifest.files_of(stream))
    ]
