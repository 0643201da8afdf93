"""How sure a figure is: bootstrap intervals, and paired tests of two systems on equal cases.

Cases of one user are alike, so users and not cases are drawn: a bootstrap draws as many users
as there are, with replacement, and takes the mean over all of their cases (percentile
interval; Efron and Tibshirani, An Introduction to the Bootstrap, 1993). The paired permutation
test turns the sign of each user's summed difference at random (Fisher's randomisation test).

Shape suffixes: C = cases, G = groups (users), T = trials.
"""

from collections.abc import Iterator

import msgspec
import numpy as np
from numpy.typing import NDArray

from clickwise.vectors.port import Float64Array

TRIALS = 1_000
CONFIDENCE = 0.95
_DRAWS_AT_ONCE = 4_000_000


class Interval(msgspec.Struct, frozen=True):
    """A mean and the ends of its 95 % interval."""

    mean: float
    low: float
    high: float


class Difference(msgspec.Struct, frozen=True):
    """A paired difference of means with its interval; `p_value` of no difference, two-sided."""

    interval: Interval
    p_value: float


def bootstrap(
    values_C: Float64Array,
    groups_C: NDArray[np.integer],
    *,
    seed: int,
    trials: int = TRIALS,
) -> Interval:
    """Mean of `values_C` with its interval, drawing whole groups; equal seeds, equal intervals.

    Raises:
        ValueError: no case.
    """
    sums_G, sizes_G = _by_group(values_C, groups_C)
    rng = np.random.default_rng(seed)
    means_T = np.concatenate(
        [
            sums_G[drawn_TG].sum(axis=1) / sizes_G[drawn_TG].sum(axis=1)
            for drawn_TG in _draws(rng, len(sums_G), trials)
        ]
    )
    tail = (1.0 - CONFIDENCE) / 2.0
    low, high = np.quantile(means_T, (tail, 1.0 - tail)).tolist()
    return Interval(float(values_C.mean()), low, high)


def paired(
    values_C: Float64Array,
    others_C: Float64Array,
    groups_C: NDArray[np.integer],
    *,
    seed: int,
    trials: int = TRIALS,
) -> Difference:
    """Mean of `values_C - others_C`, case by case, with interval and permutation test.

    Raises:
        ValueError: no case, or not the same ones.
    """
    if len(values_C) != len(others_C):
        raise ValueError("paired figures are of the same cases")
    differences_C = values_C - others_C
    interval = bootstrap(differences_C, groups_C, seed=seed, trials=trials)
    sums_G, _ = _by_group(differences_C, groups_C)
    observed = abs(float(sums_G.sum()))
    rng = np.random.default_rng((seed, 1))
    as_large = 0
    for drawn_TG in _signs(rng, len(sums_G), trials):
        # A hair's breadth: sums of the same numbers in another order differ in the last bits.
        as_large += int((np.abs(drawn_TG @ sums_G) >= observed * (1.0 - 1e-12)).sum())
    return Difference(interval, (1 + as_large) / (1 + trials))


def better_beyond_interval(difference: Difference) -> bool:
    """True when the whole interval of the difference lies above zero."""
    return difference.interval.low > 0.0


def _by_group(
    values_C: Float64Array, groups_C: NDArray[np.integer]
) -> tuple[Float64Array, Float64Array]:
    if not len(values_C):
        raise ValueError("no case to take a mean of")
    _, places_C = np.unique(groups_C, return_inverse=True)
    sums_G = np.bincount(places_C, weights=values_C).astype(np.float64)
    return sums_G, np.bincount(places_C).astype(np.float64)


def _draws(rng: np.random.Generator, groups: int, trials: int) -> Iterator[NDArray[np.integer]]:
    for size in _sizes(groups, trials):
        yield rng.integers(0, groups, (size, groups))


def _signs(rng: np.random.Generator, groups: int, trials: int) -> Iterator[Float64Array]:
    for size in _sizes(groups, trials):
        yield rng.choice((-1.0, 1.0), (size, groups))


def _sizes(groups: int, trials: int) -> Iterator[int]:
    """Trials in portions whose draws fit into little memory."""
    portion = max(1, _DRAWS_AT_ONCE // groups)
    for start in range(0, trials, portion):
        yield min(portion, trials - start)
