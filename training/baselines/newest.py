"""What is new: items by age, the newest first; the same list for everybody.

With `days_per_doubling` above 0 it is the newest that are read:

score = 2 ** (-age / half-life) * (1 + reads) ** power

Only the order counts. So the logarithm is taken, "now" falls out of it, and of the two constants
their product is left: by how many days (1 + reads), doubled, makes an item newer.

Shape suffixes: B = users, I = items.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from clickwise.vectors.port import Float32Array, Float64Array
from training.baselines.spaces import Real, tunable
from training.data import Dataset, History


@dataclass(frozen=True, slots=True, kw_only=True)
class NewestConfig:
    """How much reads weigh against age; at 0 age alone counts."""

    days_per_doubling: float = 0.0


class Newest:
    """An item is as old as its publication, or as its first event so far where that is not known
    or came before. What has neither is older than everything. Without times there is the order of
    first events, and nothing that reads could be weighed against.
    """

    name = "newest"

    def __init__(self, config: NewestConfig) -> None:
        self._config = config
        self._doubling_seconds = 0.0
        self._out_I: Float64Array = np.zeros(0)  # inf: not known yet
        self._reads_I: Float64Array = np.zeros(0)

    def fit(self, data: Dataset, *, seed: int) -> None:  # noqa: ARG002  # nothing is drawn
        """See Ranker."""
        log, published_I = data.log, data.items.published_I
        known_I = (published_I > 0.0) & data.timed
        self._out_I = np.where(known_I, published_I, np.inf)
        np.minimum.at(self._out_I, log.items_N, log.times_N)
        read_N = log.items_N[log.weights_N > 0.0]
        self._reads_I = np.bincount(read_N, minlength=len(data.items)).astype(np.float64)
        days = self._config.days_per_doubling if data.timed else 0.0
        self._doubling_seconds = days * 86_400.0

    def score(self, users: Sequence[int], histories: Sequence[History]) -> Float32Array:
        """See Ranker."""
        del users
        scores_I = self._out_I + self._doubling_seconds * np.log2(1.0 + self._reads_I)
        there_I = np.isfinite(scores_I)
        best, worst = (
            (scores_I[there_I].max(), scores_I[there_I].min()) if there_I.any() else (0.0, 0.0)
        )
        # The best is 0: float32 is finest there, and seconds since 1970 would leave it nothing.
        scores_I = np.where(there_I, scores_I, worst - 1.0) - best
        return np.tile(scores_I.astype(np.float32), (len(histories), 1))

    def learn(self, user: int, item: int, *, event_type: int, weight: float, time: float) -> None:
        """See Ranker."""
        del user, event_type
        self._out_I[item] = min(self._out_I[item], time)
        self._reads_I[item] += weight > 0.0


BASELINE = tunable(NewestConfig(), Newest, {"days_per_doubling": Real(0.0, 1.0)})
