"""The sizing formulas: read from real reports of `clickwise bench`, and growing as they should."""

import subprocess
import sys
from dataclasses import fields, replace

import msgspec
import pytest

from clickwise.bench import ingest, overload, scale, serve
from deploy.sizing import Demand, Measured, Size, measured_by, size_of
from tests.deploy.files import ROOT

MEASURED = Measured(requests_per_second=500.0, events_per_second=3_000.0, profile_bytes=10_000.0)
DEMAND = Demand(
    requests_per_second=1_200, events_per_second=9_000, events_per_day=10**8, items=10**6,
    users=10**6,
)  # fmt: skip


def reports(**changed):
    given = {
        "serve": {
            "runs": [
                {"workers": 1, "requests_per_second": 400.0},
                {"workers": 1, "requests_per_second": 500.0},
                {"workers": 2, "requests_per_second": 800.0},
            ]
        },
        "ingest": {"stream_events_per_second": 3_000.0},
        "scale": {"by_history": [{"bytes_per_user": 9_000}, {"bytes_per_user": 10_000}]},
    }
    return {name: msgspec.json.encode(one) for name, one in {**given, **changed}.items()}


def test_the_figures_come_from_the_reports():
    assert measured_by(**reports()) == MEASURED


def test_the_knee_of_an_open_loop_counts_for_each_of_its_workers():
    knee = {"workers": 2, "knee_requests_per_second": 700.0}

    assert measured_by(**reports(serve=knee)).requests_per_second == 350.0


def test_the_figures_have_the_names_that_the_benches_write():
    assert {"workers", "knee_requests_per_second"} <= set(overload.LoadReport.__struct_fields__)
    assert {"runs"} <= set(serve.ServeReport.__struct_fields__)
    assert {"workers", "requests_per_second"} <= set(serve.Run.__struct_fields__)
    assert "stream_events_per_second" in ingest.IngestReport.__struct_fields__
    assert "by_history" in scale.ScaleReport.__struct_fields__
    assert "bytes_per_user" in scale.HistorySize.__struct_fields__


@pytest.mark.parametrize(
    ("name", "report", "words"),
    [
        ("serve", {"runs": []}, "bench serve"),
        ("ingest", {"stream_events_per_second": None}, "--kafka"),
        ("scale", {"by_history": []}, "by_history"),
    ],
)
def test_a_figure_that_is_missing_is_named(name, report, words):
    with pytest.raises(ValueError, match=words):
        measured_by(**reports(**{name: report}))


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("ingest", b'{"by_history": []}', "field `stream_events_per_second`"),
        ("scale", b'{"stream_events_per_second": 1.0}', "field `by_history`"),
        ("scale", b'{"by_history": [{}]}', "field `bytes_per_user`"),
        ("serve", b'{"runs": 3}', "$.runs"),
        ("serve", b'{"by_history": []}', "knee_requests_per_second"),
        ("serve", b"[", "bench load"),
        ("scale", None, "cannot be read"),
    ],
)
def test_another_kind_of_report_is_a_wrong_use_that_names_file_and_field(
    tmp_path, name, content, words
):
    for one, report in reports().items():
        (tmp_path / f"{one}.json").write_bytes(report)
    if content is None:
        (tmp_path / f"{name}.json").unlink()
    else:
        (tmp_path / f"{name}.json").write_bytes(content)

    done = sized(tmp_path)

    *_, line = done.stderr.splitlines()
    assert done.returncode == 2
    assert str(tmp_path / f"{name}.json") in line
    assert words in line
    assert "Traceback" not in done.stderr


def test_the_workers_keep_up_with_the_peak_at_their_share():
    size = size_of(DEMAND, MEASURED)

    assert size.serving_workers == 4  # 1,200 / (500 x .6)
    assert size.stream_workers == 5  # 9,000 / (3,000 x .6)
    assert size.partitions == 16  # a power of two, twice the workers or more


def test_a_small_site_has_two_of_each_so_that_one_may_die():
    size = size_of(replace(DEMAND, requests_per_second=1, events_per_second=1), MEASURED)

    assert (size.serving_workers, size.stream_workers) == (2, 2)


def test_twice_the_demand_is_twice_the_room():
    twice = replace(
        DEMAND,
        events_per_day=2 * DEMAND.events_per_day,
        items=2 * DEMAND.items,
        users=2 * DEMAND.users,
    )

    before, after = size_of(DEMAND, MEASURED), size_of(twice, MEASURED)

    for name in ("qdrant_memory_bytes", "database_bytes", "kafka_bytes", "archive_bytes_per_day"):
        assert getattr(after, name) == pytest.approx(2 * getattr(before, name))


def test_the_command_prints_every_size(tmp_path):
    for name, report in reports().items():
        (tmp_path / f"{name}.json").write_bytes(report)

    done = sized(tmp_path)

    assert done.returncode == 0
    assert len(done.stdout.splitlines()) == len(fields(Size))


def sized(folder):
    """What the command says of the reports in a folder."""
    files = [part for name in reports() for part in (f"--{name}", folder / f"{name}.json")]
    wanted = "--requests 400 --events 6000 --events-per-day 1000000 --items 1000 --users 1000"
    return subprocess.run(
        [sys.executable, "-m", "deploy.sizing", *files, *wanted.split()],
        capture_output=True, text=True, check=False, cwd=ROOT,
    )  # fmt: skip
