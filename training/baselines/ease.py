"""EASE: the linear item-item model with no self-similarity, in closed form.

Steck, "Embarrassingly shallow autoencoders for sparse data", WWW 2019: with G = X'X + lambda I
and P = inverse of G, the weights are B = I - P diag(1 / diag P).

Shape suffixes: B = users asked about, U = users, I = items, K = items of the model.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import inf

import numpy as np
from scipy import linalg

from clickwise.vectors.port import Float32Array
from training.baselines.evidence import Evidence
from training.baselines.matrix import history_matrix, popularity_of, user_item_matrix
from training.baselines.spaces import Choice, Scale, tunable
from training.data import Dataset, History


@dataclass(frozen=True, slots=True, kw_only=True)
class EaseConfig:
    """`regularization` is lambda. Only the `most_items` most popular items are in the model:
    time grows with the third power of their number (12,000: minutes, 1.2 GB twice).
    """

    regularization: float = 300.0
    half_life_steps: float = inf
    evidence: Evidence = "positive"
    most_items: int = 12_000


class Ease:
    """Scores are the history's row times the weights; later items can count more."""

    name = "ease"

    def __init__(self, config: EaseConfig) -> None:
        self._config = config
        self._places_K = np.zeros(0, np.int64)
        self._weights_KK = np.zeros((0, 0), np.float32)
        self._popularity_I = np.zeros(0, np.float32)

    def fit(self, data: Dataset, *, seed: int) -> None:  # noqa: ARG002  # nothing is drawn
        """See Ranker."""
        matrix_UI = user_item_matrix(data, self._config.evidence)
        self._popularity_I = popularity_of(matrix_UI)
        popular = np.argsort(-self._popularity_I, kind="stable")[: self._config.most_items]
        met = popular[self._popularity_I[popular] > 0.0]
        self._places_K = np.sort(met)
        matrix_UK = matrix_UI[:, self._places_K]
        gram_KK = (matrix_UK.T @ matrix_UK).toarray().astype(np.float64)
        self._weights_KK = _weights(gram_KK, self._config.regularization)

    def score(self, users: Sequence[int], histories: Sequence[History]) -> Float32Array:
        """See Ranker."""
        del users
        rows_BI = history_matrix(
            histories,
            num_items=len(self._popularity_I),
            evidence=self._config.evidence,
            half_life_steps=self._config.half_life_steps,
        )
        scores_BI = np.tile(self._popularity_I, (len(histories), 1))
        scores_BI[:, self._places_K] += rows_BI[:, self._places_K] @ self._weights_KK
        return scores_BI

    def learn(self, user: int, item: int, *, event_type: int, weight: float, time: float) -> None:
        """Weights stay as fitted; the history that `score` is given moves on."""


def _weights(gram_KK: np.ndarray, regularization: float) -> Float32Array:
    if not len(gram_KK):
        return np.zeros((0, 0), np.float32)
    diagonal = np.diag_indices_from(gram_KK)
    gram_KK[diagonal] += regularization
    inverse_KK = linalg.inv(gram_KK, overwrite_a=True, check_finite=False)
    weights_KK = np.asarray(inverse_KK / -np.diag(inverse_KK), np.float32)
    weights_KK[diagonal] = 0.0
    return weights_KK


BASELINE = tunable(
    EaseConfig(),
    Ease,
    {
        "regularization": Scale(1.0, 10_000.0),
        "half_life_steps": Choice((1.0, 2.0, 4.0, 8.0, 16.0, 64.0, inf)),
        "evidence": Choice(("positive", "all")),
    },
)
