"""`clickwise demo`: a slice of MovieLens lived over HTTP against a real server."""

import json
import os
import subprocess
from importlib import metadata

import pytest

from clickwise.cli.demo import DemoFigures
from clickwise.testing.running import COMMAND, HASHING
from clickwise.testing.services import missing


@pytest.fixture(scope="module")
def _lived(tmp_path_factory):
    try:
        metadata.distribution("recbole")
    except metadata.PackageNotFoundError:
        return None
    folder = tmp_path_factory.mktemp("demo")
    inherited = {k: v for k, v in os.environ.items() if not k.startswith("CLICKWISE_")}
    done = subprocess.run(
        [*COMMAND, "demo", "--once", "--json", str(folder / "out.json"), "--home",
         str(folder / "home"), "--events", "120", "--history", "3000"],
        env={**inherited, **HASHING, "OMP_NUM_THREADS": "1"},
        capture_output=True, text=True, timeout=300, check=False,
    )  # fmt: skip
    return done, folder


@pytest.fixture
def lived(_lived):
    if _lived is None:
        missing("recbole is not installed: it carries MovieLens-100k")
    return _lived


def test_every_event_is_applied_once_and_none_is_refused(lived):
    done, folder = lived
    assert done.returncode == 0, done.stderr

    figures = json.loads((folder / "out.json").read_text())

    assert figures.keys() == set(DemoFigures.__struct_fields__)
    assert figures["items"] == 1_682
    assert figures["events_applied"] == 3_120
    assert (figures["duplicates"], figures["refused"], figures["dead_letters"]) == (0, 0, 0)


@pytest.mark.case(9)
def test_lists_follow_clicks(lived):
    _, folder = lived

    figures = json.loads((folder / "out.json").read_text())

    assert figures["changed_after_click"] >= 0.9
    assert figures["freshness_seconds"].keys() == {"p50", "p99"}
    assert 0.0 < figures["freshness_seconds"]["p50"] <= figures["freshness_seconds"]["p99"]
    assert figures["next_item_hit_rate_at_10"].keys() == {"recommender", "popularity"}


def test_it_tells_what_changed_and_names_no_server_that_has_ended(lived):
    done, _ = lived

    assert "gives" in done.stdout
    assert "before" in done.stdout
    assert "changed the next list" in done.stdout
    assert "curl" not in done.stdout


def test_a_folder_that_is_somebody_elses_is_left_alone(tmp_path):
    (tmp_path / "thesis.txt").write_text("irreplaceable")

    done = subprocess.run(
        [*COMMAND, "demo", "--once", "--home", str(tmp_path)],
        env={**os.environ, **HASHING},
        capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip

    assert done.returncode == 2
    assert (tmp_path / "thesis.txt").read_text() == "irreplaceable"
