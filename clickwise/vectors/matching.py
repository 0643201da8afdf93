"""The part of `Where` that looks at what an item is, on columns.

Shape suffixes: N = items, T = topics per item.
"""

import numpy as np

from clickwise.vectors.port import BoolArray, Int16Array, Int32Array, Where


def matches(
    allowed_N: BoolArray,
    where: Where,
    *,
    kinds_N: Int16Array,
    languages_N: Int32Array,
    topics_NT: Int32Array,
) -> None:
    """Clear the places in `allowed_N` whose kind, language or topics `where` does not allow."""
    if where.kinds:
        allowed_N &= np.isin(kinds_N, list(where.kinds))
    if where.languages:
        allowed_N &= np.isin(languages_N, list(where.languages))
    if where.topics:
        allowed_N &= np.isin(topics_NT, list(where.topics)).any(axis=1)
