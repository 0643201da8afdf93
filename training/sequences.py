"""Histories as rows of equal length on the device: what the network is trained on.

A long history is cut into windows; windows share rows, one behind the other, because a recurrence
can begin anew anywhere. So hardly a step of a row is padding, though most histories are short.

Shape suffixes: N = events of all histories, U = histories, W = windows, R = rows, T = steps of a
row, B = rows of a batch, S = steps of all windows.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from clickwise.vectors.port import BoolArray, Int64Array
from training.data import History


@dataclass(frozen=True, slots=True)
class Batch:
    """Rows of T steps. `items` are places + 1, 0 pads. `fresh` marks where a history begins.
    `targets` is the place + 1 of what came next where that is something to learn, else 0;
    `disliked` likewise where what came next was negative.
    """

    items_TB: Tensor
    types_TB: Tensor
    weights_TB: Tensor
    gaps_TB: Tensor
    fresh_TB: Tensor
    targets_TB: Tensor
    disliked_TB: Tensor


@dataclass(frozen=True, slots=True)
class Windows:
    """Places in the events: [start, end) is read, and what follows from `begin` on is learned."""

    starts_W: Int64Array
    ends_W: Int64Array
    begins_W: Int64Array

    def __len__(self) -> int:
        return len(self.starts_W)

    def take(self, rows: BoolArray) -> "Windows":
        """Some of them."""
        return Windows(self.starts_W[rows], self.ends_W[rows], self.begins_W[rows])


@dataclass(frozen=True, slots=True)
class Rows:
    """Windows in rows, on the device: places in the events (-1 pads), and of each step whether a
    window begins there and whether what follows it is learned.
    """

    places_RT: Tensor
    fresh_RT: Tensor
    learned_RT: Tensor

    def __len__(self) -> int:
        return len(self.places_RT)

    def columns(self) -> tuple[Tensor, Tensor, Tensor]:
        """In the order of the fields."""
        return self.places_RT, self.fresh_RT, self.learned_RT

    def parts(self, size: int) -> Iterator["Rows"]:
        """All of them, `size` at a time; the last part may be smaller."""
        for begin in range(0, len(self), size):
            yield Rows(*(column[begin : begin + size] for column in self.columns()))


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

    def windows(
        self, length: int, *, rng: np.random.Generator, learn_from: float | None = None
    ) -> Windows:
        """Windows of at most `length` steps in which every next item is learned once.

        Long histories are cut at random places, so that epochs differ. A window looks back
        `length` steps, also over those whose next items another window learns. `learn_from`: only
        windows with something that came at or after that time (an incremental training).
        """
        pairs_U = self.lengths_U - 1
        # The newest window learns what follows its last `newest` steps, the others `length`.
        newest_U = np.where(
            pairs_U > length, rng.integers(1, length + 1, len(pairs_U)), pairs_U.clip(0)
        )
        number_U = np.where(pairs_U < 1, 0, 1 + -((newest_U - pairs_U) // length))
        user_W = np.repeat(np.arange(len(pairs_U)), number_U)
        nth_W = np.arange(len(user_W)) - np.repeat(np.cumsum(number_U) - number_U, number_U)
        newest_W, offset_W = newest_U[user_W], self.offsets_U[user_W]
        ends_W = pairs_U[user_W] - np.where(nth_W > 0, newest_W + (nth_W - 1) * length, 0)
        begins_W = ends_W - np.where(nth_W > 0, length, newest_W)
        windows = Windows(
            offset_W + (ends_W - length).clip(0), offset_W + ends_W, offset_W + begins_W.clip(0)
        )
        if learn_from is None:
            return windows
        return windows.take(self.times_N[windows.ends_W] >= learn_from)

    def rows(self, windows: Windows, length: int, *, rng: np.random.Generator) -> Rows:
        """Windows in as few rows as a greedy packing finds, in random order."""
        row_W, offset_W, rows = packed(windows.ends_W - windows.starts_W, length, rng=rng)
        row_W = rng.permutation(rows)[row_W]
        width_W = windows.ends_W - windows.starts_W
        window_S = np.repeat(np.arange(len(windows)), width_W)
        nth_S = np.arange(len(window_S)) - np.repeat(np.cumsum(width_W) - width_W, width_W)
        step_S = row_W[window_S] * length + offset_W[window_S] + nth_S
        place_S = windows.starts_W[window_S] + nth_S
        places_RT = np.full(rows * length, -1, np.int64)
        fresh_RT, learned_RT = np.zeros((2, rows * length), np.bool_)
        places_RT[step_S] = place_S
        fresh_RT[step_S] = nth_S == 0
        learned_RT[step_S] = place_S >= windows.begins_W[window_S]
        return Rows(
            *(
                torch.from_numpy(column.reshape(rows, length)).to(self.device)
                for column in (places_RT, fresh_RT, learned_RT)
            )
        )

    def batch(self, rows: Rows) -> Batch:
        """Rows with all that is known of their events."""
        places_BT, fresh_BT, learned_BT = rows.columns()
        real_TB = places_BT.T >= 0
        place_TB = places_BT.T.clamp_min(0)
        next_TB = (place_TB + 1).clamp_max(len(self.items_N) - 1)
        following_TB, weight_TB = self.items_N[next_TB] * learned_BT.T, self.weights_N[next_TB]
        return Batch(
            items_TB=self.items_N[place_TB] * real_TB,
            types_TB=self.types_N[place_TB] * real_TB,
            weights_TB=self.weights_N[place_TB] * real_TB,
            gaps_TB=self.gaps_N[place_TB] * real_TB,
            fresh_TB=fresh_BT.T,
            targets_TB=following_TB * (weight_TB > 0.0),
            disliked_TB=following_TB * (weight_TB < 0.0),
        )

    def whole(self, users: NDArray[np.intp], *, length: int) -> Batch:
        """The last `length` steps of whole histories, one a row and padded in front."""
        ends_B = self.offsets_U[users] + self.lengths_U[users]
        places_BT = ends_B[:, None] + np.arange(-length, 0)
        starts_B = np.maximum(self.offsets_U[users], ends_B - length)
        fresh_BT = torch.from_numpy(places_BT == starts_B[:, None]).to(self.device)
        places_BT[places_BT < starts_B[:, None]] = -1
        places = torch.from_numpy(places_BT).to(self.device)
        return self.batch(Rows(places, fresh_BT, torch.zeros_like(fresh_BT)))


def packed(
    width_W: Int64Array, length: int, *, rng: np.random.Generator
) -> tuple[Int64Array, Int64Array, int]:
    """For each window its row and its first step there, and how many rows there are.

    Best fit, widest first (Johnson, 1974: at most 22 % more rows than needed; in practice 1 or 2),
    equally wide ones in random order, so that other windows meet in each epoch.
    """
    order = rng.permutation(len(width_W))
    order = order[np.argsort(-width_W[order], kind="stable")]
    rows = int((width_W == length).sum())  # each fills a row
    row_W, offset_W = np.zeros((2, len(width_W)), np.int64)
    row_W[order[:rows]] = np.arange(rows)
    free: list[list[int]] = [[] for _ in range(length + 1)]  # rows by the steps that they have left
    for window in order[rows:].tolist():
        width = int(width_W[window])
        left = width
        while left < length and not free[left]:
            left += 1
        if left < length:
            row = free[left].pop()
        else:
            row, rows = rows, rows + 1
        row_W[window], offset_W[window] = row, length - left
        free[left - width].append(row)
    return row_W, offset_W, rows


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
