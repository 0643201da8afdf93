"""How many events were applied when, as one watches from outside."""

from array import array

import numpy as np


class Timeline:
    """Looks at a growing count. Moments in monotonic seconds, in order."""

    def __init__(self) -> None:
        self._moments = array("d")
        self._counts = array("d")

    @property
    def count(self) -> int:
        """What was seen last."""
        return int(self._counts[-1]) if self._counts else 0

    def look(self, moment: float, count: int) -> None:
        """Note what was seen; only growth is kept."""
        if not self._counts or count > self._counts[-1]:
            self._moments.append(moment)
            self._counts.append(count)

    def per_second(self, begin: float, end: float) -> float:
        """Growth from `begin` to `end`, by what was known at both."""
        moments_N = np.array(self._moments)
        counts_N = np.concatenate(([0.0], self._counts))
        first, last = np.searchsorted(moments_N, (begin, end), side="right").tolist()
        return float(counts_N[last] - counts_N[first]) / (end - begin)

    def longest_gap(self, begin: float, end: float) -> float:
        """The longest time without growth from `begin` to `end`.

        One that goes on at `end` counts to its own end, as far as that was seen.
        """
        moments_N = np.array(self._moments)
        inside_N = moments_N[(moments_N > begin) & (moments_N <= end)]
        after_N = moments_N[moments_N > end]
        edges = [begin, *inside_N.tolist(), float(after_N[0]) if len(after_N) else end]
        return float(np.diff(edges).max())
