"""The protocols by name: each takes a request and gives a report."""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import partial

from clickwise.errors import ConfigurationError
from training.baselines.spaces import Value
from training.data import Dataset, Ranker
from training.evaluation.candidates import (
    OURS,
    Validation,
    candidate,
    quick_values,
    tuned,
    validation_of,
)
from training.evaluation.cases import Plan, Progress
from training.evaluation.course import Course
from training.evaluation.deskdrop import plan_deskdrop
from training.evaluation.forward import plan_forward
from training.evaluation.leave_one_out import plan_leave_one_out
from training.evaluation.lived import SHARE, Lived, LivedRanker, live, plan_lived
from training.evaluation.report import Report
from training.evaluation.runner import Result, evaluate, report_on
from training.evaluation.statistics import TRIALS

QUICK_TRIALS = 200
QUICK_SHARE = 0.02  # of the events are lived


@dataclass(frozen=True, slots=True)
class Request:
    """What is asked for. `tuning_trials` of 1 takes every system's default values."""

    data: Dataset
    systems: tuple[str, ...]
    seed: int
    tuning_trials: int
    quick: bool
    progress: Progress
    command: str = ""
    versions: Mapping[str, str] = field(default_factory=dict)

    def course(self, system_notes: Mapping[str, str]) -> Course:
        """How it is run."""
        return Course(
            seed=self.seed,
            ours=OURS,
            trials=QUICK_TRIALS if self.quick else TRIALS,
            command=self.command,
            versions=self.versions,
            system_notes=system_notes,
            notes=("Quick: networks were trained for two epochs.",) if self.quick else (),
        )

    def build(
        self,
        validation: Callable[[], Validation],
        usual: Mapping[str, Mapping[str, Value]],
    ) -> tuple[list[Ranker], dict[str, str]]:
        """The systems, and notes on them by name.

        Values are searched for on the validation, which is made when it is needed; without a
        search they are the `usual` ones of this protocol, if it has some, or the defaults.
        """
        rankers: list[Ranker] = []
        notes: dict[str, str] = {}
        for name in self.systems:
            fixed = quick_values(name) if self.quick else {}
            if self.tuning_trials == 1:
                rankers.append(candidate(name).build({**usual.get(name, {}), **fixed}))
                continue
            ranker, note = tuned(
                name,
                validation(),
                trials=self.tuning_trials,
                seed=self.seed,
                fixed=fixed,
                progress=self.progress,
            )
            rankers.append(ranker)
            notes[ranker.name] = note
        return rankers, notes


Protocol = Callable[[Request], Report]


def planned(make: Callable[[Dataset, int], Plan], request: Request) -> Report:
    """Run a protocol that is a plan.

    Raises:
        ConfigurationError: the dataset does not suit it.
    """
    try:
        plan = make(request.data, request.seed)
    except ValueError as error:
        raise ConfigurationError(str(error)) from error
    rankers, notes = request.build(lambda: validation_of(plan), {})
    return evaluate(plan, rankers, request.course(notes), progress=request.progress)


def lived(request: Request, *, served: Callable[[Request], Lived] | None = None) -> Report:
    """Live the end of the log; `served` gives ours as it serves, in place of the bare ranker.

    Values are searched for forward in time, where nothing is learned in between.

    Raises:
        ConfigurationError: the dataset has no times, or is too short.
    """
    try:
        living = plan_lived(request.data, share=QUICK_SHARE if request.quick else SHARE)
    except ValueError as error:
        raise ConfigurationError(str(error)) from error
    started = time.perf_counter()
    asked = request if served is None else replace(request, systems=_without_ours(request))
    rankers, notes = asked.build(lambda: validation_of(living.plan), {})
    systems: list[Lived] = [LivedRanker(ranker) for ranker in rankers]
    if served is not None and OURS in request.systems:
        systems.append(served(request))
    results: dict[str, Result] = {}
    for system in systems:
        begun = time.perf_counter()
        request.progress(f"{system.name}: fitting", 0.0)
        answers = live(
            system, living, seed=request.seed, progress=partial(_lives, request, system.name)
        )
        results[system.name] = Result(answers, answer_seconds=round(time.perf_counter() - begun, 2))
    seconds = time.perf_counter() - started
    return report_on(living.plan, results, request.course(notes), seconds=seconds)


def _lives(request: Request, name: str, share: float) -> None:
    request.progress(f"{name}: living", share)


def _without_ours(request: Request) -> tuple[str, ...]:
    return tuple(name for name in request.systems if name != OURS)


def sessions(request: Request) -> Report:
    """The published protocol of the serenade sessions.

    Raises:
        ConfigurationError: the dataset has no such parts.
    """
    from training.evaluation.session_report import (
        PUBLISHED,
        mean_reciprocal_rank,
        part_of,
        report_sessions,
    )

    train, valid, test = (part_of(request.data, part) for part in ("train", "valid", "test"))
    validation = Validation(train, partial(mean_reciprocal_rank, train, valid))
    rankers, notes = request.build(lambda: validation, PUBLISHED)
    course = request.course(notes)
    return report_sessions(train, test, rankers, course, progress=request.progress)


PROTOCOLS: Mapping[str, Protocol] = {
    "leave-one-out": partial(planned, lambda data, _: plan_leave_one_out(data)),
    "forward": partial(planned, lambda data, _: plan_forward(data)),
    "deskdrop": partial(planned, lambda data, seed: plan_deskdrop(data, seed=seed)),
    "lived": lived,
    "sessions": sessions,
}
# What a data set is usually reported by; others are evaluated forward in time.
USUAL: Mapping[str, str] = {
    "ml-100k": "lived",
    "ml-1m": "leave-one-out",
    "deskdrop": "deskdrop",
    "serenade": "sessions",
}
