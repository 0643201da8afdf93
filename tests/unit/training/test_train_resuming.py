"""Equal seeds give equal runs, and a killed run goes on as if nothing had happened."""

import os
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from clickwise.errors import BundleError, ConfigurationError
from clickwise.types import item_key
from tests.unit.training.networks import TEXT, TINY, ids, network, two_tastes
from training.export import in_key_order
from training.fit import FitConfig
from training.train import TrainOptions, fitted, with_values
from training.weights import Story, model_of, read_story, sizes_of, story_files, warm_start

COURSE = FitConfig(epochs=6, batch=16, warmup=5, learning_rate=0.01, patience=30)
OPTIONS = TrainOptions(TINY, COURSE, checkpoint_every=2)
KILLED = """
import os, signal, sys
from pathlib import Path
from tests.unit.training.test_train_resuming import OPTIONS, two_tastes, fitted

def watch(epoch):
    if epoch.number == 5:
        os.kill(os.getpid(), signal.SIGKILL)

fitted(two_tastes(), OPTIONS, work=Path(sys.argv[1]), watch=watch)
"""


def run(work, *, options=OPTIONS, watch=lambda _: None, **kwargs):
    return fitted(two_tastes(), options, work=work, watch=watch, **kwargs)


def weights(made):
    return {name: one.numpy() for name, one in made.network.state_dict().items()}


def assert_equal(first, second):
    assert first.keys() == second.keys()
    for name, one in first.items():
        assert np.array_equal(one, second[name]), name


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    return run(tmp_path_factory.mktemp("whole"))


def test_equal_seeds_give_equal_weights(tmp_path, whole):
    again = run(tmp_path / "again")
    other = run(tmp_path / "other", options=replace(OPTIONS, course=replace(COURSE, seed=2)))

    assert_equal(weights(again), weights(whole))
    assert not np.array_equal(
        weights(other)["user.item.weight"], weights(whole)["user.item.weight"]
    )


def test_a_run_that_was_killed_ends_with_the_same_weights(tmp_path, whole):
    environment = {**os.environ, "PYTHONPATH": str(Path.cwd())}
    killed = subprocess.run(
        [sys.executable, "-c", KILLED, str(tmp_path)], env=environment, check=False
    )
    assert killed.returncode == -signal.SIGKILL
    seen = []

    resumed = run(tmp_path, watch=lambda epoch: seen.append(epoch.number))

    assert seen == [5, 6]
    assert [epoch.number for epoch in resumed.epochs] == [1, 2, 3, 4, 5, 6]
    assert_equal(weights(resumed), weights(whole))


def test_a_damaged_checkpoint_is_begun_anew(tmp_path, whole):
    run(tmp_path, options=replace(OPTIONS, course=replace(COURSE, epochs=4)))
    (path,) = tmp_path.glob("checkpoint*")
    path.write_bytes(path.read_bytes()[:1_000])
    seen = []

    again = run(tmp_path, watch=lambda epoch: seen.append(epoch.number))

    assert seen[0] == 1
    assert_equal(weights(again), weights(whole))


def story(made):
    return Story(
        kind="full", base="", seed=1, learned_until=0.0, seconds=1.0, full_seconds=1.0,
        full_made="2026-01-01T00:00:00Z", epochs=1,
        quality=None, events=1, users=1, items=1, made="2026-01-01T00:00:00Z",
        model=sizes_of(made.config),
    )  # fmt: skip


def kept(folder, made, names):
    """A folder with what a bundle keeps of a network."""
    ordered, keys = in_key_order(made, names)
    folder.mkdir(exist_ok=True)
    for name, content in story_files(ordered, story(made)).items():
        (folder / name).write_bytes(content)
    np.save(folder / "items.npy", keys)
    return folder


def test_a_warm_start_gives_each_item_its_own_row_and_new_ones_fresh_rows(tmp_path):
    before = network(items=10)
    folder = kept(tmp_path, before, ids(10))
    grown = ["new", *reversed(ids(10))]
    after = network(items=11, seed=5)
    fresh = after.tower.ids.weight[1].clone()

    known = warm_start(after, np.array([item_key(one) for one in grown]), folder)

    assert known == 10
    assert torch.equal(after.tower.ids.weight[2:], before.tower.ids.weight[1:].flip(0))
    assert torch.equal(after.tower.ids.weight[1], fresh)
    assert torch.equal(after.user.item.weight, before.user.item.weight)


def test_weights_of_other_sizes_are_refused(tmp_path):
    folder = kept(tmp_path, network(items=10), ids(10))
    wide = network(items=10, config=replace(TINY, width=32))

    with pytest.raises(BundleError, match="other sizes"):
        warm_start(wide, np.array([item_key(one) for one in ids(10)]), folder)


def test_a_story_says_which_sizes_to_go_on_with(tmp_path):
    folder = kept(tmp_path, network(items=10, config=replace(TINY, interests=3)), ids(10))

    assert model_of(read_story(folder)) == replace(TINY, interests=3)
    assert read_story(tmp_path / "elsewhere") is None
    assert TEXT == 12


def test_values_of_a_search_become_sizes_and_rates():
    model, course = with_values({"width": 96, "learning_rate": 0.005})

    assert (model.width, course.learning_rate) == (96, 0.005)
    with pytest.raises(ConfigurationError, match="cannot be used"):
        with_values({"width": "wide"})
