"""One protocol, several systems, one report.

`evaluate` fits rankers and asks them; `report_on` takes answers from wherever they come (a log
that was lived through the serving rules, say) and does the rest: metrics, intervals, tests
against the best baseline, slices, what lists are like.
"""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from clickwise.vectors.port import Float64Array
from training.data import Ranker
from training.evaluation.beyond import beyond_accuracy
from training.evaluation.cases import Answers, Plan, Progress, answer
from training.evaluation.curves import lived_curve
from training.evaluation.hybrid import compare
from training.evaluation.leaks import find_leaks
from training.evaluation.metrics import Metric
from training.evaluation.report import Comparison, Data, Report, System
from training.evaluation.slices import facts_of, slice_figures, slices_of
from training.evaluation.statistics import TRIALS, bootstrap

TESTED_METRICS = 2  # the headline and the one after it


@dataclass(frozen=True, slots=True)
class Result:
    """What one system answered, and how long it took."""

    answers: Answers
    fit_seconds: float | None = None
    answer_seconds: float | None = None
    note: str = ""


@dataclass(frozen=True, slots=True)
class Course:
    """How an evaluation is run.

    `ours` is compared with every other system; `hybrids` names hybrids with their sources.
    `trials` are bootstrap draws and permutations. `command` and `versions` go into the report.
    """

    seed: int
    ours: str = ""
    hybrids: Mapping[str, Sequence[str]] = field(default_factory=dict)
    trials: int = TRIALS
    command: str = ""
    versions: Mapping[str, str] = field(default_factory=dict)


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
    return report_on(
        plan, results, course, seconds=time.perf_counter() - started, progress=progress
    )


def report_on(
    plan: Plan,
    results: Mapping[str, Result],
    course: Course,
    *,
    seconds: float,
    progress: Progress,
) -> Report:
    """The report of what systems answered to the plan's cases; `seconds` that took."""
    progress("counting", 0.0)
    users_C = plan.cases.users_C
    values = {
        metric: {name: metric.of(one.answers.ranks_C) for name, one in results.items()}
        for metric in plan.metrics
    }
    headline = values[plan.headline]
    order = sorted(results, key=lambda name: -float(headline[name].mean()))
    ours = course.ours if course.ours in results else ""
    baselines = [name for name in order if name != ours]
    systems = []
    for place, name in enumerate(order):
        systems.append(_system(name, results[name], values, plan, course))
        progress("counting", (place + 1) / len(order))
    facts = facts_of(plan)
    return Report(
        data=_data(plan),
        protocol=plan.protocol,
        description=plan.description,
        headline=plan.headline.name,
        command=course.command,
        seed=course.seed,
        versions=dict(course.versions),
        ours=ours,
        best_baseline=baselines[0] if baselines else "",
        systems=tuple(systems),
        comparisons=_comparisons(plan, values, ours, baselines, course),
        slices=slice_figures(
            slices_of(facts),
            {name: headline[name] for name in order},
            users_C,
            seed=course.seed,
            trials=course.trials,
        ),
        hybrids=_hybrids(plan, headline, course),
        curves=(
            (lived_curve({name: headline[name] for name in order}, metric=plan.headline.name),)
            if plan.ordered
            else ()
        ),
        leaks=find_leaks(plan.train, plan.test, cut=plan.cut),
        notes=plan.notes,
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


def _system(
    name: str,
    result: Result,
    values: Mapping[Metric, Mapping[str, Float64Array]],
    plan: Plan,
    course: Course,
) -> System:
    users_C = plan.cases.users_C
    return System(
        name=name,
        metrics={
            metric.name: bootstrap(by_name[name], users_C, seed=course.seed, trials=course.trials)
            for metric, by_name in values.items()
        },
        beyond=beyond_accuracy(result.answers.tops_QK, plan.train),
        fit_seconds=result.fit_seconds,
        answer_seconds=result.answer_seconds,
        note=result.note,
    )


def _comparisons(
    plan: Plan,
    values: Mapping[Metric, Mapping[str, Float64Array]],
    ours: str,
    baselines: Sequence[str],
    course: Course,
) -> tuple[Comparison, ...]:
    """Ours against every other; without ours, the best against the rest."""
    system, others = (ours, baselines) if ours else (baselines[0], baselines[1:])
    found: list[Comparison] = []
    for metric in plan.metrics[:TESTED_METRICS]:
        found += compare(
            system,
            others,
            values[metric],
            plan.cases.users_C,
            metric=metric.name,
            seed=course.seed,
            trials=course.trials,
        )
    return tuple(found)


def _hybrids(
    plan: Plan, headline: Mapping[str, Float64Array], course: Course
) -> tuple[Comparison, ...]:
    found: list[Comparison] = []
    for hybrid, sources in course.hybrids.items():
        found += compare(
            hybrid,
            sources,
            headline,
            plan.cases.users_C,
            metric=plan.headline.name,
            seed=course.seed,
            trials=course.trials,
        )
    return tuple(found)


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
