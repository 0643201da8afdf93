"""One protocol, several systems, one report.

`evaluate` fits rankers and asks them; `report_on` takes answers from wherever they come (a log
that was lived through the serving rules, say) and does the rest: metrics, intervals, tests
against the best baseline, slices, what lists are like.
"""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from training.data import Ranker
from training.evaluation.beyond import beyond_accuracy
from training.evaluation.cases import Answers, Plan, Progress, answer
from training.evaluation.course import Course
from training.evaluation.curves import lived_curve
from training.evaluation.leaks import find_leaks
from training.evaluation.report import Data, Report
from training.evaluation.slices import facts_of, slice_figures, slices_of
from training.evaluation.standings import Standings, Taken


@dataclass(frozen=True, slots=True)
class Result:
    """What one system answered, and how long it took."""

    answers: Answers
    fit_seconds: float | None = None
    answer_seconds: float | None = None


def evaluate(
    plan: Plan, systems: Sequence[Ranker], course: Course, *, progress: Progress
) -> Report:
    """Fit each system on the training part, ask it everything, and report.

    `progress(what, share)` hears of each step. Equal seeds give equal figures.

    Raises:
        ValueError: two systems of one name, or scores that cannot be ranked.
    """
    names = [system.name for system in systems]
    if len(set(names)) != len(names) or not names:
        raise ValueError(f"systems need different names, got {', '.join(names) or 'none'}")
    started = time.perf_counter()
    results = {system.name: _result(plan, system, course.seed, progress) for system in systems}
    progress("counting", 0.0)
    return report_on(plan, results, course, seconds=time.perf_counter() - started)


def report_on(
    plan: Plan, results: Mapping[str, Result], course: Course, *, seconds: float
) -> Report:
    """The report of what systems answered to the plan's cases, which took so long.

    Raises:
        ValueError: a hybrid of the course, or a source of one, did not answer.
    """
    standings = Standings(
        values={
            metric.name: {name: metric.of(one.answers.ranks_C) for name, one in results.items()}
            for metric in plan.metrics
        },
        groups_C=plan.cases.users_C,
        course=course,
    )
    taken = {
        name: Taken(
            fit_seconds=one.fit_seconds,
            answer_seconds=one.answer_seconds,
            beyond=beyond_accuracy(one.answers.tops_QK, plan.train),
        )
        for name, one in results.items()
    }
    by_case = {name: standings.values[standings.headline][name] for name in standings.order}
    return Report(
        data=_data(plan),
        protocol=plan.protocol,
        description=plan.description,
        headline=standings.headline,
        command=course.command,
        seed=course.seed,
        versions=dict(course.versions),
        ours=standings.ours,
        best_baseline=standings.best_baseline,
        systems=standings.systems(taken),
        comparisons=standings.comparisons(),
        slices=slice_figures(
            slices_of(facts_of(plan)),
            by_case,
            plan.cases.users_C,
            seed=course.seed,
            trials=course.trials,
        ),
        hybrids=standings.hybrids(),
        curves=(lived_curve(by_case, metric=standings.headline),) if plan.ordered else (),
        leaks=find_leaks(plan.train, plan.test, cut=plan.cut),
        notes=(*plan.notes, *course.notes),
        seconds=round(seconds, 2),
    )


def _result(plan: Plan, system: Ranker, seed: int, progress: Progress) -> Result:
    progress(f"{system.name}: fitting", 0.0)
    started = time.perf_counter()
    system.fit(plan.train, seed=seed)
    fitted = time.perf_counter()
    answers = answer(
        system, plan.cases, progress=lambda share: progress(f"{system.name}: asking", share)
    )
    return Result(
        answers,
        fit_seconds=round(fitted - started, 2),
        answer_seconds=round(time.perf_counter() - fitted, 2),
    )


def _data(plan: Plan) -> Data:
    return Data(
        name=plan.train.name,
        num_users=len(plan.train.user_ids),
        num_items=len(plan.train.items),
        num_train_events=len(plan.train.log),
        num_test_events=len(plan.test),
        num_cases=len(plan.cases),
        num_case_users=len(np.unique(plan.cases.users_C)),
    )
