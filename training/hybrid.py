"""Several rankers as one, with weights that held-back answers decide.

    score_i = sum_s w_s f_s(i),   f_s the source's own scores where they are logits, else these
    over the greatest of the question, so that 1 is its best and 0 says nothing

The weights are those of a softmax over all items that makes the held-back answers most likely
(a conditional logit: McFadden, 1974), with none below zero. Sources learn from what is left; then
once more from everything, and the weights stay.

Shape suffixes: B = questions, I = items, S = sources.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch

from clickwise.vectors.port import Float32Array
from training.data import Dataset, History, Ranker

HELD_BACK = 1_500  # questions
_STEPS = 60
_AT_ONCE = 4_000_000  # scores


@dataclass(frozen=True, slots=True)
class Source:
    """A ranker; `logits`: its scores are logarithms of chances, up to a constant."""

    ranker: Ranker
    logits: bool = False


@dataclass(frozen=True, slots=True)
class Question:
    """Somebody's history and the item that comes next."""

    user: int
    history: History
    answer: int


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
        self.weights: dict[str, float] = {}

    def fit(self, data: Dataset, *, seed: int) -> None:
        """See Ranker."""
        rest, questions = self._held_back(data, seed)
        self.weights = {one.ranker.name: 1.0 for one in self._sources}
        if questions:
            for source in self._sources:
                source.ranker.fit(rest, seed=seed)
            self._weigh(questions[:HELD_BACK])
        for source in self._sources:
            source.ranker.fit(data, seed=seed)

    def score(self, users: Sequence[int], histories: Sequence[History]) -> Float32Array:
        """See Ranker."""
        total_BI: Float32Array | None = None
        for source in self._sources:
            weight = np.float32(self.weights[source.ranker.name])
            part_BI = weight * _features(source, users, histories)
            total_BI = part_BI if total_BI is None else total_BI + part_BI
        if total_BI is None:
            raise ValueError("a hybrid needs sources")
        return total_BI

    def learn(self, user: int, item: int, *, event_type: int, weight: float, time: float) -> None:
        """See Ranker."""
        for source in self._sources:
            source.ranker.learn(user, item, event_type=event_type, weight=weight, time=time)

    def _weigh(self, questions: Sequence[Question]) -> None:
        log_w_S = torch.zeros(len(self._sources), requires_grad=True)
        optimizer = torch.optim.LBFGS([log_w_S], max_iter=_STEPS, line_search_fn="strong_wolfe")
        parts = list(self._asked(questions))
        total = sum(len(answers_B) for _, answers_B in parts)

        def loss() -> torch.Tensor:
            optimizer.zero_grad()
            value = torch.zeros(())
            for features_SBI, answers_B in parts:
                logits_BI = torch.einsum("s,sbi->bi", torch.exp(log_w_S), features_SBI)
                value = value + torch.nn.functional.cross_entropy(
                    logits_BI, answers_B, reduction="sum"
                )
            value = value / total + 1e-3 * (log_w_S**2).sum()
            value.backward()  # type: ignore[no-untyped-call]  # torch's
            return value

        optimizer.step(loss)  # type: ignore[no-untyped-call]  # torch's
        found = torch.exp(log_w_S).tolist()
        self.weights = {
            source.ranker.name: round(weight, 6)
            for source, weight in zip(self._sources, found, strict=True)
        }

    def _asked(
        self, questions: Sequence[Question]
    ) -> "Sequence[tuple[torch.Tensor, torch.Tensor]]":
        parts = []
        size = 256
        for begin in range(0, len(questions), size):
            some = questions[begin : begin + size]
            users, histories = [one.user for one in some], [one.history for one in some]
            features_SBI = np.stack(
                [_features(source, users, histories) for source in self._sources]
            )
            for row, one in enumerate(some):
                met = one.history.items_T[one.history.items_T != one.answer]
                features_SBI[:, row, met] = 0.0
                features_SBI[0, row, met] = -1e4 if self._sources[0].logits else 0.0
            answers_B = torch.tensor([one.answer for one in some])
            parts.append((torch.from_numpy(features_SBI), answers_B))
        return parts


def _features(source: Source, users: Sequence[int], histories: Sequence[History]) -> Float32Array:
    scores_BI = np.asarray(source.ranker.score(users, histories), np.float32)
    if source.logits:
        centered: Float32Array = scores_BI - scores_BI.max(axis=1, keepdims=True)
        return centered
    greatest_B1 = np.maximum(scores_BI.max(axis=1, keepdims=True), np.float32(1e-9))
    scaled: Float32Array = scores_BI / greatest_B1
    return scaled


def last_items(
    data: Dataset, seed: int, *, share: float = 0.25
) -> tuple[Dataset, Sequence[Question]]:
    """Some users' last new item of interest is asked about; what they did from there on is left
    out of what is learned.
    """
    rng = np.random.default_rng((seed, 11))
    log = data.log
    kept_N = np.ones(len(log), np.bool_)
    questions: list[Question] = []
    order = np.argsort(log.users_N, kind="stable")
    bounds = np.flatnonzero(np.diff(log.users_N[order])) + 1
    for rows in np.split(order, bounds):
        if len(rows) < 3 or rng.random() >= share:
            continue
        some = log.take(rows)
        _, firsts = np.unique(some.items_N, return_index=True)
        new = firsts[some.weights_N[firsts] > 0.0]
        place = int(new.max()) if len(new) else 0
        if not place:
            continue
        kept_N[rows[place:]] = False
        before = some.take(np.arange(place))
        moment = float(some.times_N[place])
        questions.append(
            Question(int(some.users_N[0]), History.of(before, now=moment), int(some.items_N[place]))
        )
    return data.with_log(log.take(kept_N)), questions
