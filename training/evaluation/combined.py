"""The hybrid as a system: which rankers it is made of, and how it comes to its weights.

Its sources are the very rankers that take part beside it, with the same values, so that each is
fitted once and the hybrid is compared with what it is made of. It is weighed by the questions
of the protocol's validation, as every system's values are chosen.
"""

from collections.abc import Callable, Mapping, Sequence

import numpy as np

from clickwise.vectors.port import Float32Array
from training.data import Dataset, History, Ranker
from training.evaluation.candidates import HYBRID, OURS, Validation
from training.hybrid import Hybrid, Question, Source

QUESTIONS = 1_500
LARGEST_EASE = 5_000  # items
_MOST_SCORES = 100_000_000  # of all sources for all questions: 400 MB


class FittedOnce:
    """A ranker that is fitted again only for other data or another seed."""

    def __init__(self, ranker: Ranker) -> None:
        self._ranker = ranker
        self._fitted: tuple[Dataset, int] | None = None

    @property
    def name(self) -> str:
        """See Ranker."""
        return self._ranker.name

    def fit(self, data: Dataset, *, seed: int) -> None:
        """See Ranker."""
        if self._fitted is not None and self._fitted[0] is data and self._fitted[1] == seed:
            return
        self._fitted = None  # one that fails is fitted to nothing
        self._ranker.fit(data, seed=seed)
        self._fitted = data, seed

    def score(self, users: Sequence[int], histories: Sequence[History]) -> Float32Array:
        """See Ranker."""
        return self._ranker.score(users, histories)

    def learn(self, user: int, item: int, *, event_type: int, weight: float, time: float) -> None:
        """See Ranker."""
        self._fitted = None
        self._ranker.learn(user, item, event_type=event_type, weight=weight, time=time)


def sources_of(data: Dataset) -> tuple[str, ...]:
    """Names of the systems that the hybrid is made of; EASE is too slow for large catalogues."""
    small = ("ease",) if len(data.items) <= LARGEST_EASE else ()
    popular = "decayed-popularity" if data.timed else "popularity"
    return (OURS, "item-knn", "session-knn", *small, popular)


def hybrid_of(
    rankers: Mapping[str, Ranker],
    build: Callable[[str], Ranker],
    validation: Callable[[], Validation],
) -> Hybrid:
    """The hybrid of `rankers` by name; `build` makes another of the same values."""

    def held_back(data: Dataset, seed: int) -> tuple[Dataset, Sequence[Question]]:
        found = validation()
        scores = len(rankers) * len(data.items)
        questions = found.questions()
        rng = np.random.default_rng((seed, 11))
        number = max(1, min(QUESTIONS, _MOST_SCORES // max(1, scores)))
        drawn = np.sort(rng.permutation(len(questions))[:number])
        return found.train, [questions[place] for place in drawn.tolist()]

    sources = [Source(ranker, build(name), logits=name == OURS) for name, ranker in rankers.items()]
    return Hybrid(sources, name=HYBRID, held_back=held_back)
