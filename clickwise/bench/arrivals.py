"""When the requests of an open loop are due: fixed beforehand, whatever the server does."""

from typing import Literal

import numpy as np

from clickwise.vectors.port import Float64Array

Spacing = Literal["poisson", "even"]


def moments(spacing: Spacing, *, rate: float, seconds: float, seed: int) -> Float64Array:
    """Seconds from the start at which requests are due, in order, all below `seconds`.

    `poisson`: independent readers, `rate` a second on average. `even`: one each 1 / `rate`.

    Raises:
        ValueError: `rate` or `seconds` is not positive.
    """
    if rate <= 0.0 or seconds <= 0.0:
        raise ValueError(f"expected a rate and seconds above 0, got {rate:g} and {seconds:g}")
    if spacing == "even":
        return np.arange(int(np.ceil(rate * seconds)), dtype=np.float64) / rate
    rng = np.random.default_rng((7, seed))
    # A Poisson process of which the count is known: the arrivals are uniform.
    return np.sort(rng.random(int(rng.poisson(rate * seconds))) * seconds)
