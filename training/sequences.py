"""Histories as padded windows on the device: what the network is trained on.

Shape suffixes: N = events of all histories, W = windows, T = steps of a window, B = windows of a
batch.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from clickwise.vectors.port import Int64Array
from training.data import History


@dataclass(frozen=True, slots=True)
class Batch:
    """Windows of T steps, padded in front. `items` are places + 1, 0 pads. `targets` is the place
    + 1 of what came next where that is something to learn, else 0; `disliked` likewise where
    what came next was negative.
    """

    items_TB: Tensor
    types_TB: Tensor
    weights_TB: Tensor
    gaps_TB: Tensor
    targets_TB: Tensor
    disliked_TB: Tensor


@dataclass(frozen=True, slots=True)
class Cuts:
    """Windows as places in the events: [start, end) is read, targets from `begin` on count."""

    starts_W: Int64Array
    ends_W: Int64Array
    begins_W: Int64Array

    def __len__(self) -> int:
        return len(self.starts_W)

    def batches(self, size: int, rng: np.random.Generator) -> Iterator[NDArray[np.intp]]:
        """Rows of shuffled batches."""
        order = rng.permutation(len(self))
        for begin in range(0, len(order), size):
            yield order[begin : begin + size]


class Histories:
    """Histories of many users, one after the other, on a device."""

    def __init__(self, histories: Sequence[History], *, device: str) -> None:
        self.lengths_U = np.array([len(h) for h in histories], np.int64)
        self.offsets_U = np.concatenate([[0], np.cumsum(self.lengths_U)])[:-1].astype(np.int64)
        joined = _joined(histories)
        self.items_N = torch.from_numpy(joined.items_T.astype(np.int64) + 1).to(device)
        self.types_N = torch.from_numpy(joined.types_T.astype(np.int64)).to(device)
        self.weights_N = torch.from_numpy(joined.weights_T.astype(np.float32)).to(device)
        gaps_N = np.diff(joined.times_T, prepend=joined.times_T[:1])
        gaps_N[self.offsets_U[self.lengths_U > 0]] = 0.0
        self.gaps_N = torch.from_numpy(gaps_N.astype(np.float32)).to(device)
        self.times_N = joined.times_T
        self.device = device

    def __len__(self) -> int:
        return len(self.lengths_U)

    def cuts(
        self, length: int, *, rng: np.random.Generator, learn_from: float | None = None
    ) -> Cuts:
        """Windows of at most `length` steps that cover every next item once.

        Long histories are cut at random places, so that epochs differ. A window looks back
        `length` steps, also over those whose targets another window learns. `learn_from`: only
        windows with something that came at or after that time (an incremental training).
        """
        pairs_U = self.lengths_U - 1
        shift_U = np.where(pairs_U > length, rng.integers(0, length, len(pairs_U)), 0)
        # Cut points count back from the end: 0, shift, shift + length, ... up to all pairs.
        rest_U = np.maximum(pairs_U - shift_U, 0)
        number_U = np.where(
            pairs_U < 1, 0, (rest_U + length - 1) // length + (shift_U > 0).astype(np.int64)
        )
        user_W = np.repeat(np.arange(len(pairs_U)), number_U)
        first_W = np.repeat(np.cumsum(number_U) - number_U, number_U)
        nth_W = np.arange(len(user_W)) - first_W
        moved_W = shift_U[user_W]
        back_W = np.where(moved_W > 0, np.maximum(0, moved_W + (nth_W - 1) * length), nth_W * length)
        back_W = np.where((moved_W > 0) & (nth_W == 0), 0, back_W)
        width_W = np.where((moved_W > 0) & (nth_W == 0), moved_W, length)
        ends_W = pairs_U[user_W] - back_W
        begins_W = np.maximum(0, ends_W - width_W)
        starts_W = np.maximum(0, ends_W - length)
        offset_W = self.offsets_U[user_W]
        cuts = Cuts(starts_W + offset_W, ends_W + offset_W, begins_W + offset_W)
        if learn_from is None:
            return cuts
        late_W = self.times_N[cuts.ends_W] >= learn_from
        return Cuts(cuts.starts_W[late_W], cuts.ends_W[late_W], cuts.begins_W[late_W])

    def batch(self, cuts: Cuts, rows: NDArray[np.intp], *, length: int) -> Batch:
        """The windows `rows` of `cuts`."""
        ends_B = torch.from_numpy(cuts.ends_W[rows]).to(self.device)
        starts_B = torch.from_numpy(cuts.starts_W[rows]).to(self.device)
        begins_B = torch.from_numpy(cuts.begins_W[rows]).to(self.device)
        steps_T1 = torch.arange(-length, 0, device=self.device)[:, None]
        place_TB = ends_B + steps_T1
        real_TB = place_TB >= starts_B
        place_TB = place_TB.clamp_min(0)
        learnt_TB = real_TB & (place_TB >= begins_B)
        next_TB = (place_TB + 1).clamp_max(len(self.items_N) - 1)
        following_TB, weight_TB = self.items_N[next_TB], self.weights_N[next_TB]
        return Batch(
            items_TB=self.items_N[place_TB] * real_TB,
            types_TB=self.types_N[place_TB] * real_TB,
            weights_TB=self.weights_N[place_TB] * real_TB,
            gaps_TB=self.gaps_N[place_TB] * real_TB,
            targets_TB=following_TB * (learnt_TB & (weight_TB > 0.0)),
            disliked_TB=following_TB * (learnt_TB & (weight_TB < 0.0)),
        )

    def whole(self, users: NDArray[np.intp], *, length: int) -> Batch:
        """The last `length` steps of whole histories, without targets."""
        ends_W = self.offsets_U[users] + self.lengths_U[users]
        starts_W = np.maximum(self.offsets_U[users], ends_W - length)
        cuts = Cuts(starts_W, ends_W, ends_W)
        return self.batch(cuts, np.arange(len(users)), length=length)


def _joined(histories: Sequence[History]) -> History:
    if not histories:
        raise ValueError("no histories")
    return History(
        np.concatenate([h.items_T for h in histories]),
        np.concatenate([h.types_T for h in histories]),
        np.concatenate([h.weights_T for h in histories]),
        np.concatenate([h.times_T for h in histories]),
        now=0.0,
    )
