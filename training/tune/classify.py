"""Tuning an encoder and a head on texts with classes: epochs until the dev macro F1 stops rising.

What an epoch draws depends on the seed and its number alone: equal seeds repeat a run exactly, and
one that was killed goes on from its checkpoint as if nothing had happened.

Shape suffixes: N = texts, B = texts of a batch, L = tokens, D = embedding dimension, C = classes.
"""

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from clickwise.vectors.port import Float32Array, Int64Array
from training.devices import auto_device, seeded
from training.tune.adversarial import backward_on_the_way, backward_with_attack
from training.tune.augment import changed, cut_off, mixed
from training.tune.averages import averaged, take_step
from training.tune.base import Base
from training.tune.batches import Row, lengths, padded, shuffled
from training.tune.course import Course, optimizer_of, rate_at
from training.tune.methods import applied, num_trained, trained
from training.tune.network import TextNetwork, logits
from training.tune.probe import probe
from training.tune.ranks import orthogonality, share_out
from training.tune.report import macro_f1
from training.tune.resuming import Held, load, save
from training.tune.ways import Augmentation, Method

_SMALLEST_GAIN = 1e-4


@dataclass(frozen=True, slots=True)
class Lessons:
    """What is learned and what early stopping looks at. `targets_NC` are shares of classes: one
    of each label, or what a teacher thinks. `pooled_ND` are the untuned encoder's vectors of
    `rows`, which the head starts from. `fixed`: pieces before a text, its prefix's.
    """

    rows: Sequence[Row]
    targets_NC: Float32Array
    dev_rows: Sequence[Row]
    dev_labels_N: Int64Array
    pooled_ND: Float32Array
    fixed: int = 1


@dataclass(frozen=True, slots=True)
class Epoch:
    """What one epoch did. `seconds` are the processor's, of training alone."""

    number: int
    loss: float
    quality: float
    best: float
    seconds: float
    stop: bool


@dataclass(frozen=True, slots=True)
class Tuned:
    """A tuned network with the best weights that were seen, in evaluation mode."""

    network: TextNetwork
    course: Course
    epochs: tuple[Epoch, ...]
    num_trained: int

    @property
    def seconds(self) -> float:
        """Processor time of all epochs."""
        return sum(epoch.seconds for epoch in self.epochs)


def network_for(base: Base, course: Course, *, classes: int, steps: int = 1_000) -> TextNetwork:
    """A network before its first step; equal courses give equal ones."""
    device = auto_device(course.device)
    with seeded(course.seed, device):
        model = base.model(dropout=course.inner_dropout)
        if course.bf16 and course.method is not Method.FULL:
            model.to(torch.bfloat16)
        encoder = applied(model, course.method, course.sizes, steps=steps)
        return TextNetwork(
            encoder,
            pooling=base.weights.recipe.pooling,
            dimension=base.weights.architecture.hidden,
            classes=classes,
            pad=base.pad,
            dropout=course.dropout,
        ).to(device)


def tune(
    base: Base,
    lessons: Lessons,
    course: Course,
    *,
    watch: Callable[[Epoch], None] = lambda _: None,
    work: Path | None = None,
) -> Tuned:
    """Tune until it stops; what `watch` raises stops it there. `work`: a folder for checkpoints.

    Raises:
        ValueError: the lessons are empty.
    """
    if not lessons.rows or not lessons.dev_rows:
        raise ValueError("nothing to learn from, or nothing to stop by")
    steps = course.epochs * -(-len(lessons.rows) // course.batch)
    classes = lessons.targets_NC.shape[1]
    network = network_for(base, course, classes=classes, steps=steps)
    network.center(lessons.pooled_ND)
    probe(network, lessons.pooled_ND, lessons.targets_NC)
    optimizer = optimizer_of(network, course)
    held, mark = Held(), _mark(base, lessons, course)
    if work is not None:
        load(work, network, optimizer, held, mark=mark)
    epochs = [Epoch(**one) for one in held.epochs]
    for epoch in _epochs(network, optimizer, lessons, course, held, steps):
        epochs.append(epoch)
        watch(epoch)
        if work is not None:
            save(work, network, optimizer, held, mark=mark)
    network.load_state_dict(held.best_weights, strict=False)
    return Tuned(network.eval(), course, tuple(epochs), num_trained(network))


def _mark(base: Base, lessons: Lessons, course: Course) -> str:
    """Names a tuning by all that its weights depend on."""
    digest = blake2b(f"{base.weights.checksum} {course}".encode(), digest_size=16)
    for row in (*lessons.rows, *lessons.dev_rows):
        digest.update(base.kept_V[row].tobytes() + b"|")
    for array in (lessons.targets_NC, lessons.dev_labels_N, lessons.pooled_ND):
        digest.update(np.ascontiguousarray(array).tobytes())
    return digest.hexdigest()


def _epochs(
    network: TextNetwork,
    optimizer: torch.optim.Optimizer,
    lessons: Lessons,
    course: Course,
    held: Held,
    steps: int,
) -> Iterator[Epoch]:
    rates = [group["lr"] for group in optimizer.param_groups] if not held.rates else held.rates
    held.rates = rates
    while held.epoch < course.epochs and not held.done:
        begun = time.process_time()
        held.epoch += 1
        loss = _epoch(network, optimizer, lessons, course, held, steps)
        seconds = time.process_time() - begun
        with averaged(held.averages, network), casting(course, network):
            found_NC = logits(network, lessons.dev_rows)
            labels_N, said_N = lessons.dev_labels_N, found_NC.argmax(axis=1)
            quality = macro_f1(labels_N, said_N, classes=len(found_NC[0]))
            if quality > held.best + _SMALLEST_GAIN:
                held.best, held.best_epoch = quality, held.epoch
                held.best_weights = trained(network)
        held.done = held.epoch - held.best_epoch >= course.patience
        stop = held.done or held.epoch == course.epochs
        held.note(
            number=held.epoch, loss=loss, quality=quality, best=held.best, seconds=seconds,
            stop=stop,
        )  # fmt: skip
        yield Epoch(**held.epochs[-1])


def casting(course: Course, network: TextNetwork) -> torch.autocast:
    """Products in bfloat16 where the course says so."""
    return torch.autocast(network.device.type, dtype=torch.bfloat16, enabled=course.bf16)


def _epoch(
    network: TextNetwork,
    optimizer: torch.optim.Optimizer,
    lessons: Lessons,
    course: Course,
    held: Held,
    steps: int,
) -> float:
    """Mean loss of the batches."""
    network.train()
    rng = np.random.default_rng((course.seed, held.epoch))
    losses = []
    with seeded(int(rng.integers(2**63)), network.device):
        for chosen in shuffled(lengths(lessons.rows), size=course.batch, rng=rng):
            for group, rate in zip(optimizer.param_groups, held.rates, strict=True):
                group["lr"] = rate * rate_at(course, held.steps, steps)
            losses.append(_backward(network, lessons, chosen, course, rng))
            torch.nn.utils.clip_grad_norm_(network.parameters(), course.clip)
            optimizer.step()
            held.steps += 1
            if course.method is Method.ADALORA:  # the mean of ranks that come and go has them all
                share_out(network.encoder, held.steps)
            elif course.average:
                take_step(held.averages, network, decay=course.average, step=held.steps)
            optimizer.zero_grad()
    return float(np.mean(losses))


def _backward(
    network: TextNetwork,
    lessons: Lessons,
    chosen: Int64Array,
    course: Course,
    rng: np.random.Generator,
) -> float:
    """Gradients of one batch; its loss."""
    rows = [
        changed(lessons.rows[row], course.augmentation, fixed=lessons.fixed, rng=rng)
        for row in chosen.tolist()
    ]
    ids_BL, mask_BL = padded(rows, pad=network.pad)
    if course.augmentation is Augmentation.CUTOFF:
        mask_BL = cut_off(mask_BL, fixed=lessons.fixed, rng=rng)
    targets_BC = torch.from_numpy(lessons.targets_NC[chosen]).to(network.device)

    def loss_at(words_BLD: Tensor | None) -> Tensor:
        with casting(course, network):
            pooled_BD = network.pooled(ids_BL, mask_BL, words_BLD)
        wanted_BC = targets_BC
        if course.augmentation is Augmentation.MIXUP:
            pooled_BD, wanted_BC = mixed(pooled_BD, targets_BC, rng=rng)
        loss = functional.cross_entropy(
            network.classify(pooled_BD), wanted_BC, label_smoothing=course.smoothing
        )
        return loss + orthogonality(network.encoder) if course.method is Method.ADALORA else loss

    if course.attack and course.attack_steps > 1:
        words_BLD, steps = network.embedded(ids_BL), course.attack_steps
        return backward_on_the_way(loss_at, words_BLD, mask_BL, length=course.attack, steps=steps)
    if course.attack:
        return backward_with_attack(
            loss_at, network.embedded(ids_BL), mask_BL, length=course.attack
        )
    loss = loss_at(None)
    loss.backward()  # type: ignore[no-untyped-call]
    return float(loss.detach())


def one_hot(labels_N: Int64Array, classes: int) -> Float32Array:
    """Shares of classes (N, C) that say what the labels say."""
    return np.eye(classes, dtype=np.float32)[labels_N]
