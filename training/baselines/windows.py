"""Sequences as padded windows, for networks that predict the next item at every step.

Shape suffixes: W = windows, T = steps of a window, B = sequences asked about. Numbers are
places + 1; 0 pads behind, where a causal network never looks back from.
"""

from collections.abc import Sequence
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from clickwise.vectors.port import Int64Array


def training_windows(
    sequences: Sequence[NDArray[np.int32]], *, length: int, rng: np.random.Generator
) -> Int64Array:
    """Windows (W, length + 1) in which every item but a sequence's first is a target once.

    Step t is read to predict step t + 1. Sequences longer than a window are cut at places that
    `rng` moves, so that epochs differ in what a target's past is.
    """
    parts: list[NDArray[np.int32]] = []
    for items in sequences:
        pairs = len(items) - 1
        if pairs < 1:
            continue
        first = int(rng.integers(1, length + 1)) if pairs > length else pairs
        bounds = [0, *range(first, pairs, length), pairs]
        parts += [items[begin : end + 1] for begin, end in pairwise(bounds)]
    return padded(parts, length + 1)


def padded(sequences: Sequence[NDArray[np.int32]], length: int) -> Int64Array:
    """(B, length): the last `length` items of each, from the left."""
    rows_BT = np.zeros((len(sequences), length), np.int64)
    for row, items in enumerate(sequences):
        last = items[-length:]
        rows_BT[row, : len(last)] = last + 1
    return rows_BT
