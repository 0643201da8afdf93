"""The log lived forward: predict, then learn, event by event in event-time order.

Each later event of interest with an item that is new to its user is a case. Just before it the
system is asked for a list; then it is told the event, and may do with it what it does when it
serves. Rankers that count go on counting (`Ranker.learn`), others see the history grow.

Shape suffixes: N = events, C = cases, I = items, K = places of a list.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from training.data import Dataset, History, Log, Ranker
from training.evaluation.cases import LIST_SIZE, Answers, Plan, firsts
from training.evaluation.forward import out_since, plan_from
from training.evaluation.metrics import Metric
from training.evaluation.splits import cut_of_last_share

SHARE = 0.1
DEPTH = 50  # places that a system is asked for
METRICS = (Metric("NDCG", 10), Metric("Recall", 10), Metric("MRR", 10), Metric("Recall", 50))


class Lived(Protocol):
    """A system that is asked and told in turns."""

    @property
    def name(self) -> str:
        """Name in tables."""
        ...

    def begin(self, train: Dataset, *, seed: int) -> None:
        """Learn from what was before."""
        ...

    def ask(self, user: int, now: float, *, depth: int) -> Sequence[int]:
        """The user's list at `now`, best first: places of items, at most `depth`."""
        ...

    def tell(self, events: Log) -> None:
        """These events happened; they are the next ones of the log."""
        ...

    def close(self) -> None:
        """Nothing more is asked."""
        ...


@dataclass(frozen=True, slots=True)
class LivedPlan:
    """The plan, and which events of `plan.test` are its cases, in their order."""

    plan: Plan
    asked_N: NDArray[np.bool_]


def plan_lived(data: Dataset, *, share: float = SHARE) -> LivedPlan:
    """The last `share` of the events is lived.

    Raises:
        ValueError: the dataset's times only give the order, or nothing is left to ask.
    """
    if not data.timed:
        raise ValueError(f"{data.name} has no times, so it cannot be lived")
    plan = plan_from(data, cut_of_last_share(data, share))
    late_N = data.log.times_N >= (plan.cut or 0.0)
    asked_N = (firsts(data.log) & (data.log.weights_N > 0.0))[late_N]
    described = replace(
        plan,
        protocol="lived",
        description=(
            f"The last {share:.0%} of the events lived in order of time: the list is asked for"
            " just before each item of interest that is new to its user, then the event is told."
        ),
        metrics=METRICS,
    )
    return LivedPlan(described, asked_N)


def live(
    system: Lived, lived: LivedPlan, *, seed: int, progress: Callable[[float], None]
) -> Answers:
    """What `system` answered."""
    plan = lived.plan
    system.begin(plan.train, seed=seed)
    nowhere = max(len(plan.train.items), DEPTH) + 1  # beyond every cut-off
    ranks_C = np.full(len(plan.cases), nowhere, np.int32)
    tops_CK = np.full((len(plan.cases), LIST_SIZE), -1, np.int32)
    waiting: list[int] = []  # told in one go before the next question, in order
    case = 0
    for row in range(len(plan.test)):
        if lived.asked_N[row]:
            if waiting:
                system.tell(plan.test.take(np.array(waiting, np.intp)))
                waiting = []
            user, item = int(plan.test.users_N[row]), int(plan.test.items_N[row])
            found = list(system.ask(user, float(plan.test.times_N[row]), depth=DEPTH))
            if item in found:
                ranks_C[case] = found.index(item) + 1
            tops_CK[case, : len(found[:LIST_SIZE])] = found[:LIST_SIZE]
            case += 1
            if case % 50 == 0:
                progress(case / len(plan.cases))
        waiting.append(row)
    progress(1.0)
    return Answers(ranks_C, tops_CK)


class LivedRanker:
    """A `Ranker` that is asked and told in turns."""

    def __init__(self, ranker: Ranker) -> None:
        self._ranker = ranker

    @property
    def name(self) -> str:
        """See Lived."""
        return self._ranker.name

    def begin(self, train: Dataset, *, seed: int) -> None:
        """See Lived."""
        self._ranker.fit(train, seed=seed)
        self._histories: dict[int, History] = dict(train.histories())
        self._out_I = out_since(train)

    def ask(self, user: int, now: float, *, depth: int) -> list[int]:
        """See Lived."""
        history = self._histories.get(user, _NOTHING)
        scores_I = np.array(self._ranker.score([user], [replace(history, now=now)])[0], np.float32)
        scores_I[history.items_T[history.weights_T != 0.0]] = -np.inf
        scores_I[np.isfinite(self._out_I) & (self._out_I > now)] = -np.inf
        order = np.argsort(-scores_I, kind="stable")[:depth]
        best: list[int] = order[np.isfinite(scores_I[order])].tolist()
        return best

    def tell(self, events: Log) -> None:
        """See Lived."""
        for user, item, kind, weight, time in zip(
            events.users_N.tolist(),
            events.items_N.tolist(),
            events.types_N.tolist(),
            events.weights_N.tolist(),
            events.times_N.tolist(),
            strict=True,
        ):
            known = self._histories.get(user, _NOTHING)
            self._histories[user] = History(
                np.append(known.items_T, np.int32(item)),
                np.append(known.types_T, np.uint8(kind)),
                np.append(known.weights_T, np.float32(weight)),
                np.append(known.times_T, time),
                now=time,
            )
            self._ranker.learn(user, item, event_type=kind, weight=weight, time=time)

    def close(self) -> None:
        """See Lived."""


_NOTHING = History(
    np.zeros(0, np.int32),
    np.zeros(0, np.uint8),
    np.zeros(0, np.float32),
    np.zeros(0, np.float64),
    now=0.0,
)
