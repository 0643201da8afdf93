"""Fits a sequence network and ranks with it: the part that SASRec and GRU4Rec share.

Needs torch and numpy alone. An epoch reads every history in windows; after each the network is
asked for the last items of some users, which are kept out of training, and the best weights by
NDCG@10 stay. Equal seeds give equal networks on one device.

Shape suffixes: B = histories asked about, I = items, T = steps.
"""

import copy
import time
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from clickwise.vectors.port import Float32Array
from training.baselines.evidence import Evidence, sequence_of
from training.baselines.network import SequenceNetwork, full_loss, sampled_loss
from training.baselines.windows import padded, training_windows
from training.data import Dataset, History

_SCORED_AT_ONCE = 256
_FEWEST_ASKED = 20
Items = NDArray[np.int32]


@dataclass(frozen=True, slots=True, kw_only=True)
class NeuralConfig:
    """What does not depend on the kind of network.

    `negatives` sampled items per batch stand for all others; 0 takes the full softmax.
    `device` is `cpu`, `cuda` or `auto`; in `bfloat16` only matrix products are. Training ends
    `patience` epochs after the best one.
    """

    width: int = 64
    layers: int = 2
    dropout: float = 0.2
    length: int = 200
    learning_rate: float = 1e-3
    weight_decay: float = 0.01
    batch: int = 128
    epochs: int = 200
    patience: int = 10
    negatives: int = 0
    validation_share: float = 0.1  # of the users, as of ours
    validation_users: int = 2_000  # at most
    evidence: Evidence = "positive"
    precision: Literal["float32", "bfloat16"] = "float32"
    device: str = "auto"


@dataclass(frozen=True, slots=True)
class NeuralEpoch:
    """What an epoch came to; `seconds` are those of training alone."""

    number: int
    loss: float
    ndcg: float
    seconds: float


class NeuralRanker:
    """A ranker around a network that `make` builds for a number of items."""

    def __init__(
        self,
        name: str,
        make: Callable[[int], SequenceNetwork],
        config: NeuralConfig,
        *,
        progress: Callable[[NeuralEpoch], None] | None = None,
    ) -> None:
        """`progress` is told every epoch as it ends."""
        self.name = name
        self.epochs: list[NeuralEpoch] = []
        self._make = make
        self._config = config
        self._progress = progress
        self._device = torch.device(_device(config.device))
        self._network: SequenceNetwork | None = None
        self._counts_I = np.zeros(0, np.float32)
        self._share_I = torch.zeros(0)

    def fit(self, data: Dataset, *, seed: int) -> None:
        """See Ranker."""
        sequences = [sequence_of(history, self._config.evidence) for _, history in data.histories()]
        self._counts_I = np.bincount(
            np.concatenate([*sequences, np.zeros(0, np.int32)]), minlength=len(data.items)
        ).astype(np.float32)
        share_I = self._counts_I / max(1.0, self._counts_I.sum())
        self._share_I = torch.from_numpy(share_I).to(self._device)
        rng = np.random.default_rng(seed)
        train, asked = _held_out(sequences, self._config, rng)
        # The caller's random numbers are left as they were.
        devices = [self._device] if self._device.type == "cuda" else []
        with torch.random.fork_rng(devices=devices):
            torch.manual_seed(seed)
            self._network = self._make(len(data.items)).to(self._device)
            self._train(self._network, train, asked, rng)

    def score(self, users: Sequence[int], histories: Sequence[History]) -> Float32Array:
        """See Ranker. Histories without any item are answered by popularity."""
        del users
        if self._network is None:
            raise ValueError("fit before score")
        return self._scores(
            self._network, [sequence_of(one, self._config.evidence) for one in histories]
        )

    def learn(self, user: int, item: int, *, event_type: int, weight: float, time: float) -> None:
        """Weights stay as fitted; the history that `score` is given moves on."""

    def _train(
        self,
        network: SequenceNetwork,
        train: Sequence[Items],
        asked: Sequence[tuple[Items, int]],
        rng: np.random.Generator,
    ) -> None:
        config = self._config
        optimizer = torch.optim.AdamW(
            network.parameters(),
            lr=config.learning_rate,
            betas=(0.9, 0.98),
            weight_decay=config.weight_decay,
        )
        self.epochs = []
        best = copy.deepcopy(network.state_dict())
        best_ndcg, best_number = -1.0, 0
        for number in range(1, config.epochs + 1):
            started = time.perf_counter()
            loss = self._epoch(network, optimizer, train, rng)
            seconds = time.perf_counter() - started
            # Without anybody to ask the last epoch is the best.
            ndcg = self._ndcg(network, asked) if asked else float(number)
            self._tell(NeuralEpoch(number, loss, ndcg if asked else 0.0, seconds))
            if ndcg > best_ndcg:
                best, best_ndcg, best_number = copy.deepcopy(network.state_dict()), ndcg, number
            if number - best_number >= config.patience:
                break
        network.load_state_dict(best)

    def _epoch(
        self,
        network: SequenceNetwork,
        optimizer: torch.optim.Optimizer,
        train: Sequence[Items],
        rng: np.random.Generator,
    ) -> float:
        """The mean loss of the batches."""
        network.train()
        windows = training_windows(train, length=self._config.length, rng=rng)
        if not len(windows):
            return 0.0
        on_device = torch.from_numpy(windows[rng.permutation(len(windows))]).to(self._device)
        losses = []
        for window_BT in torch.split(on_device, self._config.batch):
            with self._autocast():
                loss = self._loss(network, window_BT)
            optimizer.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            optimizer.step()
            losses.append(loss.detach())
        return float(torch.stack(losses).mean())

    def _loss(self, network: SequenceNetwork, window_BT: Tensor) -> Tensor:
        if not self._config.negatives:
            return full_loss(network, window_BT)
        return sampled_loss(network, window_BT, self._share_I, self._config.negatives)

    @torch.inference_mode()
    def _scores(self, network: SequenceNetwork, sequences: Sequence[Items]) -> Float32Array:
        network.eval()
        scores_BI = np.empty((len(sequences), len(self._counts_I)), np.float32)
        for begin in range(0, len(sequences), _SCORED_AT_ONCE):
            part = sequences[begin : begin + _SCORED_AT_ONCE]
            lengths_B = np.array([min(len(one), self._config.length) for one in part])
            items_BT = padded(part, self._config.length)[:, : max(1, lengths_B.max())]
            with self._autocast():
                expected_BTD = network(torch.from_numpy(items_BT).to(self._device))
                ends_B = torch.from_numpy(np.maximum(0, lengths_B - 1)).to(self._device)
                last_BD = expected_BTD[torch.arange(len(part), device=self._device), ends_B]
                answer = network.scores(last_BD).float().cpu().numpy()
            answer[lengths_B == 0] = self._counts_I
            scores_BI[begin : begin + len(part)] = answer
        return scores_BI

    def _ndcg(self, network: SequenceNetwork, asked: Sequence[tuple[Items, int]]) -> float:
        """NDCG@10 of the items held out, among all that the user has not had before."""
        gained = 0.0
        for begin in range(0, len(asked), _SCORED_AT_ONCE):
            part = asked[begin : begin + _SCORED_AT_ONCE]
            scores_BI = self._scores(network, [items for items, _ in part])
            for scores_I, (items, target) in zip(scores_BI, part, strict=True):
                wanted = scores_I[target]
                scores_I[items] = -np.inf
                better = int((scores_I > wanted).sum())
                gained += 1.0 / np.log2(better + 2.0) if better < 10 else 0.0
        return float(gained / len(asked))

    def _autocast(self) -> "torch.autocast | nullcontext[None]":
        if self._config.precision == "float32":
            return nullcontext()
        return torch.autocast(self._device.type, torch.bfloat16)

    def _tell(self, epoch: NeuralEpoch) -> None:
        self.epochs.append(epoch)
        if self._progress is not None:
            self._progress(epoch)


def _held_out(
    sequences: Sequence[Items], config: NeuralConfig, rng: np.random.Generator
) -> tuple[list[Items], list[tuple[Items, int]]]:
    """What is left to train on, and for some users their history and its last item."""
    able = [place for place, items in enumerate(sequences) if len(items) >= 3]
    share = max(_FEWEST_ASKED, round(len(able) * config.validation_share))
    chosen = set(rng.permutation(able)[: min(share, config.validation_users)].tolist())
    train = [items[:-1] if place in chosen else items for place, items in enumerate(sequences)]
    asked = [(sequences[place][:-1], int(sequences[place][-1])) for place in sorted(chosen)]
    return train, asked


def _device(wanted: str) -> str:
    if wanted != "auto":
        return wanted
    return "cuda" if torch.cuda.is_available() else "cpu"
