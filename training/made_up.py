"""Histories of MovieLens-1M's shape, made up: to time a training where the data is not at hand.

Only what costs time is alike: how many histories, how long, how many items and how unevenly they
are met. There is nothing in them to learn.

Shape suffixes: U = histories, I = items.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

# A log-normal with these has the median (96) and the mean (165) of MovieLens-1M.
_MEDIAN, _SPREAD = 94.0, 1.08
_FLATTENED = 70.0  # Zipf and Mandelbrot's: the first item is met in .36 % of events, there in .34 %


@dataclass(frozen=True, slots=True)
class Shape:
    """How much there is; the defaults are MovieLens-1M's."""

    histories: int = 6_040
    items: int = 3_416
    shortest: int = 20
    longest: int = 2_000


def sequences(shape: Shape, *, seed: int) -> tuple[NDArray[np.int32], ...]:
    """The items (places) of each history, oldest first; equal seeds give equal ones."""
    rng = np.random.default_rng(seed)
    drawn_U = rng.lognormal(np.log(_MEDIAN), _SPREAD, shape.histories)
    lengths_U = np.clip(drawn_U, shape.shortest, shape.longest).astype(np.int64)
    share_I = 1.0 / (np.arange(shape.items) + _FLATTENED)
    share_I /= share_I.sum()

    def each() -> Iterator[NDArray[np.int32]]:
        for length in lengths_U.tolist():
            yield rng.choice(shape.items, length, p=share_I).astype(np.int32)

    return tuple(each())
