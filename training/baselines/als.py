"""Matrix factorization of implicit feedback by alternating least squares, from implicit.

Hu, Koren, Volinsky, "Collaborative filtering for implicit feedback datasets", ICDM 2008. A
user's factors are solved anew from the history that is asked about, so they are never older
than it; the items' factors stay as fitted.

Shape suffixes: B = users asked about, U = users, I = items, D = factors.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import inf
from typing import TYPE_CHECKING

import numpy as np

from clickwise.vectors.port import Float32Array
from training.baselines.evidence import Evidence
from training.baselines.matrix import history_matrix, popularity_of, user_item_matrix
from training.baselines.spaces import Choice, Scale, Whole, tunable
from training.data import Dataset, History

if TYPE_CHECKING:
    from implicit.cpu.als import AlternatingLeastSquares


@dataclass(frozen=True, slots=True, kw_only=True)
class AlsConfig:
    """`alpha` is the confidence in what was met over what was not."""

    factors: int = 64
    regularization: float = 0.05
    alpha: float = 10.0
    iterations: int = 15
    half_life_steps: float = inf
    evidence: Evidence = "positive"
    threads: int = 1


class Als:
    """Scores are dot products of the user's and the items' factors."""

    name = "als"

    def __init__(self, config: AlsConfig) -> None:
        self._config = config
        self._model: AlternatingLeastSquares | None = None
        self._popularity_I = np.zeros(0, np.float32)

    def fit(self, data: Dataset, *, seed: int) -> None:
        """See Ranker."""
        from implicit.cpu.als import AlternatingLeastSquares
        from threadpoolctl import threadpool_limits

        config = self._config
        matrix_UI = user_item_matrix(data, config.evidence)
        self._popularity_I = popularity_of(matrix_UI)
        # The library runs its own threads and warns of those of BLAS.
        with threadpool_limits(1, "blas"):
            self._model = AlternatingLeastSquares(
                factors=config.factors,
                regularization=config.regularization,
                alpha=config.alpha,
                iterations=config.iterations,
                num_threads=config.threads,
                random_state=seed,
            )
            self._model.fit(matrix_UI, show_progress=False)

    def score(self, users: Sequence[int], histories: Sequence[History]) -> Float32Array:
        """See Ranker."""
        if self._model is None:
            raise ValueError("fit before score")
        rows_BI = history_matrix(
            histories,
            num_items=len(self._popularity_I),
            evidence=self._config.evidence,
            half_life_steps=self._config.half_life_steps,
        )
        factors_BD = self._model.recalculate_user(np.asarray(users), rows_BI)
        return np.asarray(factors_BD @ self._model.item_factors.T + self._popularity_I, np.float32)

    def learn(self, user: int, item: int, *, event_type: int, weight: float, time: float) -> None:
        """Items' factors stay as fitted; the user's are solved anew in `score`."""


BASELINE = tunable(
    AlsConfig(),
    Als,
    {
        "factors": Whole(16, 256),
        "regularization": Scale(1e-3, 10.0),
        "alpha": Scale(0.5, 100.0),
        "iterations": Whole(5, 30),
        "half_life_steps": Choice((2.0, 4.0, 8.0, 16.0, 64.0, inf)),
        "evidence": Choice(("positive", "all")),
    },
)
