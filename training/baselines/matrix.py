"""Users and items as sparse matrices, for the baselines that are linear in a user's items.

Shape suffixes: B = users asked about, U = users, I = items, T = steps.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from clickwise.vectors.port import Float32Array
from training.baselines.evidence import Evidence, counted, sequence_of
from training.data import Dataset, History

# Orders what has no score of its own; too small to reorder what has one.
TIE_BREAK = 1e-6


def user_item_matrix(data: Dataset, evidence: Evidence) -> sparse.csr_matrix:
    """(U, I) float32, 1 where the user has met the item, however often."""
    log = data.log
    rows = counted(log.weights_N, evidence)
    matrix = sparse.csr_matrix(
        (np.ones(int(rows.sum()), np.float32), (log.users_N[rows], log.items_N[rows])),
        shape=(len(data.user_ids), len(data.items)),
    )
    matrix.sum_duplicates()
    matrix.data[:] = 1.0
    return matrix


def history_matrix(
    histories: Sequence[History], *, num_items: int, evidence: Evidence, half_life_steps: float
) -> sparse.csr_matrix:
    """(B, I) float32: 1 for the last item, halved with every `half_life_steps` items before it.

    An item met twice counts as when it was met last. An infinite half-life gives ones.
    """
    indptr = [0]
    indices: list[NDArray[np.int32]] = [np.zeros(0, np.int32)]
    values: list[Float32Array] = [np.zeros(0, np.float32)]
    for history in histories:
        items, newest = np.unique(sequence_of(history, evidence)[::-1], return_index=True)
        ages = np.argsort(np.argsort(newest))  # places among distinct items, 0 the newest
        indices.append(np.asarray(items, np.int32))
        values.append(np.asarray(0.5 ** (ages / half_life_steps), np.float32))
        indptr.append(indptr[-1] + len(items))
    return sparse.csr_matrix(
        (np.concatenate(values), np.concatenate(indices), indptr),
        shape=(len(histories), num_items),
    )


def popularity_of(matrix_UI: sparse.csr_matrix) -> Float32Array:
    """(I,) share of the most popular item's users, times TIE_BREAK: added to every score."""
    counts_I = np.bincount(matrix_UI.indices, minlength=matrix_UI.shape[1])
    return np.asarray(TIE_BREAK * counts_I / max(1, counts_I.max(initial=0)), np.float32)
