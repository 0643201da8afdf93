"""Training the network: epochs over random windows, early stopping on later events.

A fixed seed gives identical runs on one machine. `fit` yields after each epoch, so that whoever
runs it can show, record and stop; a checkpoint (`training.checkpoint`) holds all that the next epoch
needs.

Shape suffixes: see training.model.
"""

import copy
import time
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from clickwise.vectors.port import Float32Array, Int64Array
from training.data import History
from training.loss import FULL_UP_TO, full_softmax, pushed_away, sample, sampled_softmax
from training.model import ModelConfig, Tower, UserModel, scores
from training.sequences import Batch, Histories


@dataclass(frozen=True, slots=True)
class FitConfig:
    """How to train. `negative` weighs what was disliked; `sampled` items are drawn per batch
    where the catalogue is too large for a full softmax.
    """

    learning_rate: float = 2e-3
    weight_decay: float = 0.02
    batch: int = 128
    epochs: int = 200
    patience: int = 20
    warmup: int = 100  # batches
    decay_after: int = 0  # epochs of a cosine down to a tenth; 0: constant
    smoothing: float = 0.0
    negative: float = 0.1
    sampled: int = 2_048
    average: float = 0.0  # decay per batch of the averaged weights that are kept; 0: none
    seed: int = 1
    every: int = 1  # epochs between validations


@dataclass(frozen=True, slots=True)
class Validation:
    """For each history the item (a place) that came next."""

    histories: tuple[History, ...]
    targets_U: Int64Array


@dataclass(frozen=True, slots=True)
class Epoch:
    """What one epoch did. `quality` is NDCG@10 on the validation part, None where not looked."""

    number: int
    loss: float
    quality: float | None
    best: float
    seconds: float
    stop: bool


class Network(nn.Module):
    """Tower and user model together, with the catalogue's text on the device."""

    def __init__(self, config: ModelConfig, *, items: int, text_ID: Float32Array | None) -> None:
        super().__init__()
        self.config = config
        text = 0 if text_ID is None else text_ID.shape[1]
        self.tower = Tower(config, items=items, text=text)
        self.user = UserModel(config)
        self.register_buffer(
            "text_ID",
            torch.zeros(items, 0) if text_ID is None else torch.from_numpy(text_ID).float(),
            persistent=False,
        )
        self.register_buffer("places_I", torch.arange(1, items + 1), persistent=False)

    def vectors(self) -> Tensor:
        """Vectors (I, D) of the whole catalogue."""
        c_ID: Tensor = self.tower(self.text_ID, self.places_I)
        return c_ID

    def interests(self, batch: Batch, c_ID: Tensor) -> Tensor:
        """Interests (T, B, K, D) after each step."""
        known_ID = torch.cat([c_ID.new_zeros(1, c_ID.shape[1]), c_ID])
        c_TBD = functional.embedding(batch.items_TB, known_ID)
        u_TBKD: Tensor = self.user.sequence(
            c_TBD, batch.types_TB, batch.weights_TB, batch.gaps_TB, batch.items_TB > 0
        )
        return u_TBKD


def fit(
    network: Network,
    histories: Histories,
    validation: Validation | None,
    config: FitConfig,
    *,
    state: "FitState | None" = None,
    learn_from: float | None = None,
) -> Iterator[Epoch]:
    """Train `network` in place, epoch by epoch; at the end it holds the best weights seen."""
    run = state if state is not None else FitState(network, config)
    device = histories.device
    seen = Histories(validation.histories, device=device) if validation is not None else None
    frequency_I = torch.bincount(histories.items_N - 1, minlength=len(network.places_I)).float()
    frequency_I /= frequency_I.sum()
    while run.epoch < config.epochs and not run.done:
        started = time.perf_counter()
        network.train()
        run.epoch += 1
        for group in run.optimizer.param_groups:
            group["base"] = _rate(config, run.epoch)
        total, batches = 0.0, 0
        cuts = histories.cuts(network.config.length, rng=run.rng, learn_from=learn_from)
        losses = []
        for rows in cuts.batches(config.batch, run.rng):
            batch = histories.batch(cuts, rows, length=network.config.length)
            losses.append(_learn(network, batch, frequency_I, config, run))
        total, batches = float(torch.stack(losses).sum()) if losses else 0.0, len(losses)
        quality = None
        if validation is not None and seen is not None and run.epoch % config.every == 0:
            quality = run.judge(network, lambda n: quality_of(n, seen, validation), config)
        yield Epoch(
            number=run.epoch,
            loss=total / max(1, batches),
            quality=quality,
            best=run.best,
            seconds=time.perf_counter() - started,
            stop=run.done,
        )
    run.restore(network)


class FitState:
    """All that the next epoch depends on."""

    def __init__(self, network: Network, config: FitConfig) -> None:
        decayed = [p for p in network.parameters() if p.ndim >= 2]
        plain = [p for p in network.parameters() if p.ndim < 2]
        self.optimizer = torch.optim.AdamW(
            [
                {"params": decayed, "weight_decay": config.weight_decay},
                {"params": plain, "weight_decay": 0.0},
            ],
            lr=config.learning_rate,
        )
        self.rng = np.random.default_rng(config.seed)
        self.epoch = 0
        self.batches = 0
        self.best = -1.0
        self.best_epoch = 0
        self.best_weights: dict[str, Tensor] | None = None
        self.average: dict[str, Tensor] | None = None
        self.done = False

    def judge(self, network: Network, measure: "object", config: FitConfig) -> float:
        """Quality of the weights as they would be kept; remembers the best."""
        kept = None
        if self.average is not None:
            kept = {k: v.clone() for k, v in network.state_dict().items()}
            network.load_state_dict(self.average)
        quality = float(measure(network))  # type: ignore[operator]
        if quality > self.best:
            self.best, self.best_epoch = quality, self.epoch
            self.best_weights = copy.deepcopy(network.state_dict())
        self.done = self.epoch - self.best_epoch >= config.patience
        if kept is not None:
            network.load_state_dict(kept)
        return quality

    def restore(self, network: Network) -> None:
        """The best weights, or the averaged ones where nothing was measured."""
        if self.best_weights is not None:
            network.load_state_dict(self.best_weights)
        elif self.average is not None:
            network.load_state_dict(self.average)


def _rate(config: FitConfig, epoch: int) -> float:
    if not config.decay_after:
        return config.learning_rate
    done = min(1.0, epoch / config.decay_after)
    return float(config.learning_rate * (0.1 + 0.45 * (1.0 + np.cos(np.pi * done))))


def _learn(
    network: Network, batch: Batch, frequency_I: Tensor, config: FitConfig, run: FitState
) -> Tensor:
    run.batches += 1
    for group in run.optimizer.param_groups:
        group["lr"] = group["base"] * min(1.0, run.batches / max(1, config.warmup))
    half = batch.items_TB.is_cuda
    with torch.autocast("cuda" if half else "cpu", dtype=torch.bfloat16, enabled=half):
        c_ID = network.vectors()
        u_TBKD = network.interests(batch, c_ID)
        learnt_TB = batch.targets_TB > 0
        u_PKD, targets_P = u_TBKD[learnt_TB], batch.targets_TB[learnt_TB] - 1
        if len(c_ID) <= FULL_UP_TO:
            loss = full_softmax(u_PKD, c_ID, targets_P, smoothing=config.smoothing)
        else:
            places_S, log_q_S = sample(
                targets_P, frequency_I, uniform=config.sampled, generator=None
            )
            loss = sampled_softmax(u_PKD, c_ID[places_S], places_S, log_q_S, targets_P)
        disliked_TB = batch.disliked_TB > 0
        if config.negative and bool(disliked_TB.any()):
            c_PD = c_ID[batch.disliked_TB[disliked_TB] - 1]
            loss = loss + config.negative * pushed_away(u_TBKD[disliked_TB], c_PD, c_ID)
    run.optimizer.zero_grad(set_to_none=True)
    loss.backward()  # type: ignore[no-untyped-call]  # torch's
    nn.utils.clip_grad_norm_(network.parameters(), 5.0)
    run.optimizer.step()
    if config.average:
        _average(network, run, min(config.average, run.batches / (run.batches + 10.0)))
    return loss.detach()


@torch.no_grad()
def _average(network: Network, run: FitState, decay: float) -> None:
    if run.average is None:
        run.average = copy.deepcopy(network.state_dict())
        return
    kept = list(run.average.values())
    torch._foreach_lerp_(kept, list(network.state_dict().values()), 1.0 - decay)


@torch.no_grad()
def score_all(network: Network, histories: Histories, *, batch: int = 256) -> Iterator[Tensor]:
    """Scores (B, I) after whole histories, batch by batch, in their order."""
    network.eval()
    c_ID = network.vectors()
    for begin in range(0, len(histories), batch):
        users = np.arange(begin, min(begin + batch, len(histories)))
        whole = histories.whole(users, length=network.config.length)
        yield scores(network.interests(whole, c_ID)[-1], c_ID)


@torch.no_grad()
def quality_of(network: Network, seen: Histories, validation: Validation) -> float:
    """NDCG@10 among all items but those of the history."""
    gains, begin = [], 0
    for scores_BI in score_all(network, seen):
        users = np.arange(begin, begin + len(scores_BI))
        begin += len(scores_BI)
        ranks_B = ranks_of(scores_BI, seen, users, validation.targets_U[users])
        gains.append(torch.where(ranks_B < 10, 1.0 / torch.log2(ranks_B + 2.0), 0.0))
    return float(torch.cat(gains).mean())


def ranks_of(
    scores_BI: Tensor, seen: Histories, users: np.ndarray, targets_B: Int64Array
) -> Tensor:
    """Rank from 0 of each target among the items not in its history; ties count against it."""
    rows = np.repeat(np.arange(len(users)), seen.lengths_U[users])
    begin = int(seen.offsets_U[users[0]])
    places = seen.items_N[begin : begin + len(rows)] - 1
    targets = torch.from_numpy(targets_B).to(scores_BI.device)
    own_B1 = scores_BI.gather(1, targets[:, None])
    barred_BI = scores_BI.index_put(
        (torch.from_numpy(rows).to(scores_BI.device), places),
        torch.tensor(-torch.inf, device=scores_BI.device),
    )
    barred_BI.scatter_(1, targets[:, None], -torch.inf)
    return (barred_BI >= own_B1).sum(dim=1).float()
