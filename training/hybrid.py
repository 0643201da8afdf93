"""Several rankers as one, with weights that held-back answers decide.

    score_i = sum_s w_s f_s(i),   f_s the source's own scores where they are logits, else these
    over the greatest of the question, so that 1 is its best and 0 says nothing

The weights are those of a softmax over what can be the answer that makes the held-back answers
most likely (a conditional logit: McFadden, 1974), with none below zero. From there, or from the
best single source, each weight in turn is moved to where NDCG@10 of those answers is highest:
likelihood cares for the whole catalogue, a list for its top. So on them no source is better.
Sources learn from what is left when answers are held back; then from everything, and the weights
stay.

Shape suffixes: B = questions, I = items, S = sources, N = items that cannot be the answer.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import cross_entropy

from clickwise.vectors.port import Float32Array, Int32Array
from training.data import Dataset, History, Log, Ranker

_STEPS = 60
_AT_ONCE = 256  # questions
_BARRED = -1e9  # a logit
_FACTORS = (0.0, 0.125, 0.25, 0.5, 1.0, 2.0, 4.0, 8.0)  # of the weight by likelihood
_ROUNDS = 3
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
        parts = [
            self._asked(rankers, questions[begin : begin + _AT_ONCE])
            for begin in range(0, len(questions), _AT_ONCE)
        ]
        found_S = _climbed(parts, _likeliest(parts)).tolist()
        self.weights = {
            ranker.name: round(weight, 6) for ranker, weight in zip(rankers, found_S, strict=True)
        }

    def _asked(self, rankers: Sequence[Ranker], questions: Sequence[Question]) -> "_Part":
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
        return _Part(torch.from_numpy(features_SBI), torch.from_numpy(barred_BI), answers_B)


@dataclass(frozen=True, slots=True)
class _Part:
    """Some questions: what each source says, what cannot be, and the answers."""

    features_SBI: Tensor
    barred_BI: Tensor
    answers_B: Tensor

    def scores(self, weights_S: Tensor) -> Tensor:
        """(B, I), very low what cannot be."""
        scores_BI = torch.einsum("s,sbi->bi", weights_S, self.features_SBI)
        return scores_BI.masked_fill(self.barred_BI, _BARRED)


def _likeliest(parts: Sequence[_Part]) -> Tensor:
    """Weights (S,) of the greatest likelihood."""
    log_w_S = torch.zeros(len(parts[0].features_SBI), requires_grad=True)
    optimizer = torch.optim.LBFGS([log_w_S], max_iter=_STEPS, line_search_fn="strong_wolfe")
    total = sum(len(part.answers_B) for part in parts)

    def loss() -> Tensor:
        optimizer.zero_grad()
        value = _PULL * (log_w_S**2).sum()
        for part in parts:
            scores_BI = part.scores(torch.exp(log_w_S))
            value = value + cross_entropy(scores_BI, part.answers_B, reduction="sum") / total
        value.backward()  # type: ignore[no-untyped-call]  # torch's
        return value

    optimizer.step(loss)  # type: ignore[no-untyped-call]  # torch's
    return torch.exp(log_w_S).detach()


@torch.no_grad()
def _climbed(parts: Sequence[_Part], likeliest_S: Tensor) -> Tensor:
    """Weights (S,) whose lists are best, looked for around the likeliest ones."""
    starts: list[Tensor] = [likeliest_S, *torch.diag(likeliest_S)]
    qualities = [_quality(parts, weights_S) for weights_S in starts]
    best = max(qualities)
    weights_S = starts[qualities.index(best)].clone()
    for _ in range(_ROUNDS):
        before = best
        for source in range(len(weights_S)):
            for factor in _FACTORS:
                tried_S = weights_S.clone()
                tried_S[source] = factor * likeliest_S[source]
                quality = _quality(parts, tried_S)
                if quality > best:
                    best, weights_S = quality, tried_S
        if best == before:
            break
    return weights_S


def _quality(parts: Sequence[_Part], weights_S: Tensor) -> float:
    """NDCG@10; ties count against it."""
    gained, total = 0.0, 0
    for part in parts:
        scores_BI = part.scores(weights_S)
        own_B1 = scores_BI.gather(1, part.answers_B[:, None])
        ranks_B = (scores_BI >= own_B1).sum(dim=1)
        gains_B = torch.where(ranks_B <= 10, 1.0 / torch.log2(1.0 + ranks_B), 0.0)
        gained, total = gained + float(gains_B.sum()), total + len(ranks_B)
    return gained / total


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
