"""How a figure moves as events are lived.

Shape suffixes: C = cases in order of time.
"""

from collections.abc import Mapping

import numpy as np

from clickwise.vectors.port import Float64Array
from training.evaluation.report import Curve

POINTS = 40
_WINDOW_SHARE = 0.1


def lived_curve(values: Mapping[str, Float64Array], *, metric: str) -> Curve:
    """The mean of each system over the last tenth of the cases, at 40 places of the way.

    Raises:
        ValueError: no system, or no case.
    """
    numbers = {len(values_C) for values_C in values.values()}
    if len(numbers) != 1 or 0 in numbers:
        raise ValueError("a curve needs systems with the same cases")
    number = numbers.pop()
    window = max(1, round(number * _WINDOW_SHARE))
    places = np.unique(np.linspace(window, number, POINTS).round().astype(np.int64))
    return Curve(
        title=f"{metric} over the last {window:,} cases",
        place_name="cases lived",
        value_name=metric,
        places=tuple(places.astype(float).tolist()),
        values={
            system: tuple(_moving_mean(values_C, places, window).tolist())
            for system, values_C in values.items()
        },
    )


def _moving_mean(
    values_C: Float64Array, places: np.ndarray[tuple[int], np.dtype[np.int64]], window: int
) -> Float64Array:
    sums = np.concatenate(([0.0], np.cumsum(values_C)))
    means: Float64Array = (sums[places] - sums[places - window]) / window
    return means
