"""Items that are met by the same people: item-item nearest neighbors, by the library implicit.

A user's scores are the sum over the items of the history of their similarities, later ones
counting more (`half_life_steps`). The measure is cosine, TF-IDF (people of many items say less)
or BM25 (the same with saturation; https://benfred.github.io/implicit/).

Shape suffixes: B = users asked about, U = users, I = items.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import inf
from typing import Literal

import numpy as np
from scipy import sparse

from clickwise.vectors.port import Float32Array
from training.baselines.evidence import Evidence
from training.baselines.matrix import history_matrix, popularity_of, user_item_matrix
from training.baselines.spaces import Choice, Real, Whole, tunable
from training.data import Dataset, History

Measure = Literal["cosine", "tfidf", "bm25"]


@dataclass(frozen=True, slots=True, kw_only=True)
class ItemKnnConfig:
    """`bm25_k1` and `bm25_b` matter to BM25 alone: saturation, and how much length counts."""

    measure: Measure = "cosine"
    neighbors: int = 100
    half_life_steps: float = inf
    evidence: Evidence = "positive"
    bm25_k1: float = 1.2
    bm25_b: float = 0.75
    threads: int = 1


class ItemKnn:
    """Each item has its `neighbors` most similar ones, itself among them."""

    name = "item-knn"

    def __init__(self, config: ItemKnnConfig) -> None:
        self._config = config
        self._similarity_II = sparse.csr_matrix((0, 0), dtype=np.float32)
        self._popularity_I = np.zeros(0, np.float32)

    def fit(self, data: Dataset, *, seed: int) -> None:  # noqa: ARG002  # nothing is drawn
        """See Ranker."""
        matrix_UI = user_item_matrix(data, self._config.evidence)
        self._popularity_I = popularity_of(matrix_UI)
        self._similarity_II = _similarity(matrix_UI, self._config)

    def score(self, users: Sequence[int], histories: Sequence[History]) -> Float32Array:
        """See Ranker."""
        del users
        rows_BI = history_matrix(
            histories,
            num_items=len(self._popularity_I),
            evidence=self._config.evidence,
            half_life_steps=self._config.half_life_steps,
        )
        scores_BI = (rows_BI @ self._similarity_II).toarray()
        return np.asarray(scores_BI + self._popularity_I, np.float32)

    def learn(self, user: int, item: int, *, event_type: int, weight: float, time: float) -> None:
        """Similarities stay as fitted; the history that `score` is given moves on."""


def _similarity(matrix_UI: sparse.csr_matrix, config: ItemKnnConfig) -> sparse.csr_matrix:
    from implicit.nearest_neighbours import ItemItemRecommender

    # People of no item at all would be divided by their length.
    met_U = np.diff(matrix_UI.indptr) > 0
    weighted_IU = _weighted(matrix_UI[met_U].T.astype(np.float64), config)
    model = ItemItemRecommender(K=config.neighbors, num_threads=config.threads)
    model.fit(sparse.csr_matrix(weighted_IU.T), show_progress=False)
    return sparse.csr_matrix(model.similarity, dtype=np.float32)


def _weighted(matrix_IU: sparse.csr_matrix, config: ItemKnnConfig) -> sparse.coo_matrix:
    """Item rows whose dot products are the measure."""
    from implicit.nearest_neighbours import bm25_weight, normalize, tfidf_weight

    match config.measure:
        case "cosine":
            return normalize(matrix_IU)
        case "tfidf":
            return normalize(tfidf_weight(matrix_IU))
        case "bm25":
            return bm25_weight(matrix_IU, K1=config.bm25_k1, B=config.bm25_b)


BASELINE = tunable(
    ItemKnnConfig(),
    ItemKnn,
    {
        "measure": Choice(("cosine", "tfidf", "bm25")),
        "neighbors": Whole(10, 1_000),
        "half_life_steps": Choice((1.0, 2.0, 4.0, 8.0, 16.0, 64.0, inf)),
        "evidence": Choice(("positive", "all")),
        "bm25_k1": Real(0.1, 4.0),
        "bm25_b": Real(0.0, 1.0),
    },
)
