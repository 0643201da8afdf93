"""What most people have met, the same list for everybody. Shape suffix: I = items, B = users."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from clickwise.vectors.port import Float32Array
from training.baselines.evidence import Evidence, counted
from training.baselines.spaces import Choice, tunable
from training.data import Dataset, History


@dataclass(frozen=True, slots=True, kw_only=True)
class PopularityConfig:
    """Whose events count."""

    evidence: Evidence = "positive"


class Popularity:
    """Number of people that have met an item. One person counts once, so a flood is one."""

    name = "popularity"

    def __init__(self, config: PopularityConfig) -> None:
        self._config = config
        self._pairs: set[tuple[int, int]] = set()
        self._counts_I = np.zeros(0, np.float32)

    def fit(self, data: Dataset, *, seed: int) -> None:  # noqa: ARG002  # nothing is drawn
        """See Ranker."""
        log = data.log.take(counted(data.log.weights_N, self._config.evidence))
        self._pairs = set(zip(log.users_N.tolist(), log.items_N.tolist(), strict=True))
        items = np.array([item for _, item in self._pairs], np.int64)
        self._counts_I = np.bincount(items, minlength=len(data.items)).astype(np.float32)

    def score(self, users: Sequence[int], histories: Sequence[History]) -> Float32Array:
        """See Ranker."""
        del users
        return np.tile(self._counts_I, (len(histories), 1))

    def learn(self, user: int, item: int, *, event_type: int, weight: float, time: float) -> None:
        """See Ranker."""
        del event_type, time
        if counted(np.array([weight], np.float32), self._config.evidence)[0]:
            if (user, item) not in self._pairs:
                self._counts_I[item] += 1.0
            self._pairs.add((user, item))


BASELINE = tunable(PopularityConfig(), Popularity, {"evidence": Choice(("positive", "all"))})
