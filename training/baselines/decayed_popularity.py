"""What is popular now: each event fades with time.

Forward decay (Cormode et al., "Forward decay: a practical time decay model for streaming
systems", ICDE 2009): an event at time t adds weight * 2 ** ((t - landmark) / half-life), so
that nothing has to be aged; order at any moment is that of the sums.

Shape suffixes: B = users, I = items, N = events.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from clickwise.vectors.port import Float32Array, Float64Array
from training.baselines.spaces import Scale, tunable
from training.data import Dataset, History

_RESCALE_AFTER = 500.0  # half-lives; float64 holds 2 ** 1023


@dataclass(frozen=True, slots=True, kw_only=True)
class DecayedPopularityConfig:
    """How fast events fade."""

    half_life_days: float = 3.0


class DecayedPopularity:
    """Faded sum of the positive weights. Without times nothing fades."""

    name = "decayed-popularity"

    def __init__(self, config: DecayedPopularityConfig) -> None:
        self._half_life_seconds = config.half_life_days * 86_400.0
        self._timed = True
        self._landmark = 0.0
        self._sums_I: Float64Array = np.zeros(0)

    def fit(self, data: Dataset, *, seed: int) -> None:  # noqa: ARG002  # nothing is drawn
        """See Ranker."""
        log = data.log.take(data.log.weights_N > 0.0)
        self._timed = data.timed
        # At the last event every gain is at most 1: nothing overflows, the oldest vanish.
        self._landmark = float(log.times_N[-1]) if len(log) else 0.0
        gains_N = np.exp2((log.times_N - self._landmark) / self._half_life_seconds)
        weights_N = log.weights_N * gains_N if self._timed else log.weights_N
        sums_I = np.bincount(log.items_N, weights_N, minlength=len(data.items))
        self._sums_I = sums_I.astype(np.float64)

    def score(self, users: Sequence[int], histories: Sequence[History]) -> Float32Array:
        """See Ranker."""
        del users
        greatest = self._sums_I.max(initial=0.0) or 1.0
        return np.tile((self._sums_I / greatest).astype(np.float32), (len(histories), 1))

    def learn(self, user: int, item: int, *, event_type: int, weight: float, time: float) -> None:
        """See Ranker."""
        del user, event_type
        if weight > 0.0:
            gain = self._gain(time)  # first: it may rescale the sums
            self._sums_I[item] += weight * gain

    def _gain(self, time: float) -> float:
        if not self._timed:
            return 1.0
        half_lives = (time - self._landmark) / self._half_life_seconds
        if half_lives > _RESCALE_AFTER:
            self._sums_I *= np.exp2(-half_lives)
            self._landmark = time
            half_lives = 0.0
        return float(np.exp2(half_lives))


BASELINE = tunable(
    DecayedPopularityConfig(), DecayedPopularity, {"half_life_days": Scale(0.02, 365.0)}
)
