"""The protocols by name: each takes a request and gives a report."""

import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field, replace
from functools import cache, partial

from clickwise.errors import ConfigurationError
from training.baselines.spaces import Value
from training.data import Dataset, Ranker
from training.evaluation.candidates import (
    HYBRID,
    INCREMENTAL,
    OURS,
    Validation,
    candidate,
    quick_values,
    said,
    tuned,
    usual_values,
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
class Built:
    """The systems to ask, what is to be said of them by name, and what hybrids are made of.

    Hybrids come last: their sources are then fitted, and their times are their own.
    """

    rankers: Sequence[Ranker]
    notes: Mapping[str, str]
    hybrids: Mapping[str, Sequence[str]]


@dataclass(frozen=True, slots=True)
class Request:
    """What is asked for. `tuning_trials` of 1 searches for no values: those of ours are the ones
    kept for the data set, those of baselines their defaults, and the report says so.
    """

    data: Dataset
    systems: tuple[str, ...]
    seed: int
    tuning_trials: int
    quick: bool
    progress: Progress
    command: str = ""
    versions: Mapping[str, str] = field(default_factory=dict)

    def course(self, built: Built) -> Course:
        """How it is run."""
        return Course(
            seed=self.seed,
            ours=OURS,
            hybrids=built.hybrids,
            trials=QUICK_TRIALS if self.quick else TRIALS,
            command=self.command,
            versions=self.versions,
            system_notes=built.notes,
            notes=("Quick: networks were trained for two epochs.",) if self.quick else (),
        )

    def build(
        self,
        validation: Callable[[], Validation],
        usual: Mapping[str, Mapping[str, Value]],
    ) -> Built:
        """The systems.

        Values are searched for on the validation, which is made when it is needed; without a
        search they are those kept for the data set, else the `usual` ones of this protocol, or
        the defaults. A hybrid brings its sources with it.
        """
        sources: Sequence[str] = ()
        if HYBRID in self.systems:
            from training.evaluation.combined import sources_of

            sources = sources_of(self.data)
        names = dict.fromkeys((*self.systems, *sources))
        names.pop(HYBRID, None)
        validated = cache(validation)
        values: dict[str, Mapping[str, Value]] = {}
        notes: dict[str, str] = {}
        for name in names:
            values[name], note = self._values(name, validated, usual.get(name, {}))
            if note:
                notes[name] = note
        if not sources:
            return Built([candidate(name).build(values[name]) for name in names], notes, {})
        return self._with_hybrid(sources, values, notes, validated)

    def _values(
        self, name: str, validation: Callable[[], Validation], usual: Mapping[str, Value]
    ) -> tuple[Mapping[str, Value], str]:
        """A system's values, and what is to be said of them."""
        fixed = quick_values(name) if self.quick else {}
        if self.tuning_trials > 1:
            return tuned(
                name,
                validation(),
                trials=self.tuning_trials,
                seed=self.seed,
                fixed=fixed,
                progress=self.progress,
            )
        kept = {**usual, **usual_values(name, self.data)}
        taken = {**kept, **fixed}
        return taken, f"not searched here: {said(taken)}" if kept else ""

    def _with_hybrid(
        self,
        sources: Sequence[str],
        values: Mapping[str, Mapping[str, Value]],
        notes: Mapping[str, str],
        validation: Callable[[], Validation],
    ) -> Built:
        from training.evaluation.combined import FittedOnce, hybrid_of

        def build(name: str) -> Ranker:
            return candidate(name).build(values[name])

        rankers = {name: FittedOnce(build(name)) for name in values}
        hybrid = hybrid_of({name: rankers[name] for name in sources}, build, validation)
        note = f"of {', '.join(sources)}; its time is what it takes beyond theirs"
        return Built([*rankers.values(), hybrid], {**notes, HYBRID: note}, {HYBRID: sources})


Protocol = Callable[[Request], Report]
_NOBODY: Mapping[str, Callable[[], Lived]] = {}


def planned(make: Callable[[Dataset, int], Plan], request: Request) -> Report:
    """Run a protocol that is a plan.

    Raises:
        ConfigurationError: the dataset does not suit it.
    """
    try:
        plan = make(request.data, request.seed)
    except ValueError as error:
        raise ConfigurationError(str(error)) from error
    built = request.build(lambda: validation_of(plan), {})
    return evaluate(plan, built.rankers, request.course(built), progress=request.progress)


def lived(request: Request, *, served: Mapping[str, Callable[[], Lived]] = _NOBODY) -> Report:
    """Live the end of the log; `served` gives ours as it serves, in place of the bare ranker, and
    ours trained on as it serves, which is lived beside the former and compared with it.

    Hybrids take no part, for nothing serves them. Values are searched for forward in time, where
    nothing is learned in between.

    Raises:
        ConfigurationError: the dataset has no times, or is too short.
    """
    try:
        living = plan_lived(request.data, share=QUICK_SHARE if request.quick else SHARE)
    except ValueError as error:
        raise ConfigurationError(str(error)) from error
    started = time.perf_counter()
    names = tuple(n for n in request.systems if n not in {HYBRID, INCREMENTAL, *served})
    built = replace(request, systems=names).build(lambda: validation_of(living.plan), {})
    systems: list[Lived] = [LivedRanker(ranker) for ranker in built.rankers]
    grows = INCREMENTAL in request.systems and INCREMENTAL in served
    for name, make in served.items():
        if name in request.systems or (name == OURS and grows):
            systems.append(make())
            built = replace(built, notes={**built.notes, name: _served_note(request)})
    if grows:
        built = replace(built, hybrids={INCREMENTAL: (OURS,)})
    results: dict[str, Result] = {}
    for system in systems:
        begun = time.perf_counter()
        request.progress(f"{system.name}: fitting", 0.0)
        with closing(system):
            answers = live(
                system, living, seed=request.seed, progress=partial(_lives, request, system.name)
            )
        results[system.name] = Result(answers, answer_seconds=round(time.perf_counter() - begun, 2))
    seconds = time.perf_counter() - started
    return report_on(living.plan, results, request.course(built), seconds=seconds)


def _served_note(request: Request) -> str:
    kept = usual_values(OURS, request.data)
    taken = {**kept, **(quick_values(OURS) if request.quick else {})}
    return f"as it serves; not searched here{f': {said(taken)}' if kept else ''}"


def _lives(request: Request, name: str, share: float) -> None:
    request.progress(f"{name}: living", share)


def sessions(request: Request) -> Report:
    """The published protocol of the serenade sessions.

    Raises:
        ConfigurationError: the dataset has no such parts.
    """
    from training.evaluation.session_report import (
        SESSION_VALUES,
        mean_reciprocal_rank,
        part_of,
        report_sessions,
        session_questions,
    )

    train, valid, test = (part_of(request.data, part) for part in ("train", "valid", "test"))
    validation = Validation(
        train, partial(mean_reciprocal_rank, train, valid), partial(session_questions, valid)
    )
    built = request.build(lambda: validation, SESSION_VALUES)
    return report_sessions(
        train, test, built.rankers, request.course(built), progress=request.progress
    )


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
