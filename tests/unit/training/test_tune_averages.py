"""Running means of weights, and the anchors that hold an encoder while it guesses pieces."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from tests.unit.training.tuning import QUICK, task
from training.tune.anchors import Anchors
from training.tune.averages import averaged, take_step
from training.tune.classify import tune
from training.tune.methods import trained
from training.tune.mlm import MlmCourse, pretrained
from training.tune.task import untuned
from training.tune.ways import Method


@pytest.fixture(scope="module")
def ready(tmp_path_factory):
    return task(tmp_path_factory.mktemp("tune"))


def line(value):
    module = torch.nn.Linear(1, 1, bias=False)
    torch.nn.init.constant_(module.weight, value)
    return module


def test_a_running_mean_has_about_as_many_steps_as_its_decay_says():
    module, averages = line(0.0), {}
    for step in range(1, 2_001):
        torch.nn.init.constant_(module.weight, float(step))
        take_step(averages, module, decay=0.99, step=step)

    # Of a line that rises by one a step, the mean of the last hundred or so lags by about 99.
    assert averages["weight"].item() == pytest.approx(2_000 - 99, abs=0.5)


def test_the_first_steps_are_soon_forgotten():
    module, averages = line(1_000.0), {}
    take_step(averages, module, decay=0.997, step=1)
    torch.nn.init.constant_(module.weight, 1.0)
    for step in range(2, 101):
        take_step(averages, module, decay=0.997, step=step)

    assert averages["weight"].item() == pytest.approx(1.0, abs=1e-3)


def test_what_stands_in_for_the_weights_leaves_them_as_they_were():
    module, averages = line(1.0), {}
    take_step(averages, module, decay=0.9, step=1)
    torch.nn.init.constant_(module.weight, 3.0)

    with averaged(averages, module):
        assert module.weight.item() == 1.0
    assert module.weight.item() == 3.0
    with pytest.raises(ValueError, match="stop"), averaged(averages, module):
        raise ValueError("stop")
    assert module.weight.item() == 3.0
    with averaged({}, module):
        assert module.weight.item() == 3.0


def test_the_mean_is_what_is_kept(ready):
    last = tune(ready.base, ready.lessons(), replace(QUICK, average=0.0))

    mean = tune(ready.base, ready.lessons(), QUICK)

    assert [one.loss for one in mean.epochs] == [one.loss for one in last.epochs]  # learns alike
    kept, other = trained(mean.network), trained(last.network)
    assert any(not torch.equal(kept[name], other[name]) for name in kept)


def test_ranks_that_come_and_go_have_no_mean(ready):
    course = replace(QUICK, method=Method.ADALORA)

    last = tune(ready.base, ready.lessons(), replace(course, average=0.0))

    kept, other = trained(tune(ready.base, ready.lessons(), course).network), trained(last.network)
    assert all(torch.equal(kept[name], other[name]) for name in kept)


def test_texts_that_lie_where_they_lay_have_not_strayed(ready):
    model = ready.base.model()
    anchors = Anchors.of(ready.base, model, ready.train_rows)
    row = ready.train_rows[3]
    ids_BL, mask_BL = torch.from_numpy(row)[None], torch.ones(1, len(row), dtype=torch.long)
    hidden_BLD = model(input_ids=ids_BL, attention_mask=mask_BL).last_hidden_state

    own = anchors.strayed(hidden_BLD, mask_BL, np.array([3]))
    other = anchors.strayed(hidden_BLD, mask_BL, np.array([4]))

    assert own.item() == pytest.approx(0.0, abs=1e-6)
    assert other.item() > 0.1


def test_anchored_an_encoder_strays_less_while_it_learns_to_guess(ready):
    learned = MlmCourse(epochs=6, head_epochs=2, rate=3e-3, head_rate=1e-2, batch=8)

    def story(anchor):
        return pretrained(
            ready.base, ready.train_rows, ready.dev_rows, replace(learned, anchor=anchor),
            fixed=1, watch=lambda _: None,
        )  # fmt: skip

    def strayed(one):
        (moved_ND,) = untuned(replace(ready.base, weights=one.weights), [ready.dev_rows], QUICK)
        return float(np.square(moved_ND - ready.dev_ND).sum())

    free, held = story(0.0), story(1.0)

    assert strayed(held) < strayed(free) / 2
    assert held.after < held.before
