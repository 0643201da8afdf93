"""Training the network: epochs over random windows, early stopping on later events.

`fit` yields after each epoch, so that whoever runs it can show, record and stop. What an epoch
draws depends on the seed and its number alone, so a run that goes on from a checkpoint
(`training.checkpoint`) equals one that was never interrupted, and a fixed seed gives identical
runs on one machine.

Shape suffixes: see training.model.
"""

import copy
import math
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial

import numpy as np
import torch
from torch import Tensor

from training.devices import seeded
from training.loss import Draws
from training.network import Network
from training.quality import Validation, quality_of, ranks_of, score_all
from training.sequences import Histories
from training.step import Objective, RecordedStep, Step

__all__ = [
    "Epoch",
    "FitConfig",
    "FitState",
    "Network",
    "Validation",
    "fit",
    "quality_of",
    "ranks_of",
    "score_all",
]

_SLOWEST = 0.1  # rate at the end of a decay, of the first


@dataclass(frozen=True, slots=True)
class FitConfig:
    """How to train. `negative` weighs what was disliked; `sampled` items are drawn per batch
    where the catalogue is too large for a full softmax.
    """

    learning_rate: float = 2e-3
    weight_decay: float = 0.02
    batch: int = 32  # rows of `ModelConfig.length` steps
    epochs: int = 200
    patience: int = 20
    warmup: int = 100  # batches
    decay_after: int = 0  # epochs of a cosine down to a tenth; 0: constant
    negative: float = 0.1
    sampled: int = 1_024
    average: float = 0.999  # decay per batch of the averaged weights that are kept; 0: none
    seed: int = 1
    every: int = 1  # epochs between validations


@dataclass(frozen=True, slots=True)
class Epoch:
    """What one epoch did. `quality` is NDCG@10 on the validation part, None where not looked;
    `seconds` are those of training alone.
    """

    number: int
    loss: float
    quality: float | None
    best: float
    seconds: float
    stop: bool


class FitState:
    """All that the next epoch depends on, beside the weights."""

    def __init__(self, network: Network, config: FitConfig) -> None:
        decayed = [p for p in network.parameters() if p.ndim >= 2]
        plain = [p for p in network.parameters() if p.ndim < 2]
        device = decayed[0].device
        on_gpu = device.type == "cuda"
        self.optimizer = torch.optim.AdamW(
            [
                {"params": decayed, "weight_decay": config.weight_decay},
                {"params": plain, "weight_decay": 0.0},
            ],
            # A recorded step reads its rate from memory.
            lr=torch.tensor(config.learning_rate, device=device)
            if on_gpu
            else config.learning_rate,
            fused=True,
            capturable=on_gpu,
        )
        self.epoch = 0
        self.batches = 0
        self.best = -1.0
        self.best_epoch = 0
        self.best_weights: dict[str, Tensor] | None = None
        self.average: dict[str, Tensor] | None = (
            copy.deepcopy(network.state_dict()) if config.average else None
        )
        self.done = False

    def judge(
        self, network: Network, measure: Callable[[Network], float], config: FitConfig
    ) -> float:
        """Quality of the weights as they would be kept; remembers the best."""
        live = None
        if self.average is not None:
            live = copy.deepcopy(network.state_dict())
            network.load_state_dict(self.average)
        quality = measure(network)
        if quality > self.best:
            self.best, self.best_epoch = quality, self.epoch
            self.best_weights = copy.deepcopy(network.state_dict())
        self.done = self.epoch - self.best_epoch >= config.patience
        if live is not None:
            network.load_state_dict(live)
        return quality

    def restore(self, network: Network) -> None:
        """The best weights, or the averaged ones where nothing was measured."""
        if self.best_weights is not None:
            network.load_state_dict(self.best_weights)
        elif self.average is not None:
            network.load_state_dict(self.average)


def fit(
    network: Network,
    histories: Histories,
    validation: Validation | None,
    config: FitConfig,
    *,
    state: FitState | None = None,
    learn_from: float | None = None,
) -> Iterator[Epoch]:
    """Train `network` in place, epoch by epoch; at the end it holds the best weights seen.

    `learn_from`: only windows with something that came at or after that time are learned.
    """
    run = state if state is not None else FitState(network, config)
    measure = _measure(validation, histories.device)
    step = _step(network, histories, config, run)
    while run.epoch < config.epochs and not run.done:
        started = time.perf_counter()
        run.epoch += 1
        loss = _epoch(network, histories, config, run, step, learn_from)
        seconds = time.perf_counter() - started
        quality = None
        if measure is not None and run.epoch % config.every == 0:
            quality = run.judge(network, measure, config)
        yield Epoch(run.epoch, loss, quality, run.best, seconds, run.done)
    run.restore(network)


def _measure(validation: Validation | None, device: str) -> Callable[[Network], float] | None:
    if validation is None:
        return None
    seen = Histories(validation.histories, device=device)
    return partial(quality_of, seen=seen, validation=validation)


def _step(network: Network, histories: Histories, config: FitConfig, run: FitState) -> Step:
    counts_I = torch.bincount(histories.items_N - 1, minlength=len(network.get_buffer("places_I")))
    objective = Objective(
        Draws(counts_I.float()),
        sampled=config.sampled,
        # Where nothing is disliked nothing need be computed for it.
        negative=config.negative if bool((histories.weights_N < 0.0).any()) else 0.0,
    )
    named = [] if run.average is None else [run.average[n] for n, _ in network.named_parameters()]
    if histories.items_N.is_cuda:
        return RecordedStep(network, histories, objective, run.optimizer, named, size=config.batch)
    return Step(network, histories, objective, run.optimizer, named)


def _epoch(
    network: Network,
    histories: Histories,
    config: FitConfig,
    run: FitState,
    step: Step,
    learn_from: float | None,
) -> float:
    """Mean loss of the batches."""
    network.train()
    length = network.config.length
    rng = np.random.default_rng((config.seed, run.epoch))
    windows = histories.windows(length, rng=rng, learn_from=learn_from)
    rows = histories.rows(windows, length, rng=rng)
    losses = []
    with seeded(int(rng.integers(2**63)), histories.items_N.device):
        for part in rows.parts(config.batch):
            run.batches += 1
            rate = _rate(config, run.epoch) * min(1.0, run.batches / max(1, config.warmup))
            pace = 1.0 - min(config.average, run.batches / (run.batches + 10.0))
            losses.append(step(part, rate=rate, pace=pace))
    return float(torch.stack(losses).mean()) if losses else 0.0


def _rate(config: FitConfig, epoch: int) -> float:
    if not config.decay_after:
        return config.learning_rate
    done = min(1.0, (epoch - 1) / config.decay_after)
    return config.learning_rate * (
        _SLOWEST + (1.0 - _SLOWEST) * 0.5 * (1.0 + math.cos(math.pi * done))
    )
