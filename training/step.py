"""One step of training: the loss of some rows, its gradient, new weights.

On a GPU the step is recorded once and then replayed (a CUDA graph): it is hundreds of small
kernels, and launching each from Python takes longer than they run. So there no shape depends on
data, and what changes from step to step lies in tensors that stay where they are.

Shape suffixes: see training.model; P = positions.
"""

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from training.loss import FULL_UP_TO, Draws, full_softmax, pushed_away, sampled_softmax
from training.network import Network
from training.sequences import Batch, Histories, Rows

_LONGEST_GRADIENT = 5.0


@dataclass(frozen=True, slots=True)
class Objective:
    """What is minimized. `negative` weighs what was disliked; `sampled` items stand for all others
    where the catalogue is too large for a full softmax: larger than `full_up_to`.
    """

    draws: Draws
    sampled: int
    negative: float
    full_up_to: int = FULL_UP_TO

    def __call__(self, network: Network, batch: Batch) -> Tensor:
        """Mean over what a batch has to learn."""
        c_ID = network.vectors()
        x_TBH = network.outputs(batch, c_ID)
        x_PH, targets_P = _to_learn(x_TBH, batch.targets_TB)
        u_PKD = network.user.read(x_PH)
        if len(c_ID) <= self.full_up_to:
            loss = full_softmax(u_PKD, c_ID, targets_P)
        else:
            drawn_S = self.draws(self.sampled)
            loss = sampled_softmax(u_PKD, c_ID, targets_P, drawn_S, self.draws.log_q_I)
        if not self.negative:
            return loss
        x_PH, disliked_P = _to_learn(x_TBH, batch.disliked_TB)
        away = pushed_away(network.user.read(x_PH), c_ID, disliked_P)
        return loss + self.negative * away


def _to_learn(x_TBH: Tensor, following_TB: Tensor) -> tuple[Tensor, Tensor]:
    """Outputs of the positions that have something to learn, and what, as rows of `c`. On a GPU
    those of all positions: -1 says that there is nothing.
    """
    if x_TBH.is_cuda:
        return x_TBH.flatten(0, 1), following_TB.flatten() - 1
    there_TB = following_TB > 0
    return x_TBH[there_TB], following_TB[there_TB] - 1


class Step:
    """Teaches a network, in place. `average`: tensors like the weights that follow them."""

    def __init__(
        self,
        network: Network,
        histories: Histories,
        objective: Objective,
        optimizer: torch.optim.Optimizer,
        average: list[Tensor],
    ) -> None:
        self._network, self._histories, self._objective = network, histories, objective
        self._optimizer, self._average = optimizer, average
        self._weights = list(network.parameters())

    def __call__(self, rows: Rows, *, rate: float, pace: float) -> Tensor:
        """The loss. `rate` is that of learning, `pace` the share of the way that the average goes
        toward the weights.
        """
        self._set_rate(rate)
        self._optimizer.zero_grad(set_to_none=True)
        loss = self._gradient(rows)
        self._move(pace)
        return loss

    def _set_rate(self, rate: float) -> None:
        for group in self._optimizer.param_groups:
            if isinstance(group["lr"], Tensor):
                group["lr"].fill_(rate)
            else:
                group["lr"] = rate

    def _gradient(self, rows: Rows) -> Tensor:
        loss = self._objective(self._network, self._histories.batch(rows))
        loss.backward()  # type: ignore[no-untyped-call]  # torch's
        return loss.detach()

    def _move(self, pace: float | Tensor) -> None:
        nn.utils.clip_grad_norm_(self._weights, _LONGEST_GRADIENT)
        self._optimizer.step()
        for kept, weights in zip(self._average, self._weights, strict=False):
            kept.lerp_(weights.detach(), pace)


class RecordedStep(Step):
    """The same on a GPU, for at most `size` rows of `length` at a time, in mixed precision."""

    def __init__(
        self,
        network: Network,
        histories: Histories,
        objective: Objective,
        optimizer: torch.optim.Optimizer,
        average: list[Tensor],
        *,
        size: int,
    ) -> None:
        super().__init__(network, histories, objective, optimizer, average)
        length, device = network.config.length, histories.device
        self._rows = Rows(
            torch.full((size, length), -1, device=device),
            torch.zeros(size, length, dtype=torch.bool, device=device),
            torch.zeros(size, length, dtype=torch.bool, device=device),
        )
        self._pace = torch.zeros((), device=device)
        self._graph = torch.cuda.CUDAGraph()
        network.train()
        self._make_room()
        with torch.cuda.graph(self._graph):
            self._loss = self._gradient(self._rows)
            self._move(self._pace)

    def __call__(self, rows: Rows, *, rate: float, pace: float) -> Tensor:
        """See Step."""
        self._set_rate(rate)
        self._pace.fill_(pace)
        self._rows.places_RT[len(rows) :] = -1
        for kept_RT, new_RT in zip(self._rows.columns(), rows.columns(), strict=True):
            kept_RT[: len(rows)] = new_RT
        self._graph.replay()
        return self._loss.clone()

    def _gradient(self, rows: Rows) -> Tensor:
        with torch.autocast("cuda", dtype=torch.bfloat16, cache_enabled=False):
            batch = self._histories.batch(rows)
            loss = self._objective(self._network, batch)
        loss.backward()  # type: ignore[no-untyped-call]  # torch's
        return loss.detach()

    def _make_room(self) -> None:
        """All that a first step allocates must be there before one is recorded: the libraries'
        workspaces, and the optimizer's moments if it has none yet.
        """
        side = torch.cuda.Stream()  # type: ignore[no-untyped-call]  # torch's
        side.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(side):
            for _ in range(2):
                self._optimizer.zero_grad(set_to_none=True)
                self._gradient(self._rows)
        torch.cuda.current_stream().wait_stream(side)
        if not self._optimizer.state:
            self._set_rate(0.0)
            for one in self._weights:
                one.grad = torch.zeros_like(one)
            self._optimizer.step()
            for moments in self._optimizer.state.values():
                moments["step"].zero_()
        self._optimizer.zero_grad(set_to_none=True)
