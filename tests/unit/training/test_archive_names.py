"""People in the archive have names there: from the first row, and in an archive that had ids."""

import shutil
from datetime import UTC, datetime, timedelta
from pathlib import Path

import polars as pl
import pytest

from clickwise.archive import Archive, LocalStore, Names, Stream
from clickwise.archive.columns import frame_of
from clickwise.errors import ConfigurationError, ConflictError
from clickwise.privacy.archive import ArchiveFiles
from clickwise.testing.doors import StoppedClock
from clickwise.types import UserId
from streams.archive import Archiver
from streams.archive_renaming import rename
from tests.naming import NAMES, name_of
from tests.unit.training.archives import Log

EARLIER = Path(__file__).parents[2] / "data" / "formats" / "archive-1"
NOW = datetime.now(UTC) + timedelta(hours=2)  # the files are settled
USER = UserId("ann")
OTHERS = Names.by(lambda user: f"another-key-{user}")


@pytest.fixture
def clock():
    return StoppedClock(NOW)


@pytest.fixture
def log(tmp_path):
    made = Log(tmp_path)
    yield made
    made.state.close()


@pytest.fixture
def earlier(tmp_path):
    """An archive whose people have ids."""
    shutil.copytree(EARLIER, tmp_path / "archive")
    return Archive(LocalStore(tmp_path / "archive"))


def run(archive, clock, names=NAMES):
    return Archiver(archive, [], names=names, file_rows=100, clock=clock).run()


def people(archive):
    """Of all rows that count, by stream."""
    return {
        stream: set(
            pl.concat(
                frame_of(archive.store.read(file.name), stream)
                for file in archive.newest().files_of(stream)
            )["user"]
        )
        for stream in (Stream.EVENTS, Stream.EXPOSURES)
    }


def test_no_file_of_the_archive_has_an_id(log):
    log.happened("e1", "e2", user="somebody-by-name", session="of-somebody")
    log.happened("e3", user="else")

    log.archive_now()

    names = log.frame("events")["user"].to_list()
    assert names == [log.state.people.name_of(n) for n in ("somebody-by-name",) * 2 + ("else",)]
    assert set(log.frame("events")["session"]) == {log.state.people.name_of("of-somebody"), None}
    assert log.manifest.key == log.state.people.name_of("")


def test_who_was_shown_a_list_without_an_id_has_no_name():
    frame = pl.DataFrame({"user": ["ann", None, "bob"]})

    named = NAMES.named(frame)

    assert named["user"].to_list() == [name_of("ann"), None, name_of("bob")]


def test_an_archive_with_ids_gets_names_and_nothing_else_changes(earlier, clock):
    before = earlier.newest()
    rows = frame_of(earlier.store.read(before.files_of(Stream.EVENTS)[0].name), Stream.EVENTS)

    run(earlier, clock)

    after = earlier.newest()
    assert people(earlier) == {Stream.EVENTS: {name_of(USER)}, Stream.EXPOSURES: {name_of(USER)}}
    now = frame_of(earlier.store.read(after.files_of(Stream.EVENTS)[0].name), Stream.EVENTS)
    assert now.drop("user", "session").equals(rows.drop("user", "session"))
    assert (after.marks, after.format, after.key) == (before.marks, 2, NAMES.key)
    assert all(file.named for file in after.files)
    assert [(f.rows, f.spans) for f in after.files] == [(f.rows, f.spans) for f in before.files]


def test_names_are_given_some_files_at_a_time_and_a_stop_loses_none(earlier, clock):
    asked = iter([False, True, True])

    first = rename(earlier, NAMES, clock, stopped=lambda: next(asked))
    halfway = [file.named for file in earlier.newest().files]
    second = rename(earlier, NAMES, clock, at_once=1)

    assert (first, second) == (1, 1)
    assert sorted(halfway) == [False, True]
    assert (earlier.newest().format, earlier.newest().number) == (2, 3)
    assert people(earlier) == {Stream.EVENTS: {name_of(USER)}, Stream.EXPOSURES: {name_of(USER)}}


def test_names_are_given_although_others_commit_meanwhile(earlier, clock):
    waiting = [1, 2]

    def others_commit():
        if waiting:
            waiting.pop()
            earlier.commit(earlier.newest(), began=clock.now(), now=clock.now())
        return False

    rename(earlier, NAMES, clock, stopped=others_commit)

    assert all(file.named for file in earlier.newest().files)


def test_names_are_given_once(earlier, clock):
    run(earlier, clock)
    before = earlier.newest()

    assert rename(earlier, NAMES, clock) == 0
    run(earlier, clock)

    assert earlier.newest() == before


def test_an_archiver_that_read_ids_before_cannot_commit_after(earlier, clock):
    read = earlier.newest()

    run(earlier, clock)

    with pytest.raises(ConflictError):
        earlier.commit(read, began=NOW, now=NOW)


def test_an_erasure_before_the_names_finds_ids_and_leaves_the_format(earlier, clock):
    files = ArchiveFiles(earlier, clock, NAMES)

    erased = files.erase(USER, until=NOW)

    assert erased.records == 2
    assert earlier.newest().format == 1
    assert files.holds(USER.__eq__, until=NOW) == 0


def test_an_erasure_after_the_names_finds_the_old_files_too(earlier, clock):
    run(earlier, clock)
    files = ArchiveFiles(earlier, clock, NAMES)

    erased = files.erase(USER, until=NOW)

    assert erased.records == 2
    assert files.holds(lambda one: one in (USER, name_of(USER)), until=NOW) == 0


def test_a_database_with_another_key_is_told_and_writes_nothing(log):
    log.happened("e1", user="ann")
    log.archive_now()
    before = log.manifest
    log.happened("e2", user="ann")

    other = Archiver(
        log.archive, log.archiver()._sources, names=OTHERS, file_rows=100, clock=log.clock
    )
    with pytest.raises(ConfigurationError, match="the key of another database"):
        other.run()

    assert log.manifest == before
