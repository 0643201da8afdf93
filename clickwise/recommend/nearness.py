"""From which cosine on two items of a site are alike, so that a reason may say so.

Cosines of one encoder or tower lie around .27 for items that have nothing in common, of another
around 0 or .5. So the measure is taken from the site itself: of pairs of what it lists now, the
median and the spread below it, which the few alike pairs do not reach. Two spreads above the median
lie 3 of 100 pairs of unrelated articles, and the nearest article of 9 of 10 (docs/lab.md).

Shape suffixes: N = items, D = embedding dimension.
"""

import numpy as np

from clickwise.bundle import Tower
from clickwise.clock import Clock
from clickwise.vectors.port import Float32Array

SPREADS = 2.0  # above the median; a spread is the median less the quantile below
_BELOW = 0.16  # of a normal distribution: one standard deviation
_LEAST_STEP = 0.05  # cosines: less above the median is noise
_SAMPLED = 128  # items: 8,128 pairs, half a millisecond
_FEWEST = 6  # items that tell anything
AGAIN_SECONDS = 60.0


class Nearness:
    """Measures again once a minute; owned by one thread."""

    def __init__(self, tower: Tower, clock: Clock) -> None:
        self._tower = tower
        self._clock = clock
        self._least = np.inf
        self._due = 0.0

    def least(self, listed_ND: Float32Array) -> float:
        """The least cosine of alike items, given the vectors of what the site lists; infinite as
        long as it lists too little to tell.
        """
        now = self._clock.monotonic()
        if now >= self._due or np.isinf(self._least):
            self._least = least_alike(self._tower.directions(_sample(listed_ND)))
            self._due = now + AGAIN_SECONDS
        return self._least


def least_alike(directions_ND: Float32Array) -> float:
    """The same of unit vectors; infinite for too few."""
    if len(directions_ND) < _FEWEST:
        return float(np.inf)
    cosines_NN = directions_ND @ directions_ND.T
    pairs = cosines_NN[np.triu_indices(len(directions_ND), 1)]
    below, median = np.quantile(pairs, [_BELOW, 0.5])
    return float(median + max(SPREADS * (median - below), _LEAST_STEP))


def _sample(listed_ND: Float32Array) -> Float32Array:
    step = -(-len(listed_ND) // _SAMPLED) or 1
    return listed_ND[::step]
