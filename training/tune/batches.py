"""Rows of token ids in batches of similar length, so that little of a batch is padding.

Shape suffixes: N = texts, B = texts of a batch, L = tokens.
"""

from collections.abc import Iterator, Sequence

import numpy as np
import torch
from torch import Tensor

from clickwise.vectors.port import Int64Array

Row = Int64Array
# So many batches' texts are sorted by length at a time: short and long ones still meet at random.
_POOL = 32


def shuffled(lengths_N: Int64Array, *, size: int, rng: np.random.Generator) -> Iterator[Int64Array]:
    """Places of each batch's texts: all texts once, at random, similar lengths together."""
    order = rng.permutation(len(lengths_N))
    batches: list[Int64Array] = []
    for begin in range(0, len(order), size * _POOL):
        pool = order[begin : begin + size * _POOL]
        pool = pool[np.argsort(lengths_N[pool], kind="stable")]
        batches += [pool[at : at + size] for at in range(0, len(pool), size)]
    for place in rng.permutation(len(batches)).tolist():
        yield batches[place]


def by_length(lengths_N: Int64Array, *, size: int) -> Iterator[Int64Array]:
    """Places of each batch's texts, shortest first."""
    order = np.argsort(lengths_N, kind="stable")
    for begin in range(0, len(order), size):
        yield order[begin : begin + size]


def lengths(rows: Sequence[Row]) -> Int64Array:
    """Tokens of each row."""
    return np.array([len(row) for row in rows], np.int64)


def padded(rows: Sequence[Row], *, pad: int) -> tuple[Tensor, Tensor]:
    """Ids and attention mask, both int64 (B, L), padded on the right."""
    ids_BL = np.full((len(rows), max(len(row) for row in rows)), pad, np.int64)
    mask_BL = np.zeros_like(ids_BL)
    for place, row in enumerate(rows):
        ids_BL[place, : len(row)] = row
        mask_BL[place, : len(row)] = 1
    return torch.from_numpy(ids_BL), torch.from_numpy(mask_BL)
