"""The published session protocol as a report: several systems on the same beginnings."""

import time
from collections.abc import Mapping, Sequence
from math import inf

import numpy as np

from clickwise.errors import ConfigurationError
from clickwise.vectors.port import Float64Array
from training.baselines.spaces import Value
from training.data import Dataset, Ranker
from training.evaluation.cases import Progress
from training.evaluation.course import Course
from training.evaluation.report import Data, Report
from training.evaluation.sessions import LENGTH, SessionOutcomes, beginnings, evaluate_sessions
from training.evaluation.standings import Standings, Taken
from training.hybrid import Question

# Unless values are searched for: those of session kNN are as in the published run, and item kNN
# looks at the newest items most, without which it has no chance in a session.
SESSION_VALUES: Mapping[str, Mapping[str, Value]] = {
    "session-knn": {
        "most_recent": 500, "neighbors": 50, "last_items": 2, "idf_weight": 1.0,
        "gap_seconds": inf, "session_steps": 1_000_000, "fallback": "none",
    },
    "item-knn": {"measure": "tfidf", "half_life_steps": 2.0},
}  # fmt: skip


def report_sessions(
    train: Dataset,
    test: Dataset,
    systems: Sequence[Ranker],
    course: Course,
    *,
    progress: Progress,
) -> Report:
    """Fit on the training part, ask about every beginning of the test part's sessions."""
    started = time.perf_counter()
    outcomes: dict[str, SessionOutcomes] = {}
    taken: dict[str, Taken] = {}
    for ranker in systems:
        progress(f"{ranker.name}: fitting", 0.0)
        begun = time.perf_counter()
        ranker.fit(train, seed=course.seed)
        fitted = time.perf_counter()
        progress(f"{ranker.name}: asking", 0.0)
        outcomes[ranker.name] = evaluate_sessions(ranker, train=train, test=test)
        taken[ranker.name] = Taken(
            fit_seconds=round(fitted - begun, 2),
            answer_seconds=round(time.perf_counter() - fitted, 2),
        )
    progress("counting", 0.0)
    sessions_N = next(iter(outcomes.values())).sessions_N
    standings = Standings(_by_metric(outcomes), sessions_N, course)
    return Report(
        data=Data(
            name=train.name,
            num_users=len(train.user_ids),
            num_items=len(train.items),
            num_train_events=len(train.log),
            num_test_events=len(test.log),
            num_cases=len(sessions_N),
            num_case_users=len(np.unique(sessions_N)),
        ),
        protocol="sessions",
        description=(
            "After each click of a test session but the last: what comes next, and what comes"
            f" later, among the {LENGTH} best of {len(train.items):,} items."
        ),
        headline=standings.headline,
        command=course.command,
        seed=course.seed,
        versions=dict(course.versions),
        ours=standings.ours,
        best_baseline=standings.best_baseline,
        systems=standings.systems(taken),
        comparisons=standings.comparisons(),
        hybrids=standings.hybrids(),
        notes=("Metrics as Serenade's own evaluator computes them.", *course.notes),
        seconds=round(time.perf_counter() - started, 2),
    )


def part_of(data: Dataset, part: str) -> Dataset:
    """The sessions whose ids are `part:...`, with the same users and items.

    Raises:
        ConfigurationError: there are none.
    """
    inside_U = np.array([user.startswith(f"{part}:") for user in data.user_ids], np.bool_)
    if not inside_U.any():
        raise ConfigurationError(
            f"{data.name} has no part {part!r} of sessions; this protocol is for serenade"
        )
    return data.with_log(data.log.take(inside_U[data.log.users_N]))


def mean_reciprocal_rank(train: Dataset, valid: Dataset, ranker: Ranker) -> float:
    """What hyper-parameters are chosen by."""
    return float(evaluate_sessions(ranker, train=train, test=valid).reciprocal_ranks_N.mean())


def session_questions(valid: Dataset) -> list[Question]:
    """What comes next after every beginning; the newest item never does, for it is not listed."""
    return [
        Question(
            user=one.session,
            history=one.seen,
            answer=int(one.coming[0]),
            barred_N=one.seen.items_T[-1:],
        )
        for one in beginnings(valid)
        if one.coming[0] != one.seen.items_T[-1]
    ]


def _by_metric(
    outcomes: Mapping[str, SessionOutcomes],
) -> dict[str, dict[str, Float64Array]]:
    values = {
        name: {
            "MRR": one.reciprocal_ranks_N,
            "NDCG": one.ndcg_N,
            "HitRate": one.hits_N,
            "Precision": one.precision_N,
            "Recall": one.recall_N,
        }
        for name, one in outcomes.items()
    }
    measures = next(iter(values.values()))
    return {
        f"{measure}@{LENGTH}": {name: by_measure[measure] for name, by_measure in values.items()}
        for measure in measures
    }
