"""What a protocol asks, and what a ranker answers.

A question is a user with the history so far; a case is one right answer to it. Rankers score
all items once for each question, and every case that belongs to it is ranked in those scores.

Shape suffixes: E = events, Q = questions, B = questions of one batch, C = cases, I = items,
K = places of a list or candidates of a case.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from clickwise.vectors.port import Float32Array, Float64Array, Int32Array
from training.data import Dataset, History, Log, Ranker
from training.evaluation.metrics import Metric, bar, ranks, ranks_among, top

LIST_SIZE = 10
_SCORES_AT_ONCE = 4_000_000

Progress = Callable[[str, float], None]


@dataclass(frozen=True, slots=True)
class Cases:
    """Questions and their right answers.

    The history of question q are the events `starts_Q[q]` to `stops_Q[q]` of `log`, which
    holds each user's events together and in order. `nows_Q` is when it is asked. Items that
    the user has met in the history, or in its `barred_last` newest events, cannot be answers
    (an impression is no meeting); nor can items that are not out yet (`available_I` later than
    now), where that is given.
    """

    log: Log
    users_Q: Int32Array
    starts_Q: NDArray[np.intp]
    stops_Q: NDArray[np.intp]
    nows_Q: Float64Array
    questions_C: Int32Array
    items_C: Int32Array
    candidates_CK: Int32Array | None = None  # ranked among these, or among all items
    available_I: Float64Array | None = None
    barred_last: int | None = None

    def __len__(self) -> int:
        return len(self.items_C)

    @property
    def users_C(self) -> Int32Array:
        """Who is asked about."""
        return self.users_Q[self.questions_C]

    @property
    def lengths_C(self) -> NDArray[np.intp]:
        """Events in the history."""
        return (self.stops_Q - self.starts_Q)[self.questions_C]

    def history(self, question: int) -> History:
        """What is known when the question is asked."""
        rows = slice(int(self.starts_Q[question]), int(self.stops_Q[question]))
        return History(
            self.log.items_N[rows],
            self.log.types_N[rows],
            self.log.weights_N[rows],
            self.log.times_N[rows],
            float(self.nows_Q[question]),
        )

    def barred(self, question: int) -> Int32Array:
        """Items of the history that cannot be the answer."""
        start, stop = int(self.starts_Q[question]), int(self.stops_Q[question])
        if self.barred_last is not None:
            start = max(start, stop - self.barred_last)
        items_T, weights_T = self.log.items_N[start:stop], self.log.weights_N[start:stop]
        met_T: Int32Array = items_T[weights_T != 0.0]
        return met_T

    def impossible(self, question: int) -> Int32Array:
        """All items that cannot be the answer: barred, or not out yet."""
        barred_T = self.barred(question)
        if self.available_I is None:
            return barred_T
        later = np.flatnonzero(self.available_I > self.nows_Q[question])
        return np.concatenate([barred_T, later.astype(np.int32)])


@dataclass(frozen=True, slots=True)
class Plan:
    """One protocol on one dataset: what is learned from, what is asked, what is measured.

    `test` holds the events that the cases are about, `cut` the time that parts them from
    `train` where one does. `ordered`: cases lie in order of time, so that a figure over time
    means something. `validation` makes the same plan one step earlier, within the training
    part: what hyper-parameters are chosen by.
    """

    protocol: str
    description: str
    train: Dataset
    test: Log
    cases: Cases
    metrics: tuple[Metric, ...]
    validation: Callable[[], "Plan"]
    cut: float | None = None
    ordered: bool = False
    notes: tuple[str, ...] = ()

    @property
    def headline(self) -> Metric:
        """The metric that systems are compared by: the first."""
        return self.metrics[0]


@dataclass(frozen=True, slots=True)
class Answers:
    """Where a ranker put the right items, and the lists that people would have seen."""

    ranks_C: Int32Array
    tops_QK: Int32Array  # -1 where there are fewer


def firsts(log: Log) -> NDArray[np.bool_]:
    """Events with which their user meets their item for the first time; no impressions."""
    rows = np.flatnonzero(log.weights_N != 0.0)
    pairs = (log.users_N[rows].astype(np.int64) << 32) + log.items_N[rows]
    found_N = np.zeros(len(log), np.bool_)
    found_N[rows[np.unique(pairs, return_index=True)[1]]] = True
    return found_N


def next_item_cases(log: Log, asked_N: NDArray[np.bool_]) -> Cases:
    """For each event of the mask: its item is the answer to its user's history before it.

    Cases come in the order of the log. The items must be new to their users.
    """
    order = np.argsort(log.users_N, kind="stable")
    places_N = np.empty(len(log), np.intp)
    places_N[order] = np.arange(len(log))
    sorted_users_N = log.users_N[order]
    rows_C = np.flatnonzero(asked_N)
    users_C = log.users_N[rows_C]
    return Cases(
        log=log.take(order),
        users_Q=users_C,
        starts_Q=np.searchsorted(sorted_users_N, users_C, side="left"),
        stops_Q=places_N[rows_C],
        nows_Q=log.times_N[rows_C],
        questions_C=np.arange(len(rows_C), dtype=np.int32),
        items_C=log.items_N[rows_C],
    )


def answer(ranker: Ranker, cases: Cases, *, progress: Callable[[float], None]) -> Answers:
    """Ask a fitted ranker everything; `progress` hears the share that is done.

    Raises:
        ValueError: it gave scores of another shape, or a score that is no number.
    """
    questions, num_cases = len(cases.users_Q), len(cases)
    order_C = np.argsort(cases.questions_C, kind="stable")
    bounds = np.searchsorted(cases.questions_C[order_C], np.arange(questions + 1))
    ranks_C = np.zeros(num_cases, np.int32)
    tops: list[Int32Array] = []
    start, batch = 0, 1
    while start < questions:
        stop = min(questions, start + batch)
        scores_BI = _scores(ranker, cases, range(start, stop))
        batch = max(1, min(512, _SCORES_AT_ONCE // max(1, scores_BI.shape[1])))
        rows = order_C[bounds[start] : bounds[stop]]
        ranks_C[rows] = _ranks(cases, scores_BI, rows, start)
        tops.append(top(scores_BI, LIST_SIZE))
        start = stop
        progress(stop / questions)
    return Answers(ranks_C, np.concatenate(tops) if tops else np.zeros((0, LIST_SIZE), np.int32))


def _scores(ranker: Ranker, cases: Cases, questions: Sequence[int]) -> Float32Array:
    """Scores (B, I) with what cannot be an answer barred."""
    users = [int(cases.users_Q[q]) for q in questions]
    given_BI = ranker.score(users, [cases.history(q) for q in questions])
    if given_BI.ndim != 2 or len(given_BI) != len(users):
        raise ValueError(f"{ranker.name} gave scores of shape {given_BI.shape}")
    scores_BI = np.array(given_BI, np.float32)  # a copy: it may be the ranker's own table
    bar(scores_BI, [cases.barred(q) for q in questions])
    if cases.available_I is not None:
        nows_B = cases.nows_Q[np.asarray(questions)]
        scores_BI[cases.available_I[None, :] > nows_B[:, None]] = -np.inf
    return scores_BI


def _ranks(cases: Cases, scores_BI: Float32Array, rows: NDArray[np.intp], first: int) -> Int32Array:
    places_B = cases.questions_C[rows] - first
    if cases.candidates_CK is None:
        return ranks(scores_BI[places_B], cases.items_C[rows])
    return ranks_among(scores_BI[places_B], cases.items_C[rows], cases.candidates_CK[rows])
