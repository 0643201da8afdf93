"""How well one right item was ranked.

Each case has one right item, so that all metrics are functions of its rank: Recall@k and
HitRate@k are the same number (the share of cases ranked k-th or better), NDCG@k is
1 / log2(1 + rank) and MRR@k is 1 / rank, both 0 beyond k.

Ties are counted against the ranker: an item of equal score stands before the right one. A
ranker that scores all items alike so gets the last rank and not the first.

Shape suffixes: C = cases, B = cases of one batch, I = items, K = places of a list or
candidates of a case.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray

from clickwise.vectors.port import Float32Array, Float64Array, Int32Array

Measure = Literal["NDCG", "Recall", "HitRate", "MRR"]


@dataclass(frozen=True, slots=True)
class Metric:
    """A measure with its cut-off k."""

    measure: Measure
    cutoff: int

    def __post_init__(self) -> None:
        if self.measure not in get_args(Measure) or self.cutoff < 1:
            raise ValueError(f"no metric {self.measure}@{self.cutoff}")

    @property
    def name(self) -> str:
        """As in tables: NDCG@10."""
        return f"{self.measure}@{self.cutoff}"

    def of(self, ranks_C: Int32Array) -> Float64Array:
        """The value of each case, 0 to 1; ranks count from 1."""
        if self.measure == "NDCG":
            gains_C = 1.0 / np.log2(1.0 + ranks_C)
        elif self.measure == "MRR":
            gains_C = 1.0 / ranks_C.astype(np.float64)
        else:
            gains_C = np.ones(len(ranks_C))
        return np.where(ranks_C <= self.cutoff, gains_C, 0.0)


def metric(name: str) -> Metric:
    """The metric of a name such as `Recall@20`.

    Raises:
        ValueError: there is none of that name.
    """
    measure, _, cutoff = name.partition("@")
    for known in get_args(Measure):
        if known == measure and cutoff.isdecimal():
            return Metric(known, int(cutoff))
    raise ValueError(f"no metric {name!r}")


def bar(scores_BI: Float32Array, barred: Sequence[NDArray[np.integer]]) -> None:
    """Take items out of the ranking, row by row: their scores become -inf, in place."""
    rows = np.repeat(np.arange(len(barred)), [len(items) for items in barred])
    if len(rows):
        scores_BI[rows, np.concatenate(barred)] = -np.inf


def ranks(scores_BI: Float32Array, targets_B: Int32Array) -> Int32Array:
    """Ranks from 1 of the right items among all that are not barred (see `bar`).

    A target that its ranker scores -inf gets the last rank.

    Raises:
        ValueError: a score is no number, which would rank as if it were the best.
    """
    if np.isnan(scores_BI).any():
        raise ValueError("a score is NaN")
    theirs_B = scores_BI[np.arange(len(targets_B)), targets_B]
    ranks_B: Int32Array = (scores_BI >= theirs_B[:, None]).sum(axis=1, dtype=np.int32)
    return ranks_B


def ranks_among(
    scores_BI: Float32Array, targets_B: Int32Array, candidates_BK: Int32Array
) -> Int32Array:
    """Ranks from 1 of the right items among them and K others each.

    Raises:
        ValueError: a score is no number.
    """
    if np.isnan(scores_BI).any():
        raise ValueError("a score is NaN")
    rows_B = np.arange(len(targets_B))
    theirs_B = scores_BI[rows_B, targets_B]
    others_BK = scores_BI[rows_B[:, None], candidates_BK]
    before_B: Int32Array = (others_BK >= theirs_B[:, None]).sum(axis=1, dtype=np.int32)
    return before_B + np.int32(1)


def top(scores_BI: Float32Array, size: int) -> Int32Array:
    """The `size` best items of each row, best first; -1 where fewer are not barred.

    Of equal scores the earlier item stands first.
    """
    size = min(size, scores_BI.shape[1])
    if not size or not len(scores_BI):
        return np.full((len(scores_BI), size), -1, np.int32)
    # The size-th best score of each row; all above it belong, of those equal the earliest.
    limit_B = -np.partition(-scores_BI, size - 1, axis=1)[:, size - 1]
    found_BK = np.full((len(scores_BI), size), -1, np.int32)
    for row, limit in enumerate(limit_B):
        scores_I = scores_BI[row]
        places = np.flatnonzero((scores_I >= limit) & (scores_I > -np.inf))
        order = np.argsort(-scores_I[places], kind="stable")[:size]
        found_BK[row, : len(order)] = places[order]
    return found_BK
