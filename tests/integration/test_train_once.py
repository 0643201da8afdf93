"""A training from events to the live model, killed wherever it may be."""

import os
import signal
import subprocess
import sys
from contextlib import ExitStack
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest

from clickwise.bundle import load_bundle
from clickwise.cli import homes, releasing
from clickwise.cli.training_data import live_model
from clickwise.cli.wiring import encoder_of, state_of
from clickwise.profile import Rules
from clickwise.settings import load
from tests.unit.training.networks import TEXT, TINY, two_tastes
from training.candidate import Trainer
from training.contest import Played
from training.evaluation.cases import Answers
from training.export import Site
from training.fit import FitConfig
from training.gate import GateRules
from training.once import Ports, train_once
from training.parts import new_parts_of, parts_of
from training.registry import Registry
from training.train import TrainOptions
from training.weights import read_story

NOW = datetime(2026, 1, 1, tzinfo=UTC)
COURSE = FitConfig(epochs=3, batch=16, warmup=5, learning_rate=0.01)
RULES = GateRules(min_cases=20, min_slice_cases=20, max_latency_ratio=100.0, trials=100)
KILLED = """
import sys
from tests.integration.test_train_once import dies_at, train_in
train_in(sys.argv[1], told=dies_at(sys.argv[2]))
"""


def settings_of(home):
    return load({}, home=str(home), encoder_model=f"hashing:{TEXT}", log_level="warning")


def dies_at(step):
    """Kills its own process once this step is done; epochs are steps too."""

    def told(done):
        if done == step:
            os.kill(os.getpid(), signal.SIGKILL)

    return told


def played(bundle, lived, *, best):
    """What a bundle would have answered: the right item first, or tenth."""
    cases = len(lived.plan.cases)
    rank = 1 if bundle.version in best else 10
    tops = np.tile(np.arange(10, dtype=np.int32), (cases, 1))
    return Played(bundle, Answers(np.full(cases, rank, np.int32), tops), None)


def train_in(
    home, *, told=lambda _: None, better=True, registry=None, seed=1, data=None, parts=None,
    incremental=None,
):  # fmt: skip
    """Train on a small site whose live model is day 0 at first."""
    if data is None:
        data = two_tastes(users=20, items=60, events=25, again=False)
    settings = settings_of(home)
    homes.make_home(settings)
    live = live_model(settings, encoder_of(settings))
    options = TrainOptions(TINY, replace(COURSE, seed=seed), checkpoint_every=1)
    trainer = Trainer(
        site=Site(encoder=f"hashing-{TEXT}", text_dimension=TEXT, rules=Rules()),
        options=options,
        work=settings.folder / "training" / "jobs" / f"seed-{seed}",
        watch=lambda epoch: told(f"epoch {epoch.number}"),
    )
    return train_once(
        trainer,
        parts if parts is not None else parts_of(data),
        live,
        Ports(
            play=lambda bundle, lived: played(
                bundle, lived, best={bundle.version} - {live.bundle.version} if better else ()
            ),
            promote=lambda path: releasing.promote(settings, path, told=told),
            registry=registry,
            told=told,
        ),
        bundles=homes.bundles_folder(settings),
        rules=RULES,
        now=NOW,
        sheet="# Data\n",
        incremental=incremental,
    )


def live_version(home):
    """The version that the database names as live; its bundle is whole."""
    settings = settings_of(home)
    with ExitStack() as stack:
        named = state_of(settings, stack).pointer().role("live")
    assert load_bundle(homes.bundles_folder(settings) / named.version).version == named.version
    return named.version


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    home = tmp_path_factory.mktemp("whole")
    return home, train_in(home)


def test_a_better_model_goes_live_with_its_papers(whole):
    home, outcome = whole

    assert outcome.verdict.passed
    assert outcome.promoted
    assert live_version(home) == outcome.version
    folder = Path(outcome.folder)
    card = (folder / "card.md").read_text()
    assert f"# {outcome.version}" in card
    assert "NDCG@10 1.0000 against 0.2891" in card
    assert {path.name for path in folder.iterdir()} >= {
        "card.md", "gate.json", "exports.json", "curves.png", "data-sheet.md",
        "weights.safetensors", "training.json",
    }  # fmt: skip
    assert not (home / "training" / "jobs" / "seed-1").exists()


def test_one_that_is_not_better_is_kept_and_not_released(tmp_path):
    outcome = train_in(tmp_path, better=False)

    assert outcome.verdict.outcome == "gain"
    assert not outcome.promoted
    assert live_version(tmp_path).startswith("day0-")
    assert "Refused: gain." in (Path(outcome.folder) / "card.md").read_text()


@pytest.mark.parametrize("step", ["epoch 2", "fitted", "written", "named", "live"])
def test_a_trainer_killed_anywhere_leaves_one_whole_model_live_and_goes_on(tmp_path, whole, step):
    _, expected = whole
    environment = {**os.environ, "PYTHONPATH": str(Path.cwd())}
    killed = subprocess.run(
        [sys.executable, "-c", KILLED, str(tmp_path), step], env=environment, check=False
    )
    assert killed.returncode == -signal.SIGKILL

    before = live_version(tmp_path)
    assert before == expected.version if step == "live" else before.startswith("day0-")

    again = train_in(tmp_path)
    assert (again.version, again.promoted) == (expected.version, True)
    assert live_version(tmp_path) == expected.version
    bundles = homes.bundles_folder(settings_of(tmp_path))
    for folder in bundles.iterdir():
        load_bundle(folder)


def test_a_verdict_against_a_model_that_no_longer_serves_is_not_taken(tmp_path):
    class Stopped(Exception):  # noqa: N818  # not an error of the product
        pass

    def stop(step):
        if step == "played":
            raise Stopped

    with pytest.raises(Stopped):
        train_in(tmp_path, told=stop)
    other = train_in(tmp_path, seed=2)
    assert live_version(tmp_path) == other.version

    again = train_in(tmp_path, better=False)

    assert again.verdict.outcome == "gain"
    assert live_version(tmp_path) == other.version


def test_another_seed_is_another_model(tmp_path, whole):
    _, first = whole

    assert train_in(tmp_path, seed=2, better=False).version != first.version


def test_an_increment_goes_on_from_what_is_live_and_learns_new_items(tmp_path):
    data = two_tastes(users=20, items=60, events=25, again=False)
    met = data.log.items_N < 50  # ten items come late
    late = data.log.times_N >= data.log.times_N[300]
    log = data.log.take(met | late)
    settings = settings_of(tmp_path)
    first = train_in(tmp_path, data=data.with_log(log.take(log.times_N < log.times_N[350])))
    base = Path(first.folder)
    parts = new_parts_of(data.with_log(log), learned_until=read_story(base).learned_until)

    again = train_in(tmp_path, parts=parts, incremental=base)

    story = read_story(Path(again.folder))
    assert (story.kind, story.base) == ("incremental", first.version)
    assert story.epochs < read_story(base).epochs
    assert story.items > read_story(base).items
    assert story.full_seconds == read_story(base).full_seconds
    assert story.learned_until == parts.cut
    kept = load_bundle(Path(again.folder)).manifest
    assert kept.files["scorer.onnx"] == load_bundle(base).manifest.files["scorer.onnx"]
    assert live_version(tmp_path) == again.version
    assert releasing.rollback(settings).version == first.version


def test_a_training_is_a_run_and_a_model_in_the_registry(tmp_path):
    registry = Registry(f"sqlite:///{tmp_path}/mlflow.sqlite", artifacts=tmp_path / "artifacts")

    outcome = train_in(tmp_path / "home", registry=registry)

    model = registry.model("candidate")
    assert (model.number, model.version, model.gate) == (outcome.number, outcome.version, "passed")
    assert registry.params(model)["width"] == str(TINY.width)
    assert registry.metrics(model)["gate_gain_candidate"] == 1.0
    assert registry.text(model, "bundle/card.md").startswith(f"# {outcome.version}")
    losses = registry._client.get_metric_history(model.run, "loss")
    assert [one.step for one in losses] == [1, 2, 3]
