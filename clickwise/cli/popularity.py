"""The baseline to beat: the most popular items that the user has not met yet.

Two forms on the same events, one that counts for ever and one that fades; whoever compares
takes the stronger. Shape suffixes: N = items.
"""

from collections.abc import Sequence

import numpy as np

from clickwise.vectors.port import Float64Array


class Popularity:
    """Counts positive events per item and ranks by them.

    `half_life_seconds` None: no decay. Decay is forward: a later event weighs more, and nothing
    else is touched.
    """

    def __init__(self, items: Sequence[str], *, half_life_seconds: float | None = None) -> None:
        self._rows = {item: row for row, item in enumerate(items)}
        self._items = list(items)
        self._weights_N: Float64Array = np.zeros(len(items))
        self._half_life_seconds = half_life_seconds
        self._start: float | None = None

    def count(self, item: str, *, time: float) -> None:
        """One positive event at `time` (seconds since 1970)."""
        row = self._rows.get(item)
        if row is None:
            return
        if self._half_life_seconds is None:
            self._weights_N[row] += 1.0
            return
        if self._start is None:
            self._start = time
        exponent = (time - self._start) / self._half_life_seconds
        if exponent > 500.0:  # far from overflow: move the start here
            self._weights_N *= 0.5**exponent
            self._start, exponent = time, 0.0
        self._weights_N[row] += 2.0**exponent

    def top(self, number: int, *, without: set[str]) -> list[str]:
        """The `number` most popular items that are not in `without`."""
        weights_N = self._weights_N.copy()
        for item in without:
            row = self._rows.get(item)
            if row is not None:
                weights_N[row] = -1.0
        number = min(number, len(weights_N))
        best: list[int] = (
            np.argpartition(-weights_N, number - 1)[:number].tolist() if number else []
        )
        ranked = sorted(best, key=lambda row: (-weights_N[row], row))
        return [self._items[row] for row in ranked if weights_N[row] > 0.0]
