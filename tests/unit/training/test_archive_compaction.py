"""Small files become few, and hold what the many held."""

from collections import Counter

import pytest

from clickwise.archive import ArchivedFile, Span, Stream
from clickwise.archive.columns import frame_of
from streams.archive_compaction import log_groups
from tests.unit.training.archives import Log


@pytest.fixture
def log(tmp_path):
    made = Log(tmp_path, file_rows=1_000)
    yield made
    made.state.close()


def part(number, *, rows=10, date="2026-11-20", stream=Stream.EVENTS):
    return ArchivedFile(
        name=f"part-{number:03}", stream=stream, date=date, rows=rows, bytes=rows,
        spans=(Span("database", 0, number, number),),
    )  # fmt: skip


def names(groups):
    return [[file.name for file in group] for group in groups]


def test_the_files_of_a_day_that_is_over_become_one_with_the_same_rows(log):
    for hour in range(5):
        log.happened(*[f"{hour}-{n}" for n in range(3)])
        log.archive_now(rows_at_once=2)
        log.clock.advance(seconds=3_600)
    before = log.frame("events").sort("offset")
    assert len(log.manifest.files) == 10
    log.clock.advance(days=1)

    summary = log.archive_now()

    (file,) = log.manifest.files
    assert file.spans == (Span("database", 0, 1, 15),)
    assert log.frame("events").equals(before)
    assert (summary.merged, summary.files["events"]) == (10, 1)
    assert log.archive_now().merged == 0


def test_the_running_day_waits_until_there_are_many(log):
    for number in range(47):
        log.happened(f"e{number}")
        log.archive_now()
    assert len(log.manifest.files) == 47

    log.happened("e47")
    log.archive_now()

    assert len(log.manifest.files) == 1
    assert log.ids() == Counter(f"e{number}" for number in range(48))


def test_files_are_filled_and_no_more():
    files = [part(number) for number in range(10)]

    groups = log_groups(files, today="2026-11-25", file_rows=40)

    assert names(groups) == [
        [f"part-{n:03}" for n in range(4)],
        [f"part-{n:03}" for n in range(4, 8)],
        ["part-008", "part-009"],
    ]


def test_full_files_are_left_alone():
    files = [part(0, rows=40), part(1, rows=20), part(2, rows=5)]

    assert log_groups(files, today="2026-11-25", file_rows=40) == []


def test_days_and_streams_are_not_mixed():
    files = [
        part(0), part(1, date="2026-11-21"), part(2, stream=Stream.EXPOSURES),
        part(3), part(4, date="2026-11-21"), part(5, stream=Stream.EXPOSURES),
    ]  # fmt: skip

    groups = log_groups(files, today="2026-11-25", file_rows=1_000)

    assert names(groups) == [
        ["part-000", "part-003"], ["part-001", "part-004"], ["part-002", "part-005"],
    ]  # fmt: skip


def test_a_snapshot_holds_each_item_as_it_is_and_no_deleted_one(log):
    log.put("a", "b", "c", title="first")
    log.archive_now()
    log.put("a", title="second")
    log.remove("b")
    log.archive_now()
    log.put("c", title="third")
    log.put("d")

    log.archive_now()

    files = log.manifest.files_of(Stream.ITEMS)
    frame = log.frame("items").sort("id")
    assert all("/snapshot-" in file.name for file in files)
    assert dict(frame.select("id", "title").iter_rows()) == {
        "a": "second", "c": "third", "d": "d",
    }  # fmt: skip
    assert frame["vector"].to_list() == [b"\0\0\x80?"] * 3


def test_few_changes_of_many_items_are_kept_beside_the_snapshot(log):
    log.put(*[f"i{n}" for n in range(20)])
    log.archive_now()
    log.put("i1", title="changed")

    log.archive_now()

    *snapshots, change = log.manifest.files_of(Stream.ITEMS)
    assert all("/snapshot-" in file.name for file in snapshots)
    assert change.rows == 1


def test_a_snapshot_is_cut_into_files_of_bounded_size(log):
    log.put(*[f"i{n}" for n in range(25)])

    log.archive_now(file_rows=100)

    files = log.manifest.files_of(Stream.ITEMS)
    assert [file.rows for file in files] == [10, 10, 5]
    frames = [frame_of(log.store.read(file.name), Stream.ITEMS) for file in files]
    assert {name for frame in frames for name in frame["id"]} == {f"i{n}" for n in range(25)}


def test_items_that_are_all_deleted_leave_no_file(log):
    log.put("a", "b")
    log.archive_now()
    log.remove("a", "b")

    log.archive_now()

    assert log.manifest.files_of(Stream.ITEMS) == []
    assert log.archive_now().added == {}
