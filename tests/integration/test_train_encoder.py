"""`train once --encoder`: a model that reads the items with another text encoder comes to serve."""

import json

import pytest

from clickwise.testing.tiny_bert import write_tiny_bert
from tests.integration.test_train_command import clickwise, write_site


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

    (live,) = (
        role
        for role in json.loads(clickwise("models", "status", "--json", home=home).stdout)["roles"]
        if role["role"] == "live"
    )
    assert live["version"] == outcome["version"]
    assert live["indexed"] == 60
    assert answer["model"] == outcome["version"]
    assert len(answer["items"]) == 10
