"""The archive holds every message of the log once, whatever dies and when."""

import itertools
import json
import shutil

import msgspec
import pytest
from prometheus_client import REGISTRY

from clickwise.archive import Archive, LocalStore, Names, Stream
from clickwise.archive.commits import GRACE
from clickwise.codec import encode
from clickwise.errors import ConfigurationError, ConflictError, UnavailableError
from clickwise.merges import Merge
from streams.archive import Archiver
from streams.archive_log import DatabaseLog
from tests.unit.training.archives import DyingStore, KilledError, Log, days, hours, once


@pytest.fixture
def log(tmp_path):
    made = Log(tmp_path)
    yield made
    made.state.close()


def lost(stream="events"):
    return REGISTRY.get_sample_value("clickwise_archive_lost_total", {"stream": stream}) or 0.0


def all_files(log):
    return {file.name for stream in Stream for file in log.store.files(stream.value)}


def counted_files(log):
    return {file.name for file in log.manifest.files}


def test_what_was_logged_is_in_the_archive_as_it_was(log):
    log.happened("e1", user="ann", item="i9", type="view", value=12.5, request="r1", position=3)
    log.shown("r1")
    log.put("i1", topics=["sport"], language="en")

    summary = log.archive_now()

    (event,) = log.frame("events").rows(named=True)
    assert (event["id"], event["user"], event["item"], event["type"]) == (
        "e1", log.state.people.name_of("ann"), "i9", "view",
    )  # fmt: skip
    assert (event["value"], event["request"], event["position"]) == (12.5, "r1", 3)
    assert (event["time"], event["received"], event["offset"]) == (
        log.clock.now(), log.clock.now(), 1,
    )  # fmt: skip
    (shown,) = log.frame("exposures").rows(named=True)
    assert shown["items"][0]["propensity"] == 0.25
    assert shown["items"][0]["sources"] == ["near", "trending"]
    assert shown["degraded"] == []
    (item,) = log.frame("items").rows(named=True)
    assert (item["topics"], item["language"], item["deleted"]) == (["sport"], "en", False)
    assert summary.added == {"events": 1, "exposures": 1, "items": 1}


def test_a_run_goes_on_where_the_last_one_ended(log):
    log.happened("e1", "e2")
    log.archive_now()
    log.happened("e3")

    summary = log.archive_now()

    assert summary.added == {"events": 1}
    assert log.ids() == once("e1", "e2", "e3")
    assert log.archive_now().added == {}


def test_names_tell_source_partition_and_offsets(log):
    log.happened(*"abcde")

    log.archive_now(rows_at_once=4)

    assert [file.name for file in log.manifest.files] == [
        "events/date=2026-11-20/part-database-0-1-4.parquet",
        "events/date=2026-11-20/part-database-0-5-5.parquet",
    ]


@pytest.mark.parametrize("moment", ["before", "torn", "after"])
def test_a_crash_at_any_step_leaves_neither_a_gap_nor_a_duplicate(log, tmp_path, moment):
    log.days(3)
    names = [f"{day}-{n}" for day in range(3) for n in range(3)]
    for step in itertools.count(1):
        log.store = LocalStore(tmp_path / f"archive{step}")
        dying = DyingStore(log.store, dies_at=step, moment=moment)
        died = False
        try:
            log.archive_now(store=dying, file_rows=10)
        except KilledError:
            died = True

        for stream in ("events", "exposures"):
            mark = log.manifest.mark(Stream(stream), "database", 0)
            held = log.ids(stream)
            assert set(held.values()) <= {1}
            assert len(held) == (mark.next - 1 if mark else 0)
        log.archive_now(file_rows=10)

        assert log.ids("events") == once(*[f"e{name}" for name in names])
        assert log.ids("exposures") == once(*[f"r{name}" for name in names])
        newest = log.frame("items").sort("change").unique("id", keep="last")
        assert dict(newest.select("id", "body").iter_rows()) == {
            "i0": "day 0", "i1": "day 1", "i2": "day 2", "always": "day 2",
        }  # fmt: skip
        log.archive.clean(now=log.clock.now() + days(300))
        assert all_files(log) == counted_files(log)
        if not died:
            break
    assert step > 20


@pytest.mark.parametrize("moment", ["before", "torn", "after"])
def test_a_crash_while_cleaning_loses_nothing(log, tmp_path, moment):
    log.days(2)
    log.archive_now()
    log.clock.advance(days=300)
    log.happened("later")
    log.archive_now(file_rows=10)
    whole = log.ids()
    for step in itertools.count(1):
        shutil.copytree(tmp_path / "archive", tmp_path / f"archive{step}")
        log.store = LocalStore(tmp_path / f"archive{step}")
        dying = DyingStore(log.store, dies_at=step, moment=moment)
        died = False
        try:
            Archive(dying).clean(now=log.clock.now() + days(300))
        except KilledError:
            died = True

        assert log.ids() == whole
        if not died:
            break
    assert step > 3


def test_of_two_archivers_at_once_each_message_is_taken_by_one(log):
    log.happened(*"abcdefgh")

    class Overtaken(DatabaseLog):
        overtakings = 2

        def read(self, manifest, *, now):
            reading = super().read(manifest, now=now)
            if self.overtakings:
                self.overtakings -= 1
                log.happened(f"extra{self.overtakings}")
                log.archive_now()
            return reading

    slow = Archiver(
        log.archive,
        [Overtaken(log.state, "events", rows_at_once=4)],
        names=Names.by(log.state.people.name_of),
        file_rows=1_000,
        clock=log.clock,
    )
    slow.run()

    assert log.ids() == once(*"abcdefgh", "extra0", "extra1")


def test_an_archiver_that_is_always_overtaken_says_so(log):
    log.happened("a")

    class Overtaken(DatabaseLog):
        def read(self, manifest, *, now):
            reading = super().read(manifest, now=now)
            log.archive.commit(log.manifest, began=now, now=now)
            return reading

    slow = Archiver(
        log.archive,
        [Overtaken(log.state, "events")],
        names=Names.by(log.state.people.name_of),
        file_rows=1_000,
        clock=log.clock,
    )
    with pytest.raises(ConflictError, match="another archiver"):
        slow.run()


def test_what_the_log_forgot_before_it_was_archived_is_a_gap(log):
    log.happened("a", "b")
    log.archive_now()
    log.happened("c", "d")
    log.clock.advance(days=9)
    log.state.prune(events_before=log.clock.now())
    log.happened("e")
    counted = lost()

    summary = log.archive_now()

    (gap,) = log.manifest.gaps
    assert (gap.source, gap.first, gap.last) == ("database", 3, 4)
    assert summary.lost == 2
    assert lost() - counted == 2
    assert log.ids() == once("a", "b", "e")
    assert log.archive_now().lost == 0


def test_a_log_that_forgot_all_is_a_gap_and_is_gone_on_from(log):
    log.happened("a", "b")
    log.clock.advance(days=9)
    log.state.prune(events_before=log.clock.now())

    assert log.archive_now().lost == 2
    log.happened("c")
    log.archive_now()

    assert log.ids() == once("c")
    assert len(log.manifest.gaps) == 1


def test_forgetting_what_is_archived_is_no_gap(log):
    log.happened("a", "b")
    log.archive_now()
    log.clock.advance(days=9)
    log.state.prune(events_before=log.clock.now())
    log.happened("c")

    assert log.archive_now().lost == 0
    assert log.manifest.gaps == ()


def test_messages_that_are_no_events_are_counted_and_passed(log):
    log.logged(("a", b'{"id": "a"}'), ("b", b'{"type": "levitate"}'))
    log.happened("c")

    summary = log.archive_now()

    assert summary.refused == 2
    assert log.ids() == once("c")
    assert log.manifest.mark(Stream.EVENTS, "database", 0).refused == 2


def test_merges_and_places_in_kafkas_log_are_passed_and_break_nothing(log):
    merge = Merge(id="m", user="g", into="u1", time=log.clock.now())
    log.happened("a")
    log.logged(("m", encode(merge)), ("b", b"0:17"), ("c", b"-1:-1"))

    summary = log.archive_now()

    assert (summary.added, summary.refused) == ({"events": 1}, 0)
    mark = log.manifest.mark(Stream.EVENTS, "database", 0)
    assert (mark.next, mark.rows, mark.refused) == (5, 1, 0)
    assert log.archive_now().added == {}


def test_the_refused_of_an_earlier_manifest_which_may_be_merges_are_not_told(log, tmp_path):
    log.happened("a")
    log.archive_now()
    newest = max((tmp_path / "archive" / "manifests").glob("*.json"))
    told = json.loads(newest.read_bytes())
    for mark in told["marks"]:
        mark["refused"] = 3
        del mark["broken"]
    newest.write_text(json.dumps(told))
    log.logged(("b", b"{}"))

    summary = log.archive_now()

    assert summary.refused == 1
    mark = log.manifest.mark(Stream.EVENTS, "database", 0)
    assert (mark.next, mark.rows, mark.refused) == (3, 1, 1)


@pytest.mark.parametrize("events", [1, 5])
def test_another_database_is_refused(log, tmp_path, events):
    log.happened("a", "b", "c")
    log.archive_now()
    (tmp_path / "other").mkdir()
    other = Log(tmp_path / "other")
    other.happened(*[f"x{n}" for n in range(events)])
    other.store = log.store

    with pytest.raises(ConfigurationError, match="CLICKWISE_ARCHIVE_URL"):
        other.archive_now()
    assert log.ids() == once("a", "b", "c")
    other.state.close()


def test_a_commit_that_comes_too_late_is_not_made(log):
    log.happened("a")

    class Slow(DatabaseLog):
        def read(self, manifest, *, now):
            reading = super().read(manifest, now=now)
            log.clock.advance(seconds=GRACE.total_seconds())
            return reading

    slow = Archiver(
        log.archive,
        [Slow(log.state, "events")],
        names=Names.by(log.state.people.name_of),
        file_rows=1_000,
        clock=log.clock,
    )

    with pytest.raises(UnavailableError, match="written again"):
        slow.run()
    assert log.manifest.number == 0


def test_a_manifest_that_cannot_be_read_is_passed_over(log):
    log.happened("a")
    log.archive_now()
    log.store.write(f"manifests/{log.manifest.number + 1:012}.json", b'{"form')
    log.happened("b")

    log.archive_now()

    assert log.ids() == once("a", "b")


def test_the_archive_of_a_newer_program_is_refused(log):
    log.store.write("manifests/000000000001.json", msgspec.json.encode({"format": 3}))

    with pytest.raises(ConfigurationError, match="newer"):
        log.archive_now()


def test_replaced_files_stay_for_readers_and_then_go(log):
    log.days(2)
    log.archive_now()
    log.date_files(log.clock.now())
    log.clock.advance(days=1)
    before = log.manifest
    log.archive_now(file_rows=10)
    replaced = {file.name for file in before.files} - counted_files(log)

    log.archiver().clean()
    stay = all_files(log)
    log.clock.advance(seconds=(GRACE + hours(1)).total_seconds())
    log.archiver().clean()

    assert replaced
    assert replaced <= stay
    assert not replaced & all_files(log)
    assert log.ids() == once(*[f"e{day}-{n}" for day in range(2) for n in range(3)])


def test_a_file_that_is_not_committed_yet_stays_for_a_while(log):
    log.happened("a")
    log.archive_now()
    log.store.write("events/date=2026-11-20/part-x-0-1-2.parquet", b"of another archiver")
    log.date_files(log.clock.now())

    log.archiver().clean()
    stay = all_files(log)
    log.clock.advance(seconds=(GRACE + hours(1)).total_seconds())
    log.archiver().clean()

    assert len(stay) == 2
    assert all_files(log) == counted_files(log)


def test_old_manifests_go_and_the_newest_stays(log):
    for name in "abc":
        log.happened(name)
        log.archive_now()
    log.clock.advance(seconds=(GRACE + hours(1)).total_seconds())

    log.archiver().clean()

    assert [file.name for file in log.store.files("manifests")] == ["manifests/000000000003.json"]
