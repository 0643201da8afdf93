"""What the archive holds, in words: the manifest, and the names of files.

    events/date=2026-11-25/part-clickwise.events-0-0-4999.parquet   one source's offsets 0 to 4999
    events/date=2026-11-24/merged-3f0c...parquet                    several of them, compacted
    exposures/date=...
    items/part-database-0-1-900.parquet                             changes 1 to 900
    items/snapshot-900-0.parquet                                    the items as of change 900
    manifests/000000000042.json                                     what counts

Only files that the newest manifest names count; anything else is litter of a crash, or kept for
readers of an earlier manifest. A *source* is where offsets come from: a topic's full name, or
`database` (the embedded log, whose offsets are sequence numbers; items, whose offsets are
changes). The date is that of receipt, so that a day which is over changes no more.
"""

import enum
from collections.abc import Iterable, Sequence
from datetime import datetime
from hashlib import blake2b

import msgspec

FORMAT = 2  # 1: people by their ids, see `clickwise.archive.names`
DATABASE = "database"
MANIFESTS = "manifests"


class Stream(enum.StrEnum):
    """What is archived."""

    EVENTS = "events"
    EXPOSURES = "exposures"
    ITEMS = "items"


class Span(msgspec.Struct, frozen=True, order=True):
    """Offsets `first` to `last`, both included, of a source's partition."""

    source: str
    partition: int
    first: int
    last: int


class ArchivedFile(msgspec.Struct, frozen=True, kw_only=True):
    """A file that counts. `spans`: the rows of its date that these offsets have, all of them.

    `date` is empty for items. `named`: people have names in it, not ids; format 1 knows none.
    """

    name: str
    stream: Stream
    date: str
    rows: int
    bytes: int
    spans: tuple[Span, ...]
    named: bool = False


class Mark(msgspec.Struct, frozen=True, kw_only=True):
    """How far a source's partition is archived: every offset below `next` is accounted for.

    `rows` are in files; `refused` broke their schema (dead letters hold them), merges are neither.
    The field `refused` of earlier programs, which counted merges too, is not read: the count begins
    anew. `last` is a digest of the message before `next` where the source can be another one under
    the same name.
    `expired`: rows that went by age. A program that does not know a count works all the same and
    lets it go: it is what the archive tells, and nothing rests on it.
    """

    stream: Stream
    source: str
    partition: int
    next: int
    rows: int = 0
    refused: int = msgspec.field(default=0, name="broken")
    last: str = ""
    expired: int = 0


class Gap(msgspec.Struct, frozen=True, kw_only=True):
    """Offsets that the log had forgotten before they were archived; at most so many messages."""

    stream: Stream
    source: str
    partition: int
    first: int
    last: int
    noticed: datetime

    @property
    def messages(self) -> int:
        """How many at most: sequence numbers of a database may have been skipped."""
        return self.last - self.first + 1


class Manifest(msgspec.Struct, frozen=True, kw_only=True):
    """The commit record: which files count, and how far each source is archived.

    `key`: whose names the people in it have; empty in format 1.
    """

    number: int = 0  # 0: nothing is archived yet
    written: datetime | None = None
    files: tuple[ArchivedFile, ...] = ()
    marks: tuple[Mark, ...] = ()
    gaps: tuple[Gap, ...] = ()
    format: int = FORMAT
    key: str = ""

    def files_of(self, stream: Stream) -> list[ArchivedFile]:
        """The files of one stream."""
        return [file for file in self.files if file.stream is stream]

    def rows_of(self, stream: Stream) -> int:
        """Rows of one stream, all files together."""
        return sum(file.rows for file in self.files_of(stream))

    def mark(self, stream: Stream, source: str, partition: int) -> Mark | None:
        """How far that partition is archived; None: not begun."""
        for mark in self.marks:
            if (mark.stream, mark.source, mark.partition) == (stream, source, partition):
                return mark
        return None

    def marked(self, marks: Iterable[Mark]) -> tuple[Mark, ...]:
        """The marks with these in the place of older ones."""
        found = {(mark.stream, mark.source, mark.partition): mark for mark in self.marks}
        found.update({(mark.stream, mark.source, mark.partition): mark for mark in marks})
        return tuple(found[place] for place in sorted(found))


def manifest_name(number: int) -> str:
    """Name of a manifest; names sort as numbers do."""
    return f"{MANIFESTS}/{number:012}.json"


def part_name(stream: Stream, date: str, span: Span) -> str:
    """Name of the file with one span's rows of a date."""
    place = f"{span.source}-{span.partition}-{span.first}-{span.last}"
    return f"{_folder(stream, date)}/part-{place}.parquet"


def merged_name(stream: Stream, date: str, spans: Sequence[Span]) -> str:
    """Name of the file with the rows of a date that these sorted spans have."""
    digest = blake2b(msgspec.json.encode(spans), digest_size=12).hexdigest()
    return f"{_folder(stream, date)}/merged-{digest}.parquet"


def snapshot_name(change: int, number: int) -> str:
    """Name of one of the files that hold all items as `change` left them."""
    return f"{Stream.ITEMS.value}/snapshot-{change}-{number}.parquet"


def _folder(stream: Stream, date: str) -> str:
    return f"{stream.value}/date={date}" if date else stream.value
