"""The benchmarks run, and their JSON has the fields that others read. No time is asserted."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from rich.progress import Progress

from clickwise.bench import texts_away
from clickwise.bench.site import Shape
from clickwise.testing.kafka import KafkaMissingError, libraries
from clickwise.testing.postgres import PostgresMissingError, PostgresServer
from clickwise.testing.services import missing

LATENCIES = {"p50", "p90", "p99"}


def bench(tmp_path, *arguments):
    out = tmp_path / "out.json"
    command = [Path(sys.executable).parent / "clickwise", "bench", *arguments, "--json", out]
    done = subprocess.run(command, capture_output=True, text=True, timeout=240, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    report = json.loads(out.read_text())
    assert report["machine"]["cores"] >= 1
    return report


@pytest.fixture
def services():
    try:
        libraries()
        PostgresServer().remove()
    except (KafkaMissingError, PostgresMissingError) as error:
        missing(str(error))


def test_serve_reports_every_run_the_floor_and_the_recall(tmp_path):
    report = bench(
        tmp_path, "serve", "--items", "1000", "--users", "20", "--dimension", "32",
        "--clients", "1,3", "--workers", "1", "--seconds", "0.5",
    )  # fmt: skip

    assert [(run["workers"], run["clients"]) for run in report["runs"]] == [(1, 1), (1, 3)]
    for run in report["runs"]:
        assert run["requests_per_second"] > 0
        assert run["latency_seconds"].keys() >= LATENCIES
        assert run["degraded"] == 0
    assert report["floor_seconds"] > 0
    assert report["ratio_to_floor"] > 0
    assert report["recall_at_200"] >= 0.95


@pytest.mark.usefixtures("services")
def test_freshness_reports_both_engines(tmp_path):
    report = bench(
        tmp_path, "freshness", "--events", "5", "--items", "1000", "--users", "10",
        "--dimension", "32",
    )  # fmt: skip

    assert report["embedded"].keys() >= LATENCIES
    assert report["kafka"].keys() >= LATENCIES


@pytest.mark.usefixtures("services")
def test_ingest_reports_rates_floor_and_burst(tmp_path):
    report = bench(
        tmp_path, "ingest", "--events", "1000", "--users", "50", "--items", "1000",
        "--burst", "200", "--real-encoder-burst", "0",
    )  # fmt: skip

    assert report["embedded_events_per_second"].keys() == {"batched", "single"}
    for name in ("batched", "single"):
        assert report["embedded_runs"][name].keys() == {"clients", "num_events"}
    assert report["stream_events_per_second"] > 0
    assert report["faust_floor_events_per_second"] > 0
    assert report["burst"]["ratio"] > 0


def test_scale_reports_every_size(tmp_path):
    report = bench(
        tmp_path, "scale", "--items", "1000,2000", "--users", "500,600", "--histories", "50,400"
    )

    assert [size["items"] for size in report["by_items"]] == [1000, 2000]
    assert [size["users"] for size in report["by_users"]] == [500, 600]
    for size in (*report["by_items"], *report["by_users"]):
        assert size["figures"]["recommend_seconds"].keys() >= LATENCIES
        assert size["figures"]["memory"]["resident"] > 0
        assert size["figures"]["shortest"] == 10
    assert [size["events"] for size in report["by_history"]] == [50, 400]


def test_a_wrong_number_is_said_and_nothing_is_measured():
    command = [Path(sys.executable).parent / "clickwise", "bench", "serve", "--clients", "none"]

    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)

    assert done.returncode == 2
    assert "1,8,32" in done.stderr


@pytest.mark.case(16)
def test_swap_fails_mixes_and_loses_nothing(tmp_path):
    report = bench(
        tmp_path, "swap", "--swaps", "2", "--items", "1000", "--users", "20",
        "--dimension", "32", "--dimensions", "24,40", "--requests", "30", "--events", "30",
    )  # fmt: skip

    assert report["first_failure"] == ""
    assert report["failed_requests"] == 0
    assert report["mixed_vectors"] == 0
    assert report["events_lost"] == 0
    assert report["events_twice"] == 0
    assert report["swaps"] == 4
    assert min(report["checked"], report["told_apart"], report["events"]) > 0
    assert report["during"].keys() >= LATENCIES
    assert report["outside"].keys() >= LATENCIES
    assert report["p99_ratio"] > 0


def test_load_finds_a_knee_and_counts_who_is_refused_beyond_it(tmp_path):
    report = bench(
        tmp_path, "load", "--items", "1000", "--users", "20", "--dimension", "32",
        "--seconds", "0.6", "--run-seconds", "1", "--light", "10", "--times", "100",
        "--spacing", "even",
    )  # fmt: skip

    assert report["steps"][0]["offered"] == 10
    assert report["twice"]["offered"] == pytest.approx(2 * report["knee"]["offered"], abs=0.2)
    assert report["knee"]["offered"] in [step["offered"] for step in report["steps"]]
    for step in (*report["steps"], report["knee"], report["twice"]):
        assert step["seconds"].keys() >= LATENCIES
        assert step["lag_seconds"].keys() >= LATENCIES
        assert (step["refused_soon"] is None) == (step["refused"] == 0)
    assert report["refused_by_client"] == report["refused_by_server"]
    assert report["p99_ratio"] > 0
    assert [held["after"] for held in report["held"]] == ["the knee", "twice the knee"]
    assert all(held["own_bytes"] > 0 < held["open_files"] for held in report["held"])


@pytest.mark.usefixtures("services")
def test_elastic_loses_and_repeats_nothing_as_workers_join_and_leave(tmp_path):
    report = bench(
        tmp_path, "elastic", "--workers", "1,2,1", "--users", "50", "--backlog", "2000",
        "--seconds", "1",
    )  # fmt: skip

    assert [phase["workers"] for phase in report["phases"]] == [1, 2, 1]
    assert (report["events_lost"], report["events_twice"]) == (0, 0)
    assert report["num_events"] >= 2000
    for phase in report["phases"]:
        assert phase["change_seconds"] > 0
        assert phase["gap_seconds"] > 0 < phase["change_gap_seconds"]
    assert report["longest_gap_seconds"] in {
        phase[name] for phase in report["phases"] for name in ("gap_seconds", "change_gap_seconds")
    }


@pytest.mark.case(19)
def test_lists_are_made_whatever_the_language_model_does(tmp_path, monkeypatch):
    small = Shape(items=300, users=20, events_per_user=5, dimension=32)
    for name, value in (("SHAPE", small), ("SECONDS", 0.5), ("WARMUP_SECONDS", 0.1)):
        monkeypatch.setattr(texts_away, name, value)

    with Progress(disable=True) as bar:
        quiet = texts_away.measure_quiet(tmp_path, rounds=1, bar=bar)

    assert quiet.opened  # each time, as the process of words says in its metrics
    assert quiet.recovered
    assert set(quiet.seconds) == set(texts_away.STATES)
    assert all(found.num_samples > 0 for found in quiet.seconds.values())
    assert set(quiet.p99_ratios) == set(texts_away.STATES) - {"answers"}
