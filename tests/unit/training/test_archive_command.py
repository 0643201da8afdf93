"""`clickwise archive`, as it is typed."""

import json
import os
import signal
import threading

import pytest

from clickwise.cli import run
from clickwise.cli.exits import Exit
from clickwise.state.sql import SqlState
from clickwise.testing.processes import wait_until
from tests.unit.training.archives import Log


@pytest.fixture
def log(monkeypatch, tmp_path):
    home = tmp_path / "home"
    home.mkdir()
    made = Log(tmp_path)
    monkeypatch.setenv("CLICKWISE_HOME", str(home))
    monkeypatch.setenv("CLICKWISE_DATABASE_URL", f"sqlite:///{tmp_path}/site")
    yield made
    made.state.close()


def test_once_archives_what_is_there_and_tells_it_as_json(log, capsys, tmp_path):
    log.happened("a", "b")

    assert run(["archive", "--once", "--json"]) == Exit.DONE

    told = json.loads(capsys.readouterr().out)
    assert told["added"] == {"events": 2}
    assert told["rows"] == {"events": 2, "exposures": 0, "items": 0}
    assert list((tmp_path / "home" / "archive" / "events").rglob("*.parquet"))


def test_people_are_told_in_a_line(log, capsys):
    log.logged(("bad", b"{}"))
    log.happened("a", "b")

    run(["archive", "--once"])

    line = " ".join(capsys.readouterr().out.split())
    assert line.startswith("added 2 events, 0 exposures, 0 items; the archive holds 2 events")
    assert "1 messages broke their schema" in line


def test_days_that_are_too_old_are_told(log, monkeypatch, capsys):
    monkeypatch.setenv("CLICKWISE_ARCHIVE_DAYS", "7")
    log.clock.advance(days=-3650)
    log.happened("a", "b")

    run(["archive", "--once"])

    line = " ".join(capsys.readouterr().out.split())
    assert line.startswith("added 0 events, 0 exposures, 0 items; the archive holds 0 events")
    assert "2 rows were older than CLICKWISE_ARCHIVE_DAYS and went" in line


@pytest.mark.usefixtures("log")
def test_a_trainings_copies_of_what_went_go_too(tmp_path):
    folder = tmp_path / "home" / "training" / "archive-cache" / "events" / "date=2020-01-01"
    folder.mkdir(parents=True)
    copy = folder / "a.parquet"
    copy.write_bytes(b"")
    os.utime(copy, (0, 0))

    run(["archive", "--once"])

    assert not copy.exists()


@pytest.mark.usefixtures("log")
def test_no_file_goes_by_a_clock_that_the_database_contradicts(monkeypatch, capsys, tmp_path):
    monkeypatch.setenv("CLICKWISE_ARCHIVE_DAYS", "7")
    day = "events/date=2020-01-01/part-x-0-1-2.parquet"
    replaced = tmp_path / "home" / "archive" / day
    copy = tmp_path / "home" / "training" / "archive-cache" / day
    for path in (replaced, copy):
        path.parent.mkdir(parents=True)
        path.write_bytes(b"")
        os.utime(path, (0, 0))

    with monkeypatch.context() as apart:
        apart.setattr(SqlState, "clock_skew_seconds", lambda _: 4_000.0)
        code = run(["archive", "--once"])
    there = replaced.exists(), copy.exists()
    said = capsys.readouterr().err
    run(["archive", "--once"])

    assert code == Exit.DONE
    assert there == (True, True)
    assert said.count("expiry_put_off") == 1
    assert (replaced.exists(), copy.exists()) == (False, False)


def test_a_url_says_where(log, monkeypatch, tmp_path):
    monkeypatch.setenv("CLICKWISE_ARCHIVE_URL", f"file://{tmp_path}/elsewhere")
    log.happened("a")

    assert run(["archive", "--once"]) == Exit.DONE
    assert list((tmp_path / "elsewhere" / "events").rglob("*.parquet"))


def test_again_and_again_until_it_is_stopped(log, capsys, tmp_path):
    log.happened("a")
    log.store = type(log.store)(tmp_path / "home" / "archive")

    def produce_then_stop():
        try:
            wait_until(lambda: len(log.ids()) == 1, seconds=30.0, what="the first archived")
            log.happened("b")
            wait_until(lambda: len(log.ids()) == 2, seconds=30.0, what="the second archived")
        finally:
            os.kill(os.getpid(), signal.SIGTERM)

    thread = threading.Thread(target=produce_then_stop)
    thread.start()
    code = run(["archive", "--every", "0.1", "--json"])
    thread.join()

    assert code == Exit.DONE
    runs = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert sum(one["added"].get("events", 0) for one in runs) == 2
    assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL


def test_once_and_every_exclude_each_other(capsys):
    assert run(["archive", "--once", "--every", "5"]) == Exit.USAGE
    assert "exclude each other" in capsys.readouterr().err


@pytest.mark.usefixtures("log")
def test_a_store_that_nobody_knows_is_wrong_use(capsys, monkeypatch):
    monkeypatch.setenv("CLICKWISE_ARCHIVE_URL", "nosuchthing://x")

    assert run(["archive", "--once"]) == Exit.USAGE
    assert capsys.readouterr().err.count("\n") == 1
