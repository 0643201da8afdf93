"""Putting together what a generation and a delta answered.

Shape suffixes: N = items, D = embedding dimension.
"""

from dataclasses import fields

import numpy as np

from clickwise.vectors.port import BoolArray, Hits, ItemTable


def no_hits() -> Hits:
    """What a search in nothing finds."""
    return Hits(np.zeros(0, np.int64), np.zeros(0, np.float32))


def merged(one: Hits, other: Hits, *, limit: int) -> Hits:
    """The best `limit` of two answers that share no key, best first."""
    keys = np.concatenate([one.keys_N, other.keys_N])
    scores = np.concatenate([one.scores_N, other.scores_N])
    order = np.argsort(-scores, kind="stable")[:limit]
    return Hits(keys[order], scores[order])


def joined(one: ItemTable, other: ItemTable, from_other_N: BoolArray) -> ItemTable:
    """Rows of two tables in one order: `from_other_N` says for each place whose row is next."""
    columns = {}
    for field in fields(ItemTable):
        first, second = getattr(one, field.name), getattr(other, field.name)
        column = np.empty((len(from_other_N), *first.shape[1:]), first.dtype)
        column[~from_other_N] = first
        column[from_other_N] = second
        columns[field.name] = column
    return ItemTable(**columns)
