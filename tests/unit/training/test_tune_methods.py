"""What learns, what disturbs it, and when it stops."""

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
import torch

from clickwise.errors import ConfigurationError
from clickwise.testing.tiny_bert import FEED_FORWARD, HIDDEN, LAYERS
from tests.unit.training.tuning import QUICK, task
from training.tune import classify
from training.tune.adversarial import backward_on_the_way, backward_with_attack, moved
from training.tune.augment import changed, cut_off, mixed
from training.tune.batches import padded, shuffled
from training.tune.classify import network_for, tune
from training.tune.compare import way as way_named
from training.tune.course import Course, Optimizer, Schedule, optimizer_of, rate_at
from training.tune.methods import Sizes, folded, num_trained, trained
from training.tune.network import logits, vectors
from training.tune.ranks import orthogonality
from training.tune.ways import Augmentation, Matrices, Method

SIZES = Sizes(rank=4, width=6, prefix=5)
HEAD = 2 * HIDDEN + 2


@pytest.fixture(scope="module")
def ready(tmp_path_factory):
    return task(tmp_path_factory.mktemp("tune"))


def course(method, **values):
    return replace(QUICK, method=Method(method), sizes=SIZES, **values)


def everything(base):
    model = base.model()
    return sum(one.numel() for one in model.parameters())


@pytest.mark.parametrize(
    ("method", "number"),
    [
        ("head", HEAD),
        ("lora", HEAD + LAYERS * 2 * 2 * HIDDEN * 4),  # query and value, two factors each
        ("adalora", HEAD + LAYERS * 2 * (2 * HIDDEN * 4 + 4)),  # and a value a rank
        ("adapter", HEAD + LAYERS * (2 * HIDDEN * 6 + 6 + HIDDEN)),
        ("prefix", HEAD + LAYERS * 2 * HIDDEN * 5),  # keys and values
    ],
)
def test_a_method_trains_what_it_says_and_nothing_else(ready, method, number):
    network = network_for(ready.base, course(method), classes=2)

    assert num_trained(network) == number


def test_beside_all_matrices_each_has_its_two_factors(ready):
    wide = replace(course("lora"), sizes=replace(SIZES, matrices=Matrices.ALL))

    network = network_for(ready.base, wide, classes=2)

    own = 4 * 2 * HIDDEN + 2 * (HIDDEN + FEED_FORWARD)
    assert num_trained(network) == HEAD + LAYERS * own * 4


def test_full_tuning_trains_all(ready):
    network = network_for(ready.base, course("full"), classes=2)

    assert num_trained(network) == HEAD + everything(ready.base)


@pytest.mark.parametrize("method", ["head", "lora", "adalora", "adapter", "prefix"])
def test_frozen_weights_are_left_as_they_were(ready, method):
    before = ready.base.model().state_dict()

    tuned = tune(ready.base, ready.lessons(), course(method))

    after = tuned.network.encoder.state_dict()
    frozen = {
        name.replace("base_model.model.", "").replace("base_model.", "").replace(
            ".base_layer", ""
        ).replace("dense.layer.", "dense."): value
        for name, value in after.items()
    }  # fmt: skip
    assert all(torch.equal(frozen[name], value) for name, value in before.items())


@pytest.mark.parametrize("method", ["lora", "adalora", "adapter", "full"])
def test_what_learns_changes_the_vectors(ready, method):
    untuned = vectors(network_for(ready.base, course(method), classes=2), ready.dev_rows)

    tuned = tune(ready.base, ready.lessons(), course(method, rate=5e-2, epochs=1))

    assert np.abs(vectors(tuned.network, ready.dev_rows) - untuned).max() > 1e-4


@pytest.mark.parametrize("method", ["lora", "adapter"])
def test_before_its_first_step_a_method_changes_nothing(ready, method):
    plain = network_for(ready.base, course("head"), classes=2)
    network = network_for(ready.base, course(method), classes=2)

    assert np.allclose(vectors(network, ready.dev_rows), vectors(plain, ready.dev_rows), atol=1e-6)


@pytest.mark.parametrize("method", ["lora", "adalora", "full"])
def test_folded_weights_give_the_same_vectors(ready, method):
    tuned = tune(ready.base, ready.lessons(), course(method, rate=1e-2))
    before = vectors(tuned.network, ready.dev_rows)

    tuned.network.encoder = folded(tuned.network.encoder, Method(method))

    assert np.allclose(vectors(tuned.network, ready.dev_rows), before, atol=1e-5)


def test_a_prefix_does_not_fold(ready):
    network = network_for(ready.base, course("prefix"), classes=2)

    with pytest.raises(ConfigurationError, match="does not fold"):
        folded(network.encoder, Method.PREFIX)


def test_orthogonal_factors_cost_nothing():
    class Even(torch.nn.Module):
        def __init__(self, factor):
            super().__init__()
            self.lora_A = torch.nn.Parameter(factor)

    assert orthogonality(Even(torch.eye(3, 5))).item() == pytest.approx(0.0)
    assert orthogonality(Even(torch.ones(3, 5))).item() > 1.0


def test_equal_seeds_repeat_a_run_exactly(ready):
    one = tune(ready.base, ready.lessons(), course("lora", augmentation=Augmentation.SPAN))
    torch.rand(7)  # what others draw in between does not matter
    two = tune(ready.base, ready.lessons(), course("lora", augmentation=Augmentation.SPAN))
    other = tune(ready.base, ready.lessons(), course("lora", seed=2))

    assert [epoch.loss for epoch in one.epochs] == [epoch.loss for epoch in two.epochs]
    assert np.array_equal(
        logits(one.network, ready.test_rows), logits(two.network, ready.test_rows)
    )
    assert [epoch.loss for epoch in one.epochs] != [epoch.loss for epoch in other.epochs]


@pytest.mark.parametrize("method", ["lora", "adalora"])
@pytest.mark.parametrize("killed_after", [1, 2])
def test_a_killed_run_goes_on_as_if_nothing_had_happened(ready, tmp_path, method, killed_after):
    whole = tune(ready.base, ready.lessons(), course(method, epochs=3))

    class KilledError(Exception):
        pass

    def kill(epoch):
        if epoch.number == killed_after:
            raise KilledError

    with pytest.raises(KilledError):
        tune(ready.base, ready.lessons(), course(method, epochs=3), watch=kill, work=tmp_path)
    again = tune(ready.base, ready.lessons(), course(method, epochs=3), work=tmp_path)

    assert [epoch.loss for epoch in again.epochs] == [epoch.loss for epoch in whole.epochs]
    assert all(
        torch.equal(value, trained(again.network)[name])
        for name, value in trained(whole.network).items()
    )


def test_a_checkpoint_of_another_tuning_is_not_taken(ready, tmp_path):
    tune(ready.base, ready.lessons(), course("lora", seed=2), work=tmp_path)

    tuned = tune(ready.base, ready.lessons(), course("lora"), work=tmp_path)

    alone = tune(ready.base, ready.lessons(), course("lora"))
    assert [epoch.loss for epoch in tuned.epochs] == [epoch.loss for epoch in alone.epochs]


def test_a_damaged_checkpoint_begins_anew(ready, tmp_path):
    (tmp_path / "tuning.pt").write_bytes(b"half a file")

    tuned = tune(ready.base, ready.lessons(), course("head"), work=tmp_path)

    assert [epoch.number for epoch in tuned.epochs] == [1, 2]


def test_it_stops_when_dev_stops_getting_better(ready):
    # A rate of nothing: no epoch after the first can be better than it.
    still = course("lora", rate=1e-12, head_rate=1e-12, epochs=9, patience=2)

    tuned = tune(ready.base, ready.lessons(), still)

    assert [epoch.number for epoch in tuned.epochs] == [1, 2, 3]
    assert tuned.epochs[-1].stop


def test_the_best_weights_are_kept_and_not_the_last(ready, monkeypatch):
    def kept(*qualities):
        found = iter(qualities)
        monkeypatch.setattr(classify, "macro_f1", lambda *_, **__: next(found))
        tuned = tune(ready.base, ready.lessons(), course("lora", epochs=len(qualities)))
        assert [one.quality for one in tuned.epochs] == list(qualities)
        return trained(tuned.network)

    def same(one, other):
        return all(torch.equal(value, other[name]) for name, value in one.items())

    second = kept(0.5, 0.9, 0.6)

    assert same(second, kept(0.1, 0.2, 0.0))
    assert not same(second, kept(0.9, 0.5, 0.6))
    assert not same(second, kept(0.5, 0.9, 0.95))


def test_an_attack_adds_to_the_gradient_and_leaves_the_word_vectors(ready):
    network = network_for(ready.base, course("lora"), classes=2).train()
    ids_BL, mask_BL = padded(ready.train_rows[:8], pad=network.pad)
    labels_B = torch.from_numpy(ready.parts.train.labels_N[:8])
    words = network.encoder.get_input_embeddings().weight
    before = words.clone()

    def loss_at(words_BLD):
        found = network(ids_BL, mask_BL, words_BLD)
        return torch.nn.functional.cross_entropy(found, labels_B)

    loss_at(network.embedded(ids_BL)).backward()
    plain = network.head.weight.grad.clone()
    network.zero_grad()
    backward_with_attack(loss_at, network.embedded(ids_BL), mask_BL, length=0.2)
    attacked = network.head.weight.grad

    assert not torch.allclose(attacked, plain, atol=1e-6)
    assert not torch.allclose(attacked, 2 * plain, rtol=1e-3)  # the second loss is elsewhere
    assert torch.equal(words, before)


class Way:
    """A loss that rises along one direction; it notes where it was asked, and what was hidden."""

    def __init__(self):
        self.asked, self.hidden = [], []

    def loss_at(self, words_BLD):
        self.asked.append(words_BLD.detach().clone())
        self.hidden.append(torch.rand(3))
        return (words_BLD * torch.arange(4.0)).sum()


MASK_BL = torch.tensor([[1, 1, 1], [1, 1, 0]])


def walked(way, *, steps, length=0.1, words_BLD=None):
    words_BLD = torch.ones(2, 3, 4) if words_BLD is None else words_BLD
    torch.manual_seed(1)
    return backward_on_the_way(way.loss_at, words_BLD, MASK_BL, length=length, steps=steps)


def test_steps_rise_within_a_ball_and_leave_padding_alone():
    way = Way()

    walked(way, steps=4)

    radius_B = 0.1 * torch.tensor([12.0, 8.0]).sqrt()
    shifts = [words_BLD - torch.ones(2, 3, 4) for words_BLD in way.asked]
    losses_B = [(shift * torch.arange(4.0)).flatten(1).sum(dim=1) for shift in shifts]
    assert len(shifts) == 4
    assert all(bool((shift.flatten(1).norm(dim=1) <= radius_B * 1.001).all()) for shift in shifts)
    assert all(bool((a < b + 1e-6).all()) for a, b in pairwise(losses_B))
    assert all(torch.equal(shift[1, 2], torch.zeros(4)) for shift in shifts)
    # The last ones are at its edge, where it is steepest.
    assert torch.allclose(shifts[-1].flatten(1).norm(dim=1), radius_B, rtol=1e-3)


def test_the_way_begins_somewhere_else_each_time():
    first, second = Way(), Way()

    walked(first, steps=2)
    backward_on_the_way(second.loss_at, torch.ones(2, 3, 4), MASK_BL, length=0.1, steps=2)

    assert not torch.equal(first.asked[0], torch.ones(2, 3, 4))
    assert not torch.equal(first.asked[0], second.asked[0])


def test_dropout_hides_the_same_on_all_the_way_and_something_else_on_the_next():
    way, following = Way(), Way()

    walked(way, steps=3)
    backward_on_the_way(following.loss_at, torch.ones(2, 3, 4), MASK_BL, length=0.1, steps=2)

    assert all(torch.equal(one, way.hidden[0]) for one in way.hidden)
    assert not torch.equal(following.hidden[0], way.hidden[0])


def test_the_gradients_of_a_way_are_their_mean():
    words_BLD = torch.ones(2, 3, 4, requires_grad=True)

    loss = walked(way := Way(), steps=5, words_BLD=words_BLD)

    told = [float((words * torch.arange(4.0)).sum()) for words in way.asked]
    assert loss == pytest.approx(np.mean(told), rel=1e-5)
    assert torch.allclose(words_BLD.grad, torch.arange(4.0).expand(2, 3, 4))


@pytest.mark.parametrize("method", ["lora", "full"])
def test_a_way_teaches_what_the_method_lets_learn(ready, method):
    network = network_for(ready.base, course(method), classes=2).train()
    ids_BL, mask_BL = padded(ready.train_rows[:8], pad=network.pad)
    labels_B = torch.from_numpy(ready.parts.train.labels_N[:8])

    def loss_at(words_BLD):
        found = network(ids_BL, mask_BL, words_BLD)
        return torch.nn.functional.cross_entropy(found, labels_B)

    backward_on_the_way(loss_at, network.embedded(ids_BL), mask_BL, length=0.1, steps=3)

    words = network.encoder.get_input_embeddings().weight
    assert float(network.head.weight.grad.abs().sum()) > 0.0
    assert (words.grad is not None and float(words.grad.abs().sum()) > 0.0) == (method == "full")


def test_ways_by_name_have_the_attack_that_they_name():
    base = course("lora", attack=0.1, attack_steps=5)

    found = {
        name: way_named(name, base) for name in ("lora", "lora+fgm", "lora+freelb", "lora+span")
    }

    told = {name: (one.attack, one.attack_steps) for name, one in found.items()}
    assert told == {
        "lora": (0.0, 1), "lora+fgm": (0.1, 1), "lora+freelb": (0.1, 5), "lora+span": (0.0, 1),
    }  # fmt: skip
    assert way_named("lora+freelb", course("lora")).attack_steps == 3


def test_an_attack_raises_the_loss_and_leaves_padding_alone():
    words_BLD, mask_BL = torch.ones(2, 3, 4), torch.tensor([[1, 1, 1], [1, 1, 0]])
    slope_BLD = torch.randn(2, 3, 4, generator=torch.Generator().manual_seed(1))

    step_BLD = moved(words_BLD, slope_BLD, mask_BL, length=0.1) - words_BLD

    assert float((step_BLD * slope_BLD).sum()) > 0.0
    assert torch.equal(step_BLD[1, 2], torch.zeros(4))
    # A tenth of each text's own length: 12 and 8 ones.
    assert torch.allclose(step_BLD.flatten(1).norm(dim=1), 0.1 * torch.tensor([12.0, 8.0]).sqrt())


@pytest.mark.parametrize("augmentation", ["delete", "swap", "span"])
def test_a_changed_text_keeps_its_frame_and_invents_nothing(augmentation):
    row, rng = np.arange(20), np.random.default_rng(3)

    found = [changed(row, Augmentation(augmentation), fixed=4, rng=rng) for _ in range(50)]

    assert all(one[:4].tolist() == [0, 1, 2, 3] and one[-1] == 19 for one in found)
    assert all(set(one.tolist()) <= set(row.tolist()) for one in found)
    assert any(one.tolist() != row.tolist() for one in found)


def test_cut_off_hides_pieces_but_not_the_frame():
    mask_BL = torch.ones(16, 30, dtype=torch.long)

    found_BL = cut_off(mask_BL, fixed=3, rng=np.random.default_rng(1))

    assert bool((found_BL[:, :3] == 1).all())
    assert 0.05 < float((found_BL[:, 3:] == 0).float().mean()) < 0.3


def test_mixed_texts_have_mixed_classes():
    pooled_BD, targets_BC = torch.eye(6), torch.eye(6)

    mixed_BD, classes_BC = mixed(pooled_BD, targets_BC, rng=np.random.default_rng(4))

    assert torch.allclose(mixed_BD, classes_BC)
    assert torch.allclose(classes_BC.sum(dim=1), torch.ones(6))
    assert bool((classes_BC.diagonal() >= 0.5).all())


@pytest.mark.parametrize("augmentation", list(Augmentation))
@pytest.mark.parametrize(("attack", "steps"), [(0.0, 1), (0.05, 1), (0.05, 3)])
def test_every_disturbance_goes_with_every_other(ready, augmentation, attack, steps):
    tuned = tune(
        ready.base,
        ready.lessons(),
        course(
            "lora",
            epochs=1,
            augmentation=augmentation,
            attack=attack,
            attack_steps=steps,
            smoothing=0.1,
        ),
    )

    assert np.isfinite(tuned.epochs[0].loss)


@pytest.mark.parametrize("optimizer", list(Optimizer))
def test_norms_biases_and_word_vectors_do_not_decay(ready, optimizer):
    network = network_for(ready.base, course("full"), classes=2)

    groups = optimizer_of(network, course("full", optimizer=optimizer)).param_groups

    names = {id(one): name for name, one in network.named_parameters()}
    decayed = {names[id(p)] for g in groups if g["weight_decay"] > 0 for p in g["params"]}
    plain = {names[id(p)] for g in groups if g["weight_decay"] == 0 for p in g["params"]}
    assert len(decayed) + len(plain) == len(names)
    assert all("LayerNorm" not in name and "bias" not in name for name in decayed)
    assert any("word_embeddings" in name for name in plain)
    assert len([name for name in decayed if "encoder.layer" in name]) == 6 * LAYERS
    assert FEED_FORWARD != HIDDEN


@pytest.mark.parametrize("schedule", list(Schedule))
def test_the_rate_warms_up_and_falls_to_nothing(schedule):
    rates = [rate_at(Course(schedule=schedule, warmup=0.1), step, 100) for step in range(100)]

    assert rates[0] == pytest.approx(0.1)
    assert max(rates) == pytest.approx(1.0)
    assert rates.index(max(rates)) in {9, 10}
    assert rates[-1] < 0.02
    assert all(early >= late for early, late in pairwise(rates[10:]))


def test_each_text_comes_once_an_epoch_beside_others_of_its_length():
    lengths_N = np.random.default_rng(0).integers(3, 60, 500)

    batches = list(shuffled(lengths_N, size=16, rng=np.random.default_rng(1)))

    assert sorted(np.concatenate(batches).tolist()) == list(range(500))
    waste = sum(lengths_N[b].max() * len(b) - lengths_N[b].sum() for b in batches)
    assert waste < 0.1 * lengths_N.sum()
