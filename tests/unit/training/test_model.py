"""The network and its losses."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch.nn import functional

from tests.unit.training.networks import TINY, history, network
from training.loss import Draws, full_softmax, pushed_away, sampled_softmax
from training.model import scores
from training.sequences import Histories


def outputs_step_by_step(made, one, c_ID):
    memory = torch.zeros(made.user.memory)
    gaps = np.diff(one.times_T, prepend=one.times_T[:1]).astype(np.float32)
    for step, gap in enumerate(gaps.tolist()):
        memory = made.user.step(
            memory,
            c_ID[one.items_T[step]],
            torch.tensor(int(one.types_T[step])),
            torch.tensor(float(one.weights_T[step])),
            torch.tensor(gap),
        )
        yield memory[-made.config.width :]


def whole(*histories, length):
    together = Histories(histories, device="cpu")
    return together.whole(np.arange(len(histories)), length=length)


@pytest.mark.parametrize("interests", [1, 3])
@torch.no_grad()
def test_one_event_at_a_time_equals_the_whole_sequence(interests):
    made = network(config=replace(TINY, interests=interests))
    one, c_ID = history(events=40), made.vectors()

    together = made.interests(whole(one, length=40), c_ID)[:, 0]
    alone = torch.stack([made.user.read(x) for x in outputs_step_by_step(made, one, c_ID)])

    assert (together - alone).abs().max() < 1e-5


@torch.no_grad()
def test_padding_changes_nothing():
    made = network()
    short, long = history(events=5, seed=1), history(events=30, seed=2)
    c_ID = made.vectors()

    alone = made.outputs(whole(short, length=5), c_ID)
    padded = made.outputs(whole(short, long, length=30), c_ID)

    assert torch.allclose(alone[:, 0], padded[-5:, 0], atol=1e-6)


@torch.no_grad()
def test_histories_in_one_row_do_not_know_each_other():
    made = network()
    first, second = history(events=10, seed=1), history(events=14, seed=2)
    together = Histories([first, second], device="cpu")
    rng = np.random.default_rng(0)
    c_ID = made.vectors()

    rows = together.rows(together.windows(24, rng=rng), 24, rng=rng)
    packed = made.outputs(together.batch(rows), c_ID)

    assert len(rows) == 1
    for offset, one in ((0, second), (13, first)):
        alone = made.outputs(whole(one, length=len(one)), c_ID)[:-1, 0]
        assert torch.allclose(packed[offset : offset + len(alone), 0], alone, atol=1e-6)


@torch.no_grad()
def test_unit_vectors_have_length_1_and_keep_every_score():
    made = network()
    with torch.no_grad():
        made.tower.ids.weight[3] *= 100.0  # longer than the radius
    u_KD = torch.randn(2, TINY.dimension)

    c_ID = made.vectors()
    unit_ID = made.tower.unit(made.text_ID, made.places_I)
    read_KD = torch.cat([u_KD * TINY.radius, torch.zeros(2, 1)], dim=1)

    assert torch.allclose(unit_ID.norm(dim=1), torch.ones(len(unit_ID)), atol=1e-5)
    assert torch.allclose(scores(read_KD, unit_ID), scores(u_KD, c_ID), atol=1e-4)


def test_an_item_that_is_not_known_works_on_its_text_alone():
    made = network()
    text_ID = made.text_ID[:1]

    unknown = made.tower(text_ID, torch.tensor([0]))

    assert torch.allclose(unknown, made.tower.text(text_ID), atol=1e-5)


def test_ids_are_dropped_in_training_and_never_afterwards():
    made = network(config=replace(TINY, id_dropout=0.5))
    text_only = made.tower.text(made.text_ID)

    made.train()
    dropped = (made.vectors() - text_only).abs().amax(dim=1) < 1e-6
    made.eval()
    kept = (made.vectors() - text_only).abs().amax(dim=1) > 1e-6

    assert 0 < int(dropped.sum()) < len(dropped)
    assert kept.all()


@pytest.mark.parametrize("interests", [1, 3])
def test_the_full_softmax_is_a_cross_entropy_with_its_gradient(interests):
    # More scores than are there at once.
    torch.manual_seed(0)
    u = torch.randn(600, interests, 6, requires_grad=True)
    c = torch.randn(2_000, 6, requires_grad=True)
    targets = torch.randint(2_000, (600,))
    targets[[2, 7]] = -1

    loss = full_softmax(u, c, targets)
    ours = torch.autograd.grad(2.0 * loss, (u, c))
    plain = functional.cross_entropy(scores(u, c), targets, ignore_index=-1)
    theirs = torch.autograd.grad(2.0 * plain, (u, c))

    assert torch.allclose(loss, plain, atol=1e-4)
    for one, other in zip(ours, theirs, strict=True):
        assert (one - other).abs().max() < 1e-4 * other.abs().max()


def test_a_batch_with_nothing_to_learn_has_no_gradient():
    u = torch.randn(4, 1, 6, requires_grad=True)
    c = torch.randn(20, 6, requires_grad=True)
    nothing = torch.full((4,), -1)

    for loss in (
        full_softmax(u, c, nothing),
        sampled_softmax(u, c, nothing, torch.arange(5), torch.zeros(20)),
        pushed_away(u, c, nothing),
    ):
        d_u, d_c = torch.autograd.grad(loss, (u, c))
        assert float(loss.detach()) == 0.0
        assert not d_u.any()
        assert not d_c.any()


def test_a_sampled_softmax_stands_for_the_full_one():
    torch.manual_seed(0)
    u, c = torch.randn(50, 1, 8), 0.5 * torch.randn(400, 8)
    draws = Draws(torch.rand(400) ** 4)  # a few items are in most events
    targets = torch.randint(400, (50,))
    full = full_softmax(u, c, targets)

    sampled = torch.stack(
        [sampled_softmax(u, c, targets, draws(200), draws.log_q_I) for _ in range(50)]
    )
    uncorrected = sampled_softmax(u, c, targets, draws(200), torch.zeros(400))

    assert abs(float(sampled.mean() - full)) < 0.03
    assert abs(float(uncorrected - full)) > 1.0


def test_half_of_the_draws_follow_the_events_and_half_are_even():
    torch.manual_seed(0)
    draws = Draws(torch.tensor([8.0, 2.0, 0.0, 0.0]))

    counts = torch.bincount(draws(40_000), minlength=4) / 40_000

    expected = torch.tensor([0.525, 0.225, 0.125, 0.125])
    assert torch.allclose(counts, expected, atol=0.01)
    assert torch.allclose(draws.log_q_I.exp(), expected, atol=1e-6)


def test_what_is_disliked_is_pushed_below_the_middle():
    torch.manual_seed(0)
    u = torch.randn(1, 2, 8, requires_grad=True)
    c = torch.randn(30, 8)
    disliked = torch.tensor([4])

    optimizer = torch.optim.SGD([u], lr=0.5)
    for _ in range(200):
        optimizer.zero_grad()
        pushed_away(u, c, disliked).backward()
        optimizer.step()

    ranked = scores(u, c)[0]
    assert ranked[4] < ranked.median()
