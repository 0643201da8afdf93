"""Training the network."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from tests.unit.training.networks import TINY
from training.data import History
from training.fit import FitConfig, FitState, Network, Validation, fit, quality_of
from training.model import scores
from training.quality import ranks_of, ranks_of_all
from training.sequences import Histories

QUICK = FitConfig(epochs=12, batch=4, warmup=5, learning_rate=0.02, patience=30)


def clicks(*items, weights=None):
    number = len(items)
    return History(
        np.array(items, np.int32),
        np.ones(number, np.uint8),
        np.ones(number, np.float32) if weights is None else np.array(weights, np.float32),
        np.arange(number, dtype=np.float64),
        now=float(number),
    )


def checkerboard(*, users=40, items=16, seed=0):
    """Even users like even items and odd ones odd items; each leaves one out, which comes next."""
    rng = np.random.default_rng(seed)
    orders = [2 * rng.permutation(items // 2) + user % 2 for user in range(users)]
    asked = tuple(clicks(*order[:-1]) for order in orders)
    return asked, np.array([order[-1] for order in orders], np.int64)


def made(*, items=16, seed=0, config=TINY):
    torch.manual_seed(seed)
    return Network(config, items=items, text_ID=None)


def trained(config=QUICK, *, network=None, validate=True, **kwargs):
    asked, targets = checkerboard()
    network = network if network is not None else made()
    validation = Validation(asked, targets) if validate else None
    epochs = list(fit(network, Histories(asked, device="cpu"), validation, config, **kwargs))
    return network, epochs


def weights(network):
    return {name: one.clone() for name, one in network.state_dict().items()}


def assert_equal(first, second):
    for name, one in first.items():
        assert torch.equal(one, second[name]), name


def test_the_one_item_of_their_kind_that_is_left_comes_first():
    network, _ = trained(replace(QUICK, epochs=40))
    asked, targets = checkerboard()

    ranks = ranks_of_all(network.eval(), Histories(asked, device="cpu"), targets)

    assert (ranks == 0).float().mean() > 0.95


def test_a_fixed_seed_gives_identical_runs():
    first, epochs = trained()
    again, epochs_again = trained()
    other, _ = trained(replace(QUICK, seed=2))

    assert [epoch.loss for epoch in epochs] == [epoch.loss for epoch in epochs_again]
    assert_equal(weights(first), weights(again))
    assert not torch.equal(first.tower.ids.weight, other.tower.ids.weight)


def test_the_callers_random_numbers_are_left_alone():
    network = made()
    torch.manual_seed(7)
    expected = torch.rand(3)

    torch.manual_seed(7)
    trained(replace(QUICK, epochs=2), network=network)

    assert torch.equal(torch.rand(3), expected)


def test_a_run_that_is_taken_up_again_ends_like_one_that_was_never_left():
    whole, _ = trained(validate=False)
    network = made()
    state = FitState(network, QUICK)
    asked, _ = checkerboard()
    histories = Histories(asked, device="cpu")

    for epoch in fit(network, histories, None, QUICK, state=state):
        if epoch.number == 5:
            break
    list(fit(network, histories, None, QUICK, state=state))

    assert_equal(weights(whole), weights(network))


def test_training_ends_when_it_has_not_become_better_for_long():
    _, epochs = trained(replace(QUICK, epochs=200, learning_rate=0.0, patience=4))

    assert [epoch.stop for epoch in epochs] == [False, False, False, False, True]


def test_the_best_weights_are_kept():
    network, epochs = trained(replace(QUICK, epochs=30, patience=40))
    asked, targets = checkerboard()
    validation = Validation(asked, targets)

    kept = quality_of(network, Histories(asked, device="cpu"), validation)

    assert kept == pytest.approx(max(epoch.quality for epoch in epochs), abs=1e-6)
    assert epochs[-1].best == max(epoch.quality for epoch in epochs)


def test_quality_is_looked_at_every_so_many_epochs():
    _, epochs = trained(replace(QUICK, epochs=6, every=3))

    assert [epoch.quality is None for epoch in epochs] == [True, True, False] * 2


def test_without_validation_the_average_is_kept_and_without_an_average_the_last():
    averaged, _ = trained(validate=False)
    last, _ = trained(replace(QUICK, average=0.0), validate=False)

    assert not torch.equal(averaged.tower.ids.weight, last.tower.ids.weight)
    assert averaged.tower.ids.weight.norm() < last.tower.ids.weight.norm() * 1.5


def test_the_rate_falls_to_a_tenth():
    network = made()
    state = FitState(network, QUICK)
    config = replace(QUICK, epochs=11, decay_after=10, warmup=1)

    asked, _ = checkerboard()
    epochs = fit(network, Histories(asked, device="cpu"), None, config, state=state)
    rates = [state.optimizer.param_groups[0]["lr"] for _ in epochs]

    assert rates[0] == pytest.approx(0.02)
    assert rates[-1] == pytest.approx(0.002)
    assert rates == sorted(rates, reverse=True)


def last_scores(network, history):
    with torch.no_grad():
        c_ID = network.eval().vectors()
        whole = Histories([history], device="cpu").whole(np.array([0]), length=len(history))
        return scores(network.interests(whole, c_ID)[-1, 0], c_ID)


def test_what_people_disliked_after_an_item_falls_below_the_others():
    rng = np.random.default_rng(0)
    # After item 0 comes something at random, or item 9 and a dislike.
    events = [
        clicks(*rng.integers(1, 9, 5).tolist(), 0, 9, weights=[1.0] * 6 + [-1.0]) for _ in range(30)
    ]
    histories = Histories(events, device="cpu")
    config = replace(QUICK, epochs=30, negative=1.0)

    pushed, ignored = made(items=10), made(items=10)
    list(fit(pushed, histories, None, config))
    list(fit(ignored, histories, None, replace(config, negative=0.0)))

    asked = clicks(3, 5, 2, 0)
    assert last_scores(pushed, asked).argmin() == 9
    assert last_scores(pushed, asked)[9] < last_scores(ignored, asked)[9]


def test_an_item_of_ones_history_takes_no_rank_and_a_tie_counts_against():
    histories = Histories([clicks(0, 1), clicks(2)], device="cpu")
    scores_BI = torch.tensor([[9.0, 8.0, 3.0, 5.0, 3.0], [1.0, 2.0, 9.0, 0.0, 3.0]])

    ranks = ranks_of(scores_BI, histories, np.array([0, 1]), np.array([2, 4]))

    assert ranks.tolist() == [2.0, 0.0]


def test_histories_of_one_event_teach_nothing():
    network = made()
    before = weights(network)

    epochs = list(fit(network, Histories([clicks(3), clicks(5)], device="cpu"), None, QUICK))

    assert [epoch.loss for epoch in epochs] == [0.0] * QUICK.epochs
    assert_equal(before, weights(network))


@pytest.mark.skipif(not torch.cuda.is_available(), reason="a recorded step needs a GPU")
def test_a_recorded_step_teaches_what_a_plain_one_does():
    asked, targets = checkerboard()
    config = replace(QUICK, epochs=40)
    network = made().cuda()

    list(fit(network, Histories(asked, device="cuda"), Validation(asked, targets), config))

    ranks = ranks_of_all(network.eval(), Histories(asked, device="cuda"), targets)
    assert (ranks == 0).float().mean() > 0.95
