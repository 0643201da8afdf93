"""Several rankers as one, with weights that held-back answers decide.

    score_i = sum_s w_s f_s(i),   f_s the source's own scores where they are logits, else these
    over the greatest of the question, so that 1 is its best and 0 says nothing

The weights are those of a softmax over what can be the answer that makes the held-back answers
most likely (a conditional logit: McFadden, 1974), with none below zero. Sources learn from what
is left when answers are held back; then from everything, and the weights stay.

Shape suffixes: B = questions, I = items, S = sources, N = items that cannot be the answer.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch

from clickwise.vectors.port import Float32Array, Int32Array
from training.data import Dataset, History, Log, Ranker

_STEPS = 60
_AT_ONCE = 256  # questions
_BARRED = -1e9  # a logit
_PULL = 1e-3  # of the weights towards 1, so that sources that say the same stay finite


@dataclass(frozen=True, slots=True)
class Source:
    """A ranker, and one that equals it before it is fitted: that one learns without what is held
    back. `logits`: its scores are logarithms of chances, up to a constant of the question.
    """

    ranker: Ranker
    rehearsal: Ranker
    logits: bool = False


@dataclass(frozen=True, slots=True)
class Question:
    """Somebody's history, the item that comes next, and what cannot."""

    user: int
    history: History
    answer: int
    barred_N: Int32Array


class Hybrid:
    """Implements `training.data.Ranker` over sources."""

    def __init__(
        self,
        sources: Sequence[Source],
        *,
        name: str,
        held_back: Callable[[Dataset, int], tuple[Dataset, Sequence[Question]]],
    ) -> None:
        """`held_back(data, seed)` parts the data into what is learned and what is asked."""
        if not sources:
            raise ValueError("a hybrid needs sources")
        self.name = name
        self._sources = tuple(sources)
        self._held_back = held_back
        self.weights: dict[str, float] = {one.ranker.name: 1.0 for one in sources}

    def fit(self, data: Dataset, *, seed: int) -> None:
        """See Ranker. Where nothing that is asked is in `data`, sources are fitted only once.

        Raises:
            ValueError: nothing is held back to weigh the sources by.
        """
        rest, questions = self._held_back(data, seed)
        if not questions:
            raise ValueError(f"{self.name}: no question is held back to weigh its sources by")
        apart = _equal(rest.log, data.log)
        rehearsed = [one.ranker if apart else one.rehearsal for one in self._sources]
        for ranker in rehearsed:
            ranker.fit(data if apart else rest, seed=seed)
        self._weigh(rehearsed, questions)
        if not apart:
            for source in self._sources:
                source.ranker.fit(data, seed=seed)

    def score(self, users: Sequence[int], histories: Sequence[History]) -> Float32Array:
        """See Ranker."""
        first, *others = (
            np.float32(self.weights[source.ranker.name])
            * _features(source.ranker, users, histories, logits=source.logits)
            for source in self._sources
        )
        total_BI: Float32Array = sum(others, first)
        return total_BI

    def learn(self, user: int, item: int, *, event_type: int, weight: float, time: float) -> None:
        """See Ranker."""
        for source in self._sources:
            source.ranker.learn(user, item, event_type=event_type, weight=weight, time=time)

    def _weigh(self, rankers: Sequence[Ranker], questions: Sequence[Question]) -> None:
        log_w_S = torch.zeros(len(rankers), requires_grad=True)
        optimizer = torch.optim.LBFGS([log_w_S], max_iter=_STEPS, line_search_fn="strong_wolfe")
        parts = [
            self._asked(rankers, questions[begin : begin + _AT_ONCE])
            for begin in range(0, len(questions), _AT_ONCE)
        ]

        def loss() -> torch.Tensor:
            optimizer.zero_grad()
            value = torch.zeros(())
            for features_SBI, barred_BI, answers_B in parts:
                logits_BI = torch.einsum("s,sbi->bi", torch.exp(log_w_S), features_SBI)
                value = value + torch.nn.functional.cross_entropy(
                    logits_BI.masked_fill(barred_BI, _BARRED), answers_B, reduction="sum"
                )
            value = value / len(questions) + _PULL * (log_w_S**2).sum()
            value.backward()  # type: ignore[no-untyped-call]  # torch's
            return value

        optimizer.step(loss)  # type: ignore[no-untyped-call]  # torch's
        found = torch.exp(log_w_S).tolist()
        self.weights = {
            ranker.name: round(weight, 6) for ranker, weight in zip(rankers, found, strict=True)
        }

    def _asked(
        self, rankers: Sequence[Ranker], questions: Sequence[Question]
    ) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """What each source says (S, B, I), what cannot be (B, I), and the answers (B,)."""
        users, histories = [one.user for one in questions], [one.history for one in questions]
        features_SBI = np.stack(
            [
                _features(ranker, users, histories, logits=source.logits)
                for ranker, source in zip(rankers, self._sources, strict=True)
            ]
        )
        barred_BI = np.zeros(features_SBI.shape[1:], np.bool_)
        for row, one in enumerate(questions):
            barred_BI[row, one.barred_N] = True
        answers_B = torch.tensor([one.answer for one in questions])
        return torch.from_numpy(features_SBI), torch.from_numpy(barred_BI), answers_B


def _features(
    ranker: Ranker, users: Sequence[int], histories: Sequence[History], *, logits: bool
) -> Float32Array:
    scores_BI = np.asarray(ranker.score(users, histories), np.float32)
    if logits:
        centered: Float32Array = scores_BI - scores_BI.max(axis=1, keepdims=True)
        return centered
    told_BI = np.where(np.isfinite(scores_BI), scores_BI, np.float32(0.0))
    greatest_B1 = np.maximum(told_BI.max(axis=1, keepdims=True), np.float32(1e-9))
    scaled: Float32Array = told_BI / greatest_B1
    return scaled


def _equal(one: Log, other: Log) -> bool:
    return (
        np.array_equal(one.users_N, other.users_N)
        and np.array_equal(one.items_N, other.items_N)
        and np.array_equal(one.times_N, other.times_N)
    )
