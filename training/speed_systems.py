"""Ours, SASRec and GRU4Rec as steps of training that can be repeated: what training.speed times.

Shape suffixes: W = windows, B = those of a batch, R = rows, T = steps, I = items.
"""

import time
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from itertools import cycle
from typing import TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from training.baselines.gru4rec import Gru4RecConfig, Recurrence
from training.baselines.network import SequenceNetwork, full_loss, sampled_loss
from training.baselines.sasrec import CausalAttention, SasRecConfig
from training.baselines.windows import training_windows
from training.data import History
from training.fit import FitConfig, FitState
from training.loss import Draws
from training.model import ModelConfig
from training.network import Network
from training.sequences import Histories, Rows
from training.step import Objective, RecordedStep, Step

OURS, SASREC, GRU4REC = "clickwise", "sasrec", "gru4rec"

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Sizes:
    """The same for all. `batch` is of the baselines' windows; ours reads the rows with as many
    targets. `width` is also that of item vectors and of hidden units.
    """

    length: int = 200
    width: int = 64
    layers: int = 2
    batch: int = 128


@dataclass(frozen=True, slots=True)
class Corpus:
    """What is read: items (places) of each history, oldest first, of a catalogue of `items`."""

    sequences: Sequence[NDArray[np.int32]]
    items: int


@dataclass(frozen=True, slots=True)
class Taken:
    """Seconds by the clock, and of the processor in this process."""

    wall: float
    cpu: float

    @classmethod
    def now(cls) -> "Taken":
        """What both clocks show."""
        return cls(time.perf_counter(), time.process_time())

    def since(self) -> "Taken":
        """From then to now."""
        now = Taken.now()
        return Taken(now.wall - self.wall, now.cpu - self.cpu)


@dataclass(frozen=True, slots=True)
class Drill:
    """A system that is ready: `step` trains on the next batch, over and over an epoch's batches.
    `prepare` went into cutting and packing an epoch's windows.
    """

    name: str
    step: Callable[[], None]
    steps_per_epoch: float
    targets_per_step: float
    real_share: float
    prepare: Taken


def rows_of(corpus: Corpus, sizes: Sizes, *, seed: int) -> int:
    """Rows of ours in a batch with as many targets as the baselines' have.

    Raises:
        ValueError: no history has two events.
    """
    windows_W = _windows(corpus, sizes, seed=seed)
    histories = _histories(corpus, "cpu")
    rng = np.random.default_rng(seed)
    rows = histories.rows(histories.windows(sizes.length, rng=rng), sizes.length, rng=rng)
    return max(1, round(sizes.batch * len(rows) / len(windows_W)))


def ours(corpus: Corpus, sizes: Sizes, *, sampled: int, device: str, seed: int) -> Drill:
    """Ours, by ids alone; `sampled` 0: the full softmax.

    Raises:
        ValueError: no history has two events.
    """
    size = rows_of(corpus, sizes, seed=seed)
    network = Network(ours_config(sizes), items=corpus.items, text_ID=None).to(device)
    config = FitConfig(batch=size)
    run, histories = FitState(network, config), _histories(corpus, device)
    begun = Taken.now()
    rng = np.random.default_rng(seed)
    rows = histories.rows(histories.windows(sizes.length, rng=rng), sizes.length, rng=rng)
    prepare = begun.since()
    counts_I = torch.bincount(histories.items_N - 1, minlength=corpus.items)
    objective = Objective(
        Draws(counts_I.float()),
        sampled=sampled,
        negative=0.0,
        full_up_to=0 if sampled else corpus.items,
    )
    average = [] if run.average is None else [run.average[n] for n, _ in network.named_parameters()]
    parts = (network, histories, objective, run.optimizer, average)
    step = Step(*parts) if device == "cpu" else RecordedStep(*parts, size=size)
    batches = cycle(_whole(list(rows.parts(size))))
    network.train()

    def one() -> None:
        step(next(batches), rate=config.learning_rate, pace=1.0 - config.average)

    return Drill(
        name=OURS,
        step=one,
        steps_per_epoch=len(rows) / size,
        targets_per_step=_learned(rows) * size / len(rows),
        real_share=float((rows.places_RT >= 0).float().mean()),
        prepare=prepare,
    )


def baseline(
    name: str, corpus: Corpus, sizes: Sizes, *, sampled: int, device: str, seed: int
) -> Drill:
    """SASRec or GRU4Rec; `sampled` 0: the full softmax.

    Raises:
        ValueError: no history has two events.
    """
    body = (
        CausalAttention(sasrec_config(sizes))
        if name == SASREC
        else Recurrence(gru4rec_config(sizes))
    )
    network = SequenceNetwork(corpus.items, width=sizes.width, body=body).to(device)
    optimizer = torch.optim.AdamW(network.parameters(), lr=1e-3, betas=(0.9, 0.98), fused=True)
    begun = Taken.now()
    windows = torch.from_numpy(_windows(corpus, sizes, seed=seed)).to(device)
    prepare = begun.since()
    counts_I = np.bincount(np.concatenate(corpus.sequences), minlength=corpus.items)
    share_I = torch.from_numpy(counts_I / counts_I.sum()).float().to(device)
    batches = cycle(_whole(torch.split(windows, sizes.batch)))
    # As ours, which on a GPU multiplies in bfloat16.
    cast = torch.autocast("cuda", torch.bfloat16) if device == "cuda" else nullcontext()
    network.train()

    def loss_of(window_BT: Tensor) -> Tensor:
        if sampled:
            return sampled_loss(network, window_BT, share_I, sampled)
        return full_loss(network, window_BT)

    def one() -> None:
        with cast:
            loss = loss_of(next(batches))
        optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]  # torch's
        optimizer.step()

    return Drill(
        name=name,
        step=one,
        steps_per_epoch=len(windows) / sizes.batch,
        targets_per_step=float((windows[:, 1:] > 0).sum()) * sizes.batch / len(windows),
        real_share=float((windows[:, 1:] > 0).float().mean()),  # the last item is a target alone
        prepare=prepare,
    )


def ours_config(sizes: Sizes) -> ModelConfig:
    """Ours in these sizes."""
    return ModelConfig(
        dimension=sizes.width, width=sizes.width, layers=sizes.layers, length=sizes.length
    )


def sasrec_config(sizes: Sizes) -> SasRecConfig:
    """SASRec in these sizes."""
    return SasRecConfig(
        width=sizes.width, layers=sizes.layers, length=sizes.length, batch=sizes.batch
    )


def gru4rec_config(sizes: Sizes) -> Gru4RecConfig:
    """GRU4Rec in these sizes."""
    return Gru4RecConfig(
        width=sizes.width,
        hidden=sizes.width,
        layers=sizes.layers,
        length=sizes.length,
        batch=sizes.batch,
    )


def _windows(corpus: Corpus, sizes: Sizes, *, seed: int) -> NDArray[np.int64]:
    rng = np.random.default_rng(seed)
    windows_WT = training_windows(corpus.sequences, length=sizes.length, rng=rng)
    if not len(windows_WT):
        raise ValueError("no history has two events")
    return windows_WT[rng.permutation(len(windows_WT))]


def _histories(corpus: Corpus, device: str) -> Histories:
    """Every event a click; there are no times, only an order."""
    return Histories([_history(items_T) for items_T in corpus.sequences], device=device)


def _history(items_T: NDArray[np.int32]) -> History:
    number = len(items_T)
    return History(
        items_T,
        np.ones(number, np.uint8),
        np.ones(number, np.float32),
        np.arange(number, dtype=np.float64),
        now=float(number),
    )


def _learned(rows: Rows) -> int:
    return int((rows.learned_RT & (rows.places_RT >= 0)).sum())


def _whole(batches: Sequence[T]) -> Sequence[T]:
    """Without the last, which may be smaller, unless it is the only one."""
    return batches[:-1] or batches
