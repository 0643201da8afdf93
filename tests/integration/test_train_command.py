"""`clickwise train` and `clickwise models`, as they are typed."""

import json
import os
import re
import signal
import subprocess
import sys

import pytest

from clickwise.cli.training import leased, seconds_of
from clickwise.errors import ConfigurationError
from clickwise.settings import load
from clickwise.testing.processes import wait_until

SITE = {"CLICKWISE_ENCODER_MODEL": "hashing:16", "OMP_NUM_THREADS": "1"}


def environment():
    inherited = {k: v for k, v in os.environ.items() if not k.startswith("CLICKWISE_")}
    return {**inherited, **SITE}


def clickwise(*arguments, home):
    return subprocess.run(
        [sys.executable, "-m", "clickwise.cli", *arguments, "--home", str(home)],
        env=environment(),
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )


def write_site(path, *, users=24, items=60, events=20):
    """Items of two kinds, and people who click one kind each in an order that they share."""
    rows = [
        {"id": f"item-{place}", "kind": "news", "title": f"story number {place}"}
        for place in range(items)
    ]
    rows += [
        {
            "id": f"e{step}-{user}",
            "user": f"user-{user}",
            "item": f"item-{(2 * (step + user // 2) + user % 2) % items}",
            "type": "click",
            "time": f"2026-01-{1 + step:02d}T00:00:{user:02d}Z",
        }
        for step in range(events)
        for user in range(users)
    ]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A home whose model was trained from imported events, by the archive."""
    folder = tmp_path_factory.mktemp("site")
    home = folder / "home"
    imported = clickwise(
        "import", "--time", "shift-to-now", str(write_site(folder / "site.jsonl")), home=home
    )
    assert imported.returncode == 0, imported.stderr
    done = clickwise(
        "train", "once", "--epochs", "2", "--dimension", "8", "--width", "16", "--json",
        str(folder / "outcome.json"), "--tensorboard", str(folder / "board"), home=home,
    )  # fmt: skip
    assert done.returncode in {0, 1}, done.stderr
    return folder, home, done


def test_a_training_says_what_the_gate_decided_and_why(trained):
    folder, _, done = trained
    outcome = json.loads((folder / "outcome.json").read_text())

    assert outcome["version"] in done.stdout
    assert outcome["verdict"]["conditions"][0]["name"] == "cases"
    passed = all(one["passed"] for one in outcome["verdict"]["conditions"])
    assert (done.returncode == 0) == passed
    assert outcome["promoted"] == passed
    assert "Traceback" not in done.stderr
    assert list((folder / "board").glob("events.*"))


def test_without_a_terminal_each_stage_is_a_line(trained):
    _, _, done = trained

    said = [line.split(" s  ")[1] for line in done.stderr.splitlines() if " s  " in line]
    stages = ("reading the archive", "early: ", "ranker: ", "late: ", "export: ", "judging ")
    places = [next(n for n, line in enumerate(said) if line.startswith(one)) for one in stages]
    assert places == sorted(places)
    assert any(line.startswith("early: epoch 1: loss") for line in said)


def test_the_share_of_a_training_that_is_done_never_falls(trained):
    _, _, done = trained

    shares = [int(share) for share in re.findall(r"\((\d+)%\)$", done.stderr, re.MULTILINE)]

    assert shares == sorted(shares)
    assert len(set(shares)) > 4


def test_the_seconds_of_learning_are_told_from_those_of_the_call(trained):
    _, _, done = trained

    (learning, call) = re.findall(
        r"learning took ([\d.]+) s, this call ([\d.]+) s in all", " ".join(done.stdout.split())
    )[0]

    assert float(learning) < float(call)


def test_a_training_that_is_stopped_says_so_and_is_taken_up(tmp_path):
    home = tmp_path / "home"
    clickwise(
        "import", "--time", "shift-to-now", str(write_site(tmp_path / "site.jsonl")), home=home
    )
    command = ("train", "once", "--epochs", "40", "--dimension", "8", "--width", "16")
    with subprocess.Popen(
        [sys.executable, "-m", "clickwise.cli", *command, "--home", str(home)],
        env=environment(), stderr=subprocess.PIPE, text=True,
    ) as first:  # fmt: skip
        wait_until(
            lambda: any((home / "training" / "jobs").glob("*/early/checkpoint.pt")),
            seconds=300.0,
            what="a checkpoint",
        )
        first.send_signal(signal.SIGSTOP)  # or it may have ended before the other has begun
        busy = clickwise("train", "once", home=home)
        first.terminate()
        first.send_signal(signal.SIGCONT)
        _, said = first.communicate(timeout=300)

    assert busy.returncode == 1
    assert "a trainer is at work" in busy.stderr
    assert first.returncode == 130
    assert said.splitlines()[-1].startswith("clickwise: stopped; the same command goes on")
    again = clickwise(*command, home=home)
    assert again.returncode in {0, 1}, again.stderr
    assert "taking up the job of " in again.stderr


def test_a_second_trainer_is_told_before_torch_is_loaded(tmp_path):
    program = (
        "import sys; from clickwise.cli import run; code = run(sys.argv[1:]);"
        "print(code, 'torch' in sys.modules)"
    )
    settings = load({}, home=str(tmp_path))
    with leased(settings):
        done = subprocess.run(
            [sys.executable, "-c", program, "train", "once", "--home", str(tmp_path)],
            env=environment(), capture_output=True, text=True, timeout=600, check=False,
        )  # fmt: skip

    assert "a trainer is at work" in done.stderr
    assert done.stdout == "1 False\n"


def test_models_can_be_listed_shown_and_compared(trained):
    folder, home, _ = trained
    version = json.loads((folder / "outcome.json").read_text())["version"]

    listed = json.loads(clickwise("models", "list", "--json", home=home).stdout)
    assert [one["version"] for one in listed] == [version]
    card = clickwise("models", "show", version, home=home)
    assert card.stdout.startswith(f"# {version}")
    shown = json.loads(clickwise("models", "show", "1", "--json", home=home).stdout)
    assert shown["params"]["width"] == "16"
    same = clickwise("models", "diff", "1", version, home=home)
    assert "no parameter and no figure differs" in same.stdout
    missing = clickwise("models", "show", "learned-0", home=home)
    assert (missing.returncode, missing.stdout) == (1, "")
    assert missing.stderr.startswith("clickwise: no model 'learned-0'")


def test_a_search_tries_the_defaults_first_and_says_each_trial(trained):
    folder, home, _ = trained
    found = clickwise(
        "train", "search", "--trials", "1", "--epochs", "1", "--json", str(folder / "search.json"),
        home=home,
    )  # fmt: skip

    assert found.returncode == 0, found.stderr
    (trial,) = json.loads((folder / "search.json").read_text())["trials"]
    assert trial["values"]["dimension"] == 64
    assert "trial 1: " in found.stderr


def test_there_is_nothing_to_go_on_from_under_day_0(tmp_path):
    home = tmp_path / "home"
    imported = clickwise(
        "import", "--time", "shift-to-now", str(write_site(tmp_path / "site.jsonl")), home=home
    )
    assert imported.returncode == 0, imported.stderr

    refused = clickwise("train", "once", "--incremental", home=home)

    assert refused.returncode == 1
    (reason,) = [one for one in refused.stderr.splitlines() if one.startswith("clickwise: ")]
    assert reason.endswith("there is nothing to go on from; train in full")
    assert "Traceback" not in refused.stderr


@pytest.mark.parametrize(
    ("text", "seconds"), [("90", 90.0), ("90s", 90.0), ("10m", 600.0), ("2h", 7200.0)]
)
def test_durations_are_read(text, seconds):
    assert seconds_of(text) == seconds


@pytest.mark.parametrize("text", ["", "m", "0s", "-1h", "10w", "inf"])
def test_what_is_no_duration_is_refused(text):
    with pytest.raises(ConfigurationError):
        seconds_of(text)
