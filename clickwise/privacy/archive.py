"""The archive as a place that keeps people's data: files without them take the place of files.

People have names there (`clickwise.archive.names`), and ids in what a format before left: both are
looked for.

New files first, then the manifest that names them, then the old ones are deleted at once: a
training that reads them at this moment fails, and its next run has what is left. A crash in
between leaves the old files or the new ones counting, never both, and the erasure can be
repeated. A manifest is written even where nothing changes: an archiver that has read the log
before it was erased is refused, and reads again.
"""

import uuid
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta

import msgspec
import polars as pl

from clickwise.archive import Archive, ArchivedFile, Manifest, Mark, Names, Stream
from clickwise.archive.columns import frame_of, parquet_bytes
from clickwise.clock import Clock
from clickwise.codec import JsonObject
from clickwise.errors import ConflictError, NotFoundError
from clickwise.privacy.port import Erased, Whose
from clickwise.types import UserId

STREAMS = (Stream.EVENTS, Stream.EXPOSURES)
TRIES = 20
# Nobody writes a file under a name that this old one has.
SETTLED = timedelta(seconds=60)

Dropped = dict[tuple[Stream, str, int], int]


class ArchiveFiles:
    """See PersonalStore."""

    name = "archive"
    tells = (
        "the same events and exposures (`stream`), kept to learn from; `source`, `partition` and"
        " `offset` are where a row came from"
    )

    def __init__(self, archive: Archive, clock: Clock, names: Names) -> None:
        self._archive = archive
        self._clock = clock
        self._names = names

    def erase(self, user: UserId, *, until: datetime) -> Erased:
        """See PersonalStore; `user` may be a name too.

        Raises:
            ConflictError: archivers commit all the time; nothing was lost.
            ConfigurationError: another database's key made the names in it.
        """
        going = _is_going(self._both(user), until)
        for _ in range(TRIES):
            try:
                return self._attempt(going)
            except ConflictError:
                continue
        raise ConflictError("archivers commit all the time: stop them for a moment")

    def export(self, user: UserId) -> Iterator[JsonObject]:
        """See PersonalStore. The rows say the id, not the name; sessions are named.

        Raises:
            ConfigurationError: another database's key made the names in it.
        """
        manifest = self._archive.newest()
        self._names.check(manifest)
        for stream in STREAMS:
            for file in manifest.files_of(stream):
                frame = frame_of(self._archive.store.read(file.name), stream)
                theirs = frame.filter(pl.col("user").is_in(self._both(user)))
                for row in theirs.iter_rows(named=True):
                    yield {"stream": stream.value, **row, "user": user}

    def holds(self, whose: Whose, *, until: datetime) -> int:
        """See PersonalStore. Also in files that do not count (any more).

        Raises:
            ConfigurationError: another database's key made the names in it.
        """
        self._names.check(self._archive.newest())
        return sum(
            _older(frame, until).filter(pl.col("user").is_in(_meant(frame, whose))).height
            for stream in STREAMS
            for _, frame in self._frames(stream)
        )

    def _both(self, user: UserId) -> list[str]:
        return [user, self._names.name_of(user)]

    def _attempt(self, going: pl.Expr) -> Erased:
        began = self._clock.now()
        manifest = self._archive.newest()
        self._names.check(manifest)
        written = bool(manifest.number)
        dropped: Dropped = {}
        files = [self._without(file, going, dropped) for file in manifest.files]
        if written:
            kept = tuple(file for file in files if file is not None)
            marks = tuple(_less(mark, dropped) for mark in manifest.marks)
            changed = msgspec.structs.replace(manifest, files=kept, marks=marks)
            self._archive.commit(changed, began=began, now=self._clock.now())
            self._delete_replaced(manifest, changed)
        left = self._delete_litter(going)
        return Erased(
            store=self.name,
            records=sum(dropped.values()),
            left="files of an archiver that was stopped a moment ago" if left else "",
            left_until=left,
        )

    def _without(self, file: ArchivedFile, going: pl.Expr, dropped: Dropped) -> ArchivedFile | None:
        """The file without the user's rows, written beside; itself where there are none."""
        if file.stream not in STREAMS:
            return file
        frame = frame_of(self._archive.store.read(file.name), file.stream)
        gone = frame.filter(going)
        if not gone.height:
            return file
        for source, partition in gone.select("source", "partition").iter_rows():
            place = (file.stream, source, partition)
            dropped[place] = dropped.get(place, 0) + 1
        kept = frame.filter(~going)
        if not kept.height:
            return None
        data = parquet_bytes(kept)
        folder = file.name.rpartition("/")[0]
        name = f"{folder}/kept-{uuid.uuid4().hex}.parquet"
        self._archive.store.write(name, data)
        return msgspec.structs.replace(file, name=name, rows=kept.height, bytes=len(data))

    def _delete_replaced(self, before: Manifest, after: Manifest) -> None:
        counting = {file.name for file in after.files}
        for file in before.files:
            if file.name not in counting:
                self._archive.store.delete(file.name)

    def _delete_litter(self, going: pl.Expr) -> datetime | None:
        """Delete the user's files that do not count; when the last of those that are too young
        to be touched will have gone.
        """
        left: datetime | None = None
        counting = {file.name for file in self._archive.newest().files}
        ages = self._ages()
        for stream in STREAMS:
            for name, frame in self._frames(stream):
                if name in counting or not frame.filter(going).height:
                    continue
                modified = ages.get(name)
                now = self._clock.now()
                if modified is not None and now - modified < SETTLED:
                    left = max(left or now, modified + timedelta(hours=12))
                else:
                    self._archive.store.delete(name)
        return left

    def _frames(self, stream: Stream) -> Iterator[tuple[str, pl.DataFrame]]:
        """Every file of a stream that can be read, whether it counts or not."""
        for file in self._archive.store.files(stream.value):
            try:
                data = self._archive.store.read(file.name)
                yield file.name, frame_of(data, stream)
            except (NotFoundError, pl.exceptions.PolarsError):
                continue  # it has gone, or was never finished

    def _ages(self) -> Mapping[str, datetime | None]:
        return {
            file.name: file.modified
            for stream in STREAMS
            for file in self._archive.store.files(stream.value)
        }


def _is_going(names: Sequence[str], until: datetime) -> pl.Expr:
    old = (pl.col("time") <= until) | (pl.col("received") <= until)
    return (pl.col("user").is_in(names) & old).fill_null(value=False)


def _older(frame: pl.DataFrame, until: datetime) -> pl.DataFrame:
    return frame.filter((pl.col("time") <= until) | (pl.col("received") <= until))


def _meant(frame: pl.DataFrame, whose: Whose) -> list[str]:
    return [user for user in frame["user"].unique().to_list() if user is not None and whose(user)]


def _less(mark: Mark, dropped: Dropped) -> Mark:
    """The mark with the rows that are left."""
    rows = mark.rows - dropped.get((mark.stream, mark.source, mark.partition), 0)
    return msgspec.structs.replace(mark, rows=rows)
