"""The archiver: what the sources give becomes Parquet files, and a manifest makes them count.

Files first, then the manifest that names them and says how far each source is archived, in one
write. So a crash at any point leaves a state of the archive in which every offset is in exactly
one file that counts, or in none and ahead of its mark; whatever else was written is litter.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import datetime, timedelta

import msgspec
import polars as pl

from clickwise import logs, metrics
from clickwise.archive import Archive, ArchivedFile, Gap, Manifest, Names, Span, Stream
from clickwise.archive.columns import parquet_bytes
from clickwise.archive.layout import FORMAT, part_name
from clickwise.clock import Clock
from clickwise.errors import ConflictError
from clickwise.types import UserId
from streams.archive_compaction import Compactor
from streams.archive_expiry import expire, first_day, without_expired
from streams.archive_renaming import rename
from streams.archive_source import Batch, Source

TRIES = 5

Forgotten = Callable[[Collection[UserId]], Mapping[UserId, datetime]]

_log = logs.get(__name__)


class Summary(msgspec.Struct, kw_only=True):
    """What one run did, and what the archive holds after it; rows by stream.

    `lost`: messages that the log had forgotten before they were archived, at most. `expired`: rows
    that went by age, or were as old when they came.
    """

    added: dict[str, int] = {}
    refused: int = 0
    lost: int = 0
    expired: int = 0
    merged: int = 0
    rows: dict[str, int] = {}
    files: dict[str, int] = {}
    seconds: float = 0.0


class Archiver:
    """Brings the archive up to date; one run after the other, in one thread."""

    def __init__(
        self,
        archive: Archive,
        sources: Sequence[Source],
        *,
        names: Names,
        file_rows: int,
        clock: Clock,
        progress: Callable[[Summary], None] = lambda _: None,
        stopped: Callable[[], bool] = lambda: False,
        forgotten: Forgotten = lambda _: {},
        kept: timedelta | None = None,
        trusted: Callable[[], bool] = lambda: True,
    ) -> None:
        """`names` stand for people in what is written; `progress` is told after every commit;
        `stopped` asked whether to end early; `forgotten` up to when some of these users are:
        nothing of theirs that is as old is written. `kept`: how long days are; None: for ever.
        `trusted`: whether files may go by their age, since the clocks agree.
        """
        self.trusted = trusted
        self._archive = archive
        self._sources = sources
        self._names = names
        self._compactor = Compactor(archive, file_rows=file_rows, clock=clock)
        self._clock = clock
        self._progress = progress
        self._stopped = stopped
        self._forgotten = forgotten
        self._kept = kept

    def run(self) -> Summary:
        """Archive what is new, let go what is too old, and merge small files.

        Raises:
            UnavailableError: a source or the store does not answer; what is committed stays.
            ConflictError: another archiver is at work.
            ConfigurationError: a source is not the one that the archive was made from, or the
                people in it have names of another database's key.
        """
        summary = Summary()
        began = self._clock.now()
        self._names.check(self._archive.newest())
        rename(self._archive, self._names, self._clock, stopped=self._stopped)
        for source in self._sources:
            self._drain(source, summary)
        if self._kept is not None:
            summary.expired += expire(
                self._archive, self._clock, kept=self._kept, stopped=self._stopped
            )
        complete = not self._stopped()
        if complete:
            summary.merged = self._compactor.run(stopped=self._stopped)
        manifest = self._archive.newest()
        for stream in Stream:
            summary.rows[stream.value] = manifest.rows_of(stream)
            summary.files[stream.value] = len(manifest.files_of(stream))
            metrics.archive_files.labels(stream.value).set(summary.files[stream.value])
        if complete:
            metrics.archive_complete.set(began.timestamp())
        summary.seconds = round((self._clock.now() - began).total_seconds(), 3)
        return summary

    def clean(self) -> int:
        """Delete files that nobody can need any more; how many (see `clickwise.archive.commits`).
        While a clock is wrong it deletes nothing: what readers are at work with would seem old.

        It reads every manifest that is kept: once an hour is often enough.
        """
        if not self.trusted():
            return 0
        return self._archive.clean(now=self._clock.now())

    def _drain(self, source: Source, summary: Summary) -> None:
        """Everything that a source has now."""
        refusals = 0
        while not self._stopped():
            manifest = self._archive.newest()
            self._names.check(manifest)
            began = self._clock.now()
            reading = source.read(manifest, now=began)
            batches = tuple(self._counting(one, began) for one in reading.batches)
            try:
                if batches:
                    self._commit(manifest, batches, reading.gaps, began=began)
            except ConflictError:
                refusals += 1
                if refusals == TRIES:
                    raise
                continue
            refusals = 0
            self._tell(manifest, batches, reading.gaps, summary)
            if reading.done:
                return

    def _commit(
        self,
        manifest: Manifest,
        batches: Sequence[Batch],
        gaps: Sequence[Gap],
        *,
        began: datetime,
    ) -> None:
        files = [file for batch in batches for file in self._written(batch)]
        changed = msgspec.structs.replace(
            manifest,
            files=(*manifest.files, *files),
            marks=manifest.marked(batch.mark for batch in batches),
            gaps=(*manifest.gaps, *gaps),
            format=FORMAT,
            key=self._names.key,
        )
        self._archive.commit(changed, began=began, now=self._clock.now())

    def _counting(self, batch: Batch, now: datetime) -> Batch:
        """What of the batch is to be written."""
        batch = without_forgotten(batch, self._forgotten)
        return batch if self._kept is None else without_expired(batch, first_day(now, self._kept))

    def _written(self, batch: Batch) -> list[ArchivedFile]:
        """A batch's files, one for each day of receipt; they do not count yet."""
        mark = batch.mark
        span = Span(mark.source, mark.partition, batch.first, mark.next - 1)
        if mark.stream is Stream.ITEMS:
            parts = {"": batch.frame} if batch.frame.height else {}
        else:
            named = self._names.named(batch.frame)
            days = named.with_columns(date=named["received"].dt.strftime("%Y-%m-%d")).partition_by(
                "date", as_dict=True, include_key=False, maintain_order=True
            )
            parts = {str(date): frame for (date,), frame in days.items()}
        files = []
        for date, frame in parts.items():
            name = part_name(mark.stream, date, span)
            data = parquet_bytes(frame)
            self._archive.store.write(name, data)
            files.append(
                ArchivedFile(
                    name=name, stream=mark.stream, date=date, rows=frame.height,
                    bytes=len(data), spans=(span,), named=mark.stream is not Stream.ITEMS,
                )
            )  # fmt: skip
        return files

    def _tell(
        self, before: Manifest, batches: Sequence[Batch], gaps: Sequence[Gap], summary: Summary
    ) -> None:
        for batch in batches:
            mark, stream = batch.mark, batch.mark.stream.value
            earlier = before.mark(mark.stream, mark.source, mark.partition)
            summary.added[stream] = summary.added.get(stream, 0) + batch.frame.height
            summary.refused += mark.refused - (earlier.refused if earlier else 0)
            summary.expired += mark.expired - (earlier.expired if earlier else 0)
            metrics.archive_rows.labels(stream).inc(batch.frame.height)
        for gap in gaps:
            summary.lost += gap.messages
            metrics.archive_lost.labels(gap.stream.value).inc(gap.messages)
            _log.warning(
                "messages were forgotten before they were archived",
                stream=gap.stream.value, source=gap.source, partition=gap.partition,
                first=gap.first, last=gap.last, at_most=gap.messages,
            )  # fmt: skip
        if batches:
            self._progress(summary)


def without_forgotten(batch: Batch, forgotten: Forgotten) -> Batch:
    """The batch without what is older than its user's erasure."""
    if batch.mark.stream is Stream.ITEMS or not batch.frame.height:
        return batch
    users = batch.frame["user"].drop_nulls().unique().to_list()
    notes = forgotten([UserId(user) for user in users])
    if not notes:
        return batch
    until = pl.col("user").replace_strict(
        dict(notes), default=None, return_dtype=pl.Datetime("us", "UTC")
    )
    old = (pl.min_horizontal("time", "received") <= until).fill_null(value=False)
    frame = batch.frame.filter(~old)
    rows = batch.mark.rows - (batch.frame.height - frame.height)
    return Batch(msgspec.structs.replace(batch.mark, rows=rows), batch.first, frame)
