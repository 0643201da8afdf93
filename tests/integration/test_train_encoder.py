"""`train once --encoder`: a model that reads the items with another text encoder comes to serve."""

import json
import shlex
import subprocess
import sys

import pytest

from clickwise.testing.tiny_bert import write_tiny_bert
from tests.integration.test_train_command import clickwise, environment, write_site


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A site whose model reads with `hashing:16`, and a training with a network's vectors."""
    folder = tmp_path_factory.mktemp("site")
    home, encoder = folder / "home", write_tiny_bert(folder / "tiny")
    site = str(write_site(folder / "site.jsonl"))
    assert clickwise("import", "--time", "shift-to-now", site, home=home).returncode == 0
    done = clickwise(
        "train", "once", "--epochs", "1", "--dimension", "8", "--width", "16",
        "--encoder", str(encoder), "--json", str(folder / "outcome.json"), home=home,
    )  # fmt: skip
    assert done.returncode in {0, 1}, done.stderr
    return home, encoder, json.loads((folder / "outcome.json").read_text()), done.stderr


def live_role(home):
    (found,) = (
        role
        for role in json.loads(clickwise("models", "status", "--json", home=home).stdout)["roles"]
        if role["role"] == "live"
    )
    return found


def test_it_is_judged_beside_the_live_model_by_its_own_vectors(trained):
    home, _, outcome, said = trained

    manifest = json.loads(
        (home / "models" / "bundles" / outcome["version"] / "manifest.json").read_text()
    )

    assert manifest["encoder"].startswith("tiny-")
    assert manifest["text_dimension"] == 32
    assert f"judging {outcome['version']}" in said
    assert "judging the live day0-" in said


def test_it_serves_once_the_items_are_encoded_anew(trained):
    home, encoder, outcome, _ = trained
    if not outcome["promoted"]:  # the gate wants more cases than a small site has
        promoted = clickwise(
            "models", "promote", outcome["version"], "--encoder", str(encoder), home=home
        )
        assert promoted.returncode == 0, promoted.stderr

    answer = json.loads(clickwise("recommend", "user-1", "--json", home=home).stdout)

    live = live_role(home)
    assert live["version"] == outcome["version"]
    assert live["indexed"] == 60
    assert answer["model"] == outcome["version"]
    assert len(answer["items"]) == 10


def test_the_command_that_a_tuning_ends_with_takes_its_encoder_to_the_readers_and_back(
    trained, tmp_path
):
    home, encoder, _, _ = trained
    before = live_role(home)["version"]
    texts = tmp_path / "texts.txt"
    texts.write_text("".join(f"story number {place} of the town\n" for place in range(40)))
    tuned = subprocess.run(
        [sys.executable, "-m", "clickwise.cli", "tune", "mlm", "texts.txt", "--out", "tuned",
         "--epochs", "1", "--home", str(home)],
        env={**environment(), "CLICKWISE_ENCODER_MODEL": str(encoder)},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )  # fmt: skip
    assert tuned.returncode == 0, tuned.stderr
    _, _, command = tuned.stdout.partition("through the gate, with a model: clickwise ")

    done = clickwise(
        *shlex.split(command), "--epochs", "1", "--dimension", "8", "--width", "16",
        "--json", str(tmp_path / "outcome.json"), home=home,
    )  # fmt: skip

    assert done.returncode in {0, 1}, done.stderr
    assert f"judging the live {before}" in done.stderr
    outcome = json.loads((tmp_path / "outcome.json").read_text())
    version, folder = outcome["version"], home / "models" / "bundles" / outcome["version"]
    assert json.loads((folder / "manifest.json").read_text())["encoder"].startswith("tuned-")
    assert outcome["verdict"]["conditions"]
    if not outcome["promoted"]:  # the gate wants more cases than a small site has
        named = ("--encoder", str(tmp_path / "tuned"))
        promoted = clickwise("models", "promote", version, *named, home=home)
        assert promoted.returncode == 0, promoted.stderr
    answer = json.loads(clickwise("recommend", "user-1", "--json", home=home).stdout)
    assert (answer["model"], len(answer["items"])) == (version, 10)
    back = clickwise("models", "rollback", home=home)
    assert back.returncode == 0, back.stderr
    assert live_role(home)["version"] == before
    answer = json.loads(clickwise("recommend", "user-1", "--json", home=home).stdout)
    assert (answer["model"], len(answer["items"])) == (before, 10)
