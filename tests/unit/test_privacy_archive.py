"""People in the archive: left out, erased, found where they should not be."""

import os
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from clickwise.archive import Archive, LocalStore, Manifest, Mark, Names, Stream
from clickwise.archive.columns import frame_of
from clickwise.errors import ConfigurationError, ConflictError
from clickwise.events import Event
from clickwise.privacy.archive import ArchiveFiles
from clickwise.testing.doors import StoppedClock
from clickwise.types import EventId, EventType, ItemId, UserId
from streams.archive import Archiver
from streams.archive_rows import events_frame
from streams.archive_source import Batch, Reading
from tests.naming import NAMES, name_of

NOW = datetime(2026, 11, 25, 8, 30, tzinfo=UTC)
ANN, BOB = UserId("ann"), UserId("bob")


class Log:
    """A source with these events, all of them received at `NOW`."""

    def __init__(self, events: Sequence[Event]) -> None:
        self.events = list(events)

    def read(self, manifest: Manifest, *, now: datetime) -> Reading:
        del now
        mark = manifest.mark(Stream.EVENTS, "log", 0)
        first = mark.next if mark else 0
        new = [(i, NOW, e) for i, e in enumerate(self.events) if i >= first]
        if not new:
            return Reading()
        rows = (mark.rows if mark else 0) + len(new)
        moved = Mark(
            stream=Stream.EVENTS, source="log", partition=0, next=len(self.events), rows=rows
        )
        return Reading((Batch(moved, first, events_frame(new, source="log", partition=0)),))


def event(name: str, user: UserId, *, time: datetime = NOW) -> Event:
    return Event(id=EventId(name), user=user, item=ItemId("i"), type=EventType.CLICK, time=time)


@pytest.fixture
def archive(tmp_path: Path) -> Archive:
    return Archive(LocalStore(tmp_path / "archive"))


def users(archive: Archive) -> list[str]:
    files = archive.newest().files_of(Stream.EVENTS)
    frames = [frame_of(archive.store.read(file.name), Stream.EVENTS) for file in files]
    return sorted(user for frame in frames for user in frame["user"].to_list())


def names(archive: Archive) -> set[str]:
    return {file.name for file in archive.store.files("events")}


def test_what_is_older_than_its_users_erasure_is_not_archived(archive: Archive) -> None:
    log = Log([event("1", ANN), event("2", BOB)])

    Archiver(
        archive,
        [log],
        names=NAMES,
        file_rows=100,
        clock=StoppedClock(NOW),
        forgotten=lambda _: {ANN: NOW},
    ).run()

    assert users(archive) == [name_of(BOB)]
    (mark,) = archive.newest().marks
    assert (mark.next, mark.rows) == (2, 1)


def test_an_erasure_leaves_the_rows_of_others_and_no_file_with_the_user(archive: Archive) -> None:
    clock = StoppedClock(NOW)
    Archiver(
        archive, [Log([event("1", ANN), event("2", BOB)])], names=NAMES, file_rows=9, clock=clock
    ).run()
    before = names(archive)

    erased = ArchiveFiles(archive, clock, NAMES).erase(ANN, until=NOW)

    assert erased.records == 1
    assert users(archive) == [name_of(BOB)]
    assert not names(archive) & before
    assert archive.newest().marks[0].rows == 1
    assert archive.newest().marks[0].next == 2


def test_an_archiver_that_had_read_the_log_before_cannot_commit(archive: Archive) -> None:
    clock = StoppedClock(NOW)
    Archiver(archive, [Log([event("1", BOB)])], names=NAMES, file_rows=9, clock=clock).run()
    read = archive.newest()

    ArchiveFiles(archive, clock, NAMES).erase(ANN, until=NOW)

    with pytest.raises(ConflictError):
        archive.commit(read, began=NOW, now=NOW)


def test_what_a_user_did_after_an_erasure_stays(archive: Archive) -> None:
    clock = StoppedClock(NOW)
    log = Log([event("1", ANN, time=NOW - timedelta(days=1)), event("2", ANN)])
    Archiver(archive, [log], names=NAMES, file_rows=9, clock=clock).run()
    files = ArchiveFiles(archive, clock, NAMES)

    erased = files.erase(ANN, until=NOW - timedelta(hours=1))

    assert erased.records == 1
    assert users(archive) == [name_of(ANN)]
    assert files.holds(name_of(ANN).__eq__, until=NOW - timedelta(hours=1)) == 0


def test_a_file_that_does_not_count_is_found_and_deleted_once_nobody_writes_it(
    archive: Archive, tmp_path: Path
) -> None:
    clock = StoppedClock(datetime.now(UTC))
    Archiver(archive, [Log([event("1", ANN)])], names=NAMES, file_rows=9, clock=clock).run()
    (name,) = names(archive)
    litter = (tmp_path / "archive" / name).with_name("part-litter.parquet")
    litter.write_bytes(archive.store.read(name))
    files = ArchiveFiles(archive, clock, NAMES)

    young = files.erase(ANN, until=NOW)
    found = files.holds(name_of(ANN).__eq__, until=NOW)
    os.utime(litter, times=(0, 0))
    files.erase(ANN, until=NOW)

    assert young.left_until is not None
    assert found == 1
    assert files.holds(name_of(ANN).__eq__, until=NOW) == 0
    assert not litter.exists()


def test_everything_of_one_user_is_told(archive: Archive) -> None:
    clock = StoppedClock(NOW)
    Archiver(
        archive, [Log([event("1", ANN), event("2", BOB)])], names=NAMES, file_rows=9, clock=clock
    ).run()

    told = list(ArchiveFiles(archive, clock, NAMES).export(ANN))

    assert [(one["stream"], one["id"], one["user"]) for one in told] == [("events", "1", ANN)]


def test_names_of_another_database_are_told_by_all_three(archive: Archive) -> None:
    clock = StoppedClock(NOW)
    Archiver(archive, [Log([event("1", ANN)])], names=NAMES, file_rows=9, clock=clock).run()
    files = ArchiveFiles(archive, clock, Names.by("another-{}".format))

    for ask in (
        lambda: files.erase(ANN, until=NOW),
        lambda: list(files.export(ANN)),
        lambda: files.holds(ANN.__eq__, until=NOW),
    ):
        with pytest.raises(ConfigurationError, match="the key of another database"):
            ask()
