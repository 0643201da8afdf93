"""Of items that are nearly the same, only the best competes for a place.

Whoever feeds a text again under new ids would else fill the lists of all who liked it: variety
alone weighs too little against a perfect match (ADR 8).

Shape suffixes: N = candidates, H = head, D = embedding dimension.
"""

import numpy as np
from numpy.typing import NDArray

from clickwise.vectors.port import Float32Array


def distinct_head(
    order_N: NDArray[np.intp], vectors_ND: Float32Array, *, size: int, copy_cosine: float
) -> tuple[NDArray[np.intp], Float32Array]:
    """The first `size` candidates that are no copies of a better one, and their cosines (H, H).

    `order_N` is best first, vectors are of unit length. A copy has a cosine of `copy_cosine` or
    more with a better candidate that was looked at.
    """
    head_H = order_N[:size]
    cosines_HH = _cosines(vectors_ND, head_H)
    kept_H = _kept(cosines_HH, copy_cosine)
    if kept_H.all():
        return head_H, cosines_HH
    begin = size
    while True:
        head_H, cosines_HH = head_H[kept_H], cosines_HH[np.ix_(kept_H, kept_H)]
        following = order_N[begin : begin + size - len(head_H)]
        if not len(following):
            return head_H, cosines_HH
        begin += len(following)
        head_H = np.concatenate([head_H, following])
        cosines_HH = _cosines(vectors_ND, head_H)
        kept_H = _kept(cosines_HH, copy_cosine)


def _cosines(vectors_ND: Float32Array, head_H: NDArray[np.intp]) -> Float32Array:
    vectors_HD = vectors_ND[head_H]
    cosines_HH: Float32Array = vectors_HD @ vectors_HD.T
    return cosines_HH


def _kept(cosines_HH: Float32Array, copy_cosine: float) -> NDArray[np.bool_]:
    copied_HH = np.tril(cosines_HH >= copy_cosine, -1)
    return np.logical_not(copied_HH.any(axis=1))
