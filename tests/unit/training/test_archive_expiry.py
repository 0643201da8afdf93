"""Days that are too old leave the archive, and nothing is archived again or taken for lost."""

from collections import Counter
from datetime import UTC, datetime, timedelta

import msgspec
import polars as pl
import pytest
from hypothesis import given
from hypothesis import settings as of_hypothesis
from hypothesis import strategies as st

from clickwise.archive import Archive, LocalStore, Mark, Stream
from clickwise.archive.columns import frame_of
from clickwise.cli.deep_checks import archive as checked
from clickwise.cli.text_logs import archived
from clickwise.errors import ConflictError
from clickwise.events import Event
from clickwise.privacy.archive import ArchiveFiles
from clickwise.settings import load
from clickwise.testing.doors import StoppedClock
from clickwise.types import EventType, ItemId, UserId
from streams.archive import Archiver
from streams.archive_expiry import expire, first_day, without_expired
from streams.archive_rows import EventAt, events_frame
from streams.archive_source import Batch, Reading, moved_on
from tests.naming import NAMES
from tests.unit.training.archives import Log, days, once
from training.prepare.archive import prepare

WEEK = days(7)
NOW = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)
USER = UserId("u1")


@pytest.fixture
def log(tmp_path):
    made = Log(tmp_path)
    yield made
    made.state.close()


def aged(log, number):
    """An archive of so many days, with today's as the last; two events each."""
    for day in range(number):
        log.happened(f"{day}-a", f"{day}-b", user=f"u{day}")
        log.shown(f"r{day}")
        log.put(f"i{day}")
        log.archive_now()
        if day < number - 1:
            log.clock.advance(days=1)


def held(log):
    """By stream: rows in files and rows that went, as the marks count them."""
    return {mark.stream.value: (mark.rows, mark.expired) for mark in log.manifest.marks}


def test_a_day_goes_once_all_of_it_is_too_old():
    noon = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)

    assert first_day(noon, WEEK) == "2026-11-13"
    assert first_day(noon.replace(hour=0), WEEK) == "2026-11-13"
    assert first_day(noon - timedelta(hours=12, microseconds=1), WEEK) == "2026-11-12"


def test_old_days_go_and_the_others_stay(log):
    aged(log, 10)

    summary = log.archive_now(kept=WEEK)

    assert log.ids() == once(*[f"{day}-{one}" for day in range(2, 10) for one in "ab"])
    assert log.ids("exposures") == once(*[f"r{day}" for day in range(2, 10)])
    assert summary.expired == 6
    assert summary.rows == {"events": 16, "exposures": 8, "items": 10}
    assert log.archive_now(kept=WEEK).expired == 0


def test_marks_and_gaps_stay_so_that_nothing_comes_again_or_is_lost(log):
    aged(log, 10)
    before = log.manifest

    log.archive_now(kept=WEEK)
    again = log.archive_now(kept=WEEK)

    assert held(log) == {"events": (16, 4), "exposures": (8, 2), "items": (10, 0)}
    assert [mark.next for mark in log.manifest.marks] == [mark.next for mark in before.marks]
    assert [mark.last for mark in log.manifest.marks] == [mark.last for mark in before.marks]
    assert log.manifest.gaps == before.gaps
    assert (again.added, again.lost) == ({}, 0)


def test_without_the_setting_nothing_goes(log):
    aged(log, 3)
    log.clock.advance(days=3650)

    summary = log.archive_now()

    assert summary.expired == 0
    assert log.frame("events").height == 6


def test_what_is_read_late_is_counted_and_never_written(log):
    log.happened("old-1", "old-2")
    log.clock.advance(days=9)
    log.happened("new")

    first = log.archive_now(kept=WEEK)
    number = log.manifest.number
    second = log.archive_now(kept=WEEK)

    assert (first.added["events"], first.expired) == (1, 2)
    assert log.ids() == once("new")
    assert held(log)["events"] == (1, 2)
    assert (second.added, second.expired, log.manifest.number) == ({}, 0, number)


def test_a_new_event_after_the_old_days_is_archived_as_ever(log):
    aged(log, 10)
    log.archive_now(kept=WEEK)

    log.happened("later")
    summary = log.archive_now(kept=WEEK)

    assert summary.added == {"events": 1}
    assert held(log)["events"] == (17, 4)


def test_the_files_go_when_no_reader_can_have_them(log):
    aged(log, 10)
    log.archive_now(kept=WEEK)
    old = [f.name for f in log.store.files("events") if "2026-11-20" in f.name]

    log.archiver().clean()
    soon = [f.name for f in log.store.files("events") if "2026-11-20" in f.name]
    log.clock.advance(seconds=7 * 3600)
    log.date_files(log.clock.now() - days(1))
    log.archiver().clean()

    assert soon == old != []
    assert not [f for f in log.store.files("events") if "2026-11-20" in f.name]


def test_a_stop_leaves_whole_days_to_the_next_run(log):
    aged(log, 10)
    asked = iter([False])

    first = expire(log.archive, log.clock, kept=WEEK, stopped=lambda: next(asked, True))
    halfway = log.frame("events").height + log.frame("exposures").height
    second = expire(log.archive, log.clock, kept=WEEK, at_once=1)

    assert first + second == 6
    assert halfway == 30 - first
    assert held(log) == {"events": (16, 4), "exposures": (8, 2), "items": (10, 0)}


def test_old_days_go_although_others_commit_meanwhile(log):
    aged(log, 10)
    waiting = [1, 2]

    def others_commit():
        if waiting:
            waiting.pop()
            now = log.clock.now()
            log.archive.commit(log.manifest, began=now, now=now)
        return False

    assert expire(log.archive, log.clock, kept=WEEK, stopped=others_commit) == 6
    assert held(log)["events"] == (16, 4)


def test_others_who_commit_all_the_time_are_told_of(log):
    aged(log, 10)

    def others_commit():
        now = log.clock.now()
        log.archive.commit(log.manifest, began=now, now=now)
        return False

    with pytest.raises(ConflictError):
        expire(log.archive, log.clock, kept=WEEK, stopped=others_commit)
    assert held(log)["events"] == (20, 0)


def test_a_merged_file_takes_its_rows_from_each_of_its_partitions(tmp_path):
    archive, clock = Archive(LocalStore(tmp_path)), StoppedClock(NOW)
    topic = Topic({0: [(0, 9), (1, 9), (2, 0)], 1: [(0, 9), (1, 0)]})
    Archiver(archive, [topic], names=NAMES, file_rows=1_000, clock=clock).run()
    (old,) = [f for f in archive.newest().files if f.date == "2026-11-11"]
    assert len(old.spans) == 2

    expire(archive, clock, kept=WEEK)

    found = [(mark.partition, mark.rows, mark.expired) for mark in archive.newest().marks]
    assert found == [(0, 1, 2), (1, 1, 1)]


def test_a_manifest_of_before_reads_as_one_of_which_nothing_has_gone():
    mark = Mark(stream=Stream.EVENTS, source="s", partition=0, next=3, rows=2)
    earlier = {k: v for k, v in msgspec.to_builtins(mark).items() if k != "expired"}

    assert msgspec.convert(earlier, Mark) == mark


def test_items_have_no_day_and_stay():
    mark = Mark(stream=Stream.ITEMS, source="database", partition=0, next=3, rows=2)
    batch = Batch(mark, 1, pl.DataFrame({"id": ["a"]}))

    assert without_expired(batch, "9999-01-01") is batch


def test_trainings_read_what_is_left_and_an_archive_without_events(log, tmp_path):
    aged(log, 10)
    log.archive_now(kept=WEEK)

    left = prepare(log.archive, name="s", cache=tmp_path / "c", now=log.clock.now())
    log.clock.advance(days=30)
    log.archive_now(kept=WEEK)
    none = prepare(log.archive, name="s", cache=tmp_path / "c", now=log.clock.now())

    assert (len(left.dataset.log), left.manifest.gaps) == (16, ())
    assert (len(none.dataset.log), len(none.dataset.items)) == (0, 10)


def test_people_are_exported_and_erased_where_old_days_are_gone(log):
    aged(log, 10)
    log.archive_now(kept=WEEK)
    names = log.archiver()._names
    files = ArchiveFiles(log.archive, log.clock, names)

    assert [row["id"] for row in files.export(UserId("u9")) if "id" in row] == ["9-a", "9-b"]
    assert files.erase(UserId("u9"), until=log.clock.now()).records == 2
    assert held(log)["events"] == (14, 4)
    assert files.holds(lambda one: one == names.name_of("u9"), until=log.clock.now()) == 0


def test_a_deep_check_finds_no_fault_and_tells_what_went(log, tmp_path):
    aged(log, 10)
    log.archive_now(kept=WEEK)
    settings = load(
        {
            "CLICKWISE_HOME": str(tmp_path),
            "CLICKWISE_DATABASE_URL": f"sqlite:///{tmp_path}/site",
            "CLICKWISE_ARCHIVE_URL": str(tmp_path / "archive"),
        }
    )

    (seen,) = checked(settings)

    assert seen.level == "ok"
    assert "24 rows; 6 went by age" in seen.text


def test_written_titles_are_compared_by_what_is_left(log):
    aged(log, 10)
    log.archive_now(kept=WEEK)

    assert set(archived(log.archive)) == {"written", "held"}


class Topic:
    """Partitions of events: (offset, age in days), as a source of the archive."""

    def __init__(self, partitions):
        self._partitions = partitions

    def read(self, manifest, **_):
        batches = []
        for number, rows in self._partitions.items():
            known = manifest.mark(Stream.EVENTS, "t", number)
            mark = known or Mark(stream=Stream.EVENTS, source="t", partition=number, next=0)
            fresh = [(offset, age) for offset, age in rows if offset >= mark.next]
            if fresh:
                frame = events_frame(
                    [event_at(*row) for row in fresh], source="t", partition=number
                )
                following = fresh[-1][0] + 1
                moved = moved_on(mark, following=following, rows=frame.height, refused=0)
                batches.append(Batch(moved, fresh[0][0], frame))
        return Reading(tuple(batches))


def event_at(offset, age) -> EventAt:
    received = NOW - days(age)
    event = Event(id=f"e{offset}", user=USER, item=ItemId("i"), type=EventType.CLICK, time=received)
    return offset, received, event


@of_hypothesis(max_examples=25, deadline=None)
@given(
    ages=st.lists(st.lists(st.integers(0, 20), max_size=6), min_size=1, max_size=3),
    kept=st.integers(7, 15),
    turns=st.lists(st.sampled_from(["archive", "expire", "forget"]), max_size=5),
    advance=st.integers(0, 6),
)
def test_whatever_comes_in_between_rows_and_marks_agree(
    tmp_path_factory, ages, kept, turns, advance
):
    archive = Archive(LocalStore(tmp_path_factory.mktemp("archive")))
    partitions = {number: list(enumerate(each)) for number, each in enumerate(ages)}
    clock = StoppedClock(NOW)
    for turn in [*turns, "expire"]:
        window = days(kept) if turn == "expire" else None
        if turn == "forget":
            ArchiveFiles(archive, clock, NAMES).erase(UserId("nobody"), until=clock.now())
        else:
            Archiver(
                archive, [Topic(partitions)], names=NAMES, file_rows=1_000, clock=clock, kept=window
            ).run()
        clock = StoppedClock(clock.now() + days(advance))

    oldest = first_day(clock.now() - days(advance), days(kept))
    young = {
        number: sum((NOW - days(age)).date().isoformat() >= oldest for _, age in rows)
        for number, rows in partitions.items()
        if rows
    }
    manifest = archive.newest()
    assert {mark.partition: mark.rows for mark in manifest.marks} == young
    assert all(mark.rows + mark.expired == mark.next for mark in manifest.marks)
    assert rows_in(archive) == Counter({n: rows for n, rows in young.items() if rows})
    assert all(file.date >= oldest for file in manifest.files)


def rows_in(archive):
    found = Counter()
    for file in archive.newest().files:
        frame = frame_of(archive.store.read(file.name), file.stream)
        found.update(frame["partition"].to_list())
    return found
