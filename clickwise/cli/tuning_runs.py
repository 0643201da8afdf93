"""Tunings in MLflow: a run for each command, and within it one for each row, trial or teacher.

A run has the course's parameters, a curve for each figure of an epoch, and in the end the report:
its figures (accuracy, macro F1) as metrics, and all of it as the artefact `report.json`.
"""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict
from typing import TYPE_CHECKING

import msgspec

from clickwise.cli import homes
from clickwise.cli.registry import registry_of
from clickwise.cli.tuning_folder import REPORT
from clickwise.settings import Settings

if TYPE_CHECKING:
    from training.registry import Registry, Run
    from training.tune.report import Scores

Note = Callable[[int, dict[str, float]], None]

_TAGS = {"kind": "tuning"}


class TuningRun:
    """A run that is open."""

    def __init__(self, registry: "Registry", run: "Run") -> None:
        self._registry = registry
        self._run = run

    def note(self, step: int, figures: dict[str, float]) -> None:
        """Figures of a step (of an epoch, from 1)."""
        self._run.figures(figures, step=step)

    def report(self, report: msgspec.Struct, figures: Mapping[str, float]) -> None:
        """What came of it: `report` whole, and `figures` of it to compare runs by."""
        self._run.figures(figures)
        whole = msgspec.json.format(msgspec.json.encode(report), indent=2)
        self._run.text(REPORT, whole.decode() + "\n")

    @contextmanager
    def within(self, name: str, parameters: Mapping[str, object]) -> "Iterator[TuningRun]":
        """A run that is a part of this one."""
        with self._registry.run(name, tags=_TAGS, within=self._run) as run:
            run.params({key: str(value) for key, value in parameters.items()})
            yield TuningRun(self._registry, run)


@contextmanager
def tracked(settings: Settings, name: str, course: object) -> Iterator[TuningRun]:
    """The run of a command, with its course's parameters."""
    homes.make_home(settings)
    registry = registry_of(settings)
    with registry.run(name, tags=_TAGS) as run:
        run.params({key: str(value) for key, value in parameters_of(course).items()})
        yield TuningRun(registry, run)


def parameters_of(course: object) -> dict[str, object]:
    """The fields of a course."""
    return asdict(course)  # type: ignore[call-overload, no-any-return]


def figures_of(part: str, scores: "Scores | None") -> dict[str, float]:
    """What a part of the texts (dev, test) says, as figures; classes have no safe names."""
    if scores is None:
        return {}
    return {f"{part}_accuracy": scores.accuracy, f"{part}_macro_f1": scores.macro_f1}
