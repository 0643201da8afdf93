"""Many small files become few of good size.

Logs: the small files of a day are merged once the day is over, and during it when there are
many. Items: rows that a later one has replaced, and deleted items, go when they are the larger
part. A merge is committed as everything is: the new file, then the manifest that names it in the
place of the old ones, which stay for readers that have begun with them (`Archive.clean`).
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import datetime
from itertools import groupby

import msgspec
import polars as pl

from clickwise.archive import Archive, ArchivedFile, Manifest, Span, Store, Stream
from clickwise.archive.columns import ITEM_COLUMNS, frame_of, parquet_bytes
from clickwise.archive.layout import DATABASE, merged_name, snapshot_name
from clickwise.clock import Clock

# An exposure holds a page of items, an item its text and vector: their size in events.
ROW_SIZES = {Stream.EVENTS: 1, Stream.EXPOSURES: 20, Stream.ITEMS: 10}
SMALL_FILES_OF_A_DAY = 48
SMALL_FILES_OF_ITEMS = 24


class Compactor:
    """Merges the files of one archive."""

    def __init__(self, archive: Archive, *, file_rows: int, clock: Clock) -> None:
        """`file_rows`: events of a full file."""
        self._archive = archive
        self._file_rows = file_rows
        self._clock = clock

    def run(self, *, stopped: Callable[[], bool]) -> int:
        """Merge what should be; how many files went into others.

        Raises:
            ConflictError: another archiver has committed meanwhile; the rest waits.
        """
        manifest = self._archive.newest()
        merged = 0
        today = self._clock.now().date().isoformat()
        for group in log_groups(manifest.files, today=today, file_rows=self._file_rows):
            if stopped():
                return merged
            began = self._clock.now()
            file = merge(self._archive.store, group)
            manifest = self._commit(manifest, group, [file], began=began)
            merged += len(group)
        items = manifest.files_of(Stream.ITEMS)
        if items_worth_a_snapshot(items) and not stopped():
            began = self._clock.now()
            rows = max(1, self._file_rows // ROW_SIZES[Stream.ITEMS])
            files = snapshot(self._archive.store, items, rows=rows)
            self._commit(manifest, items, files, began=began)
            merged += len(items)
        return merged

    def _commit(
        self,
        manifest: Manifest,
        old: Sequence[ArchivedFile],
        new: Sequence[ArchivedFile],
        *,
        began: datetime,
    ) -> Manifest:
        gone = {file.name for file in old}
        files = [file for file in manifest.files if file.name not in gone]
        changed = msgspec.structs.replace(manifest, files=(*files, *new))
        return self._archive.commit(changed, began=began, now=self._clock.now())


def log_groups(
    files: Iterable[ArchivedFile], *, today: str, file_rows: int
) -> list[list[ArchivedFile]]:
    """Files of one stream and day each, to be merged: together they make about a full file."""
    groups = []
    logged = [file for file in files if file.stream is not Stream.ITEMS]
    logged.sort(key=lambda file: (file.stream, file.date, file.spans))
    for (stream, date), of_day in groupby(logged, key=lambda file: (file.stream, file.date)):
        full = max(2, file_rows // ROW_SIZES[stream])
        small = [file for file in of_day if 2 * file.rows < full]
        if date >= today and len(small) < SMALL_FILES_OF_A_DAY:
            continue
        groups += [group for group in _shares(small, full) if len(group) > 1]
    return groups


def merge(store: Store, files: Sequence[ArchivedFile]) -> ArchivedFile:
    """Write one file with the rows of these, by source, partition and offset; as it is named."""
    stream, date = files[0].stream, files[0].date
    frame = pl.concat([frame_of(store.read(file.name), stream) for file in files]).sort(
        "source", "partition", "offset"
    )
    spans = _joined(sorted(span for file in files for span in file.spans))
    data = parquet_bytes(frame)
    name = merged_name(stream, date, spans)
    store.write(name, data)
    return ArchivedFile(
        name=name, stream=stream, date=date, rows=frame.height, bytes=len(data), spans=spans,
        named=all(file.named for file in files),
    )  # fmt: skip


def items_worth_a_snapshot(files: Sequence[ArchivedFile]) -> bool:
    """Whether what changed since the last snapshot is as much as it, or in many files."""
    later = [file for file in files if not _is_snapshot(file)]
    if len(files) < 2 or not later:
        return False
    rows = sum(file.rows for file in files if _is_snapshot(file))
    return len(later) >= SMALL_FILES_OF_ITEMS or sum(file.rows for file in later) >= rows


def snapshot(store: Store, files: Sequence[ArchivedFile], *, rows: int) -> list[ArchivedFile]:
    """Write every item's newest row, deleted ones left out, in files of `rows`; as named.

    At most one old and one new file are in memory.
    """
    change = max(span.last for file in files for span in file.spans)
    span = Span(DATABASE, 0, 1, change)
    heads = pl.concat(
        frame_of(store.read(file.name), Stream.ITEMS, columns=["id", "change", "deleted"])
        for file in files
    )
    live = heads.sort("change").unique("id", keep="last").filter(~pl.col("deleted"))
    wanted = live.select("id", "change")
    written = []
    for number, frame in enumerate(_filled(_rows_of(store, files, wanted), rows)):
        data = parquet_bytes(frame)
        name = snapshot_name(change, number)
        store.write(name, data)
        written.append(
            ArchivedFile(
                name=name, stream=Stream.ITEMS, date="", rows=frame.height, bytes=len(data),
                spans=(span,),
            )
        )  # fmt: skip
    return written


def _rows_of(
    store: Store, files: Sequence[ArchivedFile], wanted: pl.DataFrame
) -> Iterator[pl.DataFrame]:
    for file in sorted(files, key=lambda file: file.spans):
        frame = frame_of(store.read(file.name), Stream.ITEMS)
        yield frame.join(wanted, on=["id", "change"], how="semi").sort("change")


def _filled(frames: Iterable[pl.DataFrame], rows: int) -> Iterator[pl.DataFrame]:
    """The same rows in frames of `rows`, and a last one with the rest."""
    held = pl.DataFrame(schema=dict(ITEM_COLUMNS))
    for frame in frames:
        held = pl.concat([held, frame])
        while held.height >= rows:
            yield held[:rows]
            held = held[rows:]
    if held.height:
        yield held


def _shares(files: Sequence[ArchivedFile], full: int) -> Iterator[list[ArchivedFile]]:
    """The files in order, cut where a share has `full` rows."""
    share: list[ArchivedFile] = []
    for file in files:
        share.append(file)
        if sum(one.rows for one in share) >= full:
            yield share
            share = []
    if share:
        yield share


def _joined(spans: Sequence[Span]) -> tuple[Span, ...]:
    """Sorted spans with neighbors joined."""
    joined: list[Span] = []
    for span in spans:
        before = joined[-1] if joined else None
        if before and before == Span(span.source, span.partition, before.first, span.first - 1):
            joined[-1] = Span(span.source, span.partition, before.first, span.last)
        else:
            joined.append(span)
    return tuple(joined)


def _is_snapshot(file: ArchivedFile) -> bool:
    return all(span.first == 1 for span in file.spans) and "/snapshot-" in file.name
