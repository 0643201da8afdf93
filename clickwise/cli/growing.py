"""Ours as an evaluation lives it: trained in full, then left as it is or trained on as it serves.

Both begin with one and the same full training. In both the state moves with every event; in the
second so do the weights: every so many events it goes on from the bundle that serves, on what came
since, and serves what comes of it. There is no gate, and nothing is kept for one, so what is
measured is what the trainings are worth by themselves.
"""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields
from datetime import datetime
from pathlib import Path
from tempfile import TemporaryDirectory

import msgspec
import numpy as np

from clickwise.bundle import Bundle, load_bundle
from clickwise.cli.replay import ServedSystem
from clickwise.cli.wiring import policy_of
from clickwise.clock import SystemClock
from clickwise.settings import Settings
from training.candidate import Candidate, Trainer
from training.data import Dataset, Log
from training.evaluation.candidates import INCREMENTAL
from training.evaluation.report import Table
from training.export import write_learned
from training.parts import Parts
from training.weights import Story

EVERY = 1_000  # events between two trainings


@dataclass(frozen=True, slots=True)
class Training:
    """What came of one: the folder of its bundle, which a later one can go on from. `wall_seconds`
    are those of everything, with validation and export; the story has those of fitting alone.
    """

    folder: Path
    story: Story
    learned: int
    wall_seconds: float


class Trainings:
    """One full training for all who begin with it, and those that go on; close it.

    `make(folder)` gives the trainer that works in a folder.
    """

    def __init__(self, make: Callable[[Path], Trainer], *, now: datetime | None = None) -> None:
        self._make = make
        self._now = now if now is not None else SystemClock().now()
        self._folder = TemporaryDirectory()
        self.done: list[Training] = []

    def first(self, train: Dataset) -> Training:
        """The full training; whoever asks again gets the same."""
        if not self.done:
            everything = Parts(data=train, train=train, cut=float(train.log.times_N[-1]) + 1.0)
            self._train(len(train.log), lambda one: one.full(everything, now=self._now))
        return self.done[0]

    def more(self, before: Training, known: Dataset, *, learn_from: float) -> Training:
        """Goes on from `before`, on the events of `known` from `learn_from` on."""
        cut = float(known.log.times_N[-1]) + 1.0
        parts = Parts(data=known, train=known, cut=cut, learn_from=learn_from)
        learned = int((known.log.times_N >= learn_from).sum())
        self._train(learned, lambda one: one.incremental(parts, before.folder, now=self._now))
        return self.done[-1]

    def close(self) -> None:
        """Forget the bundles."""
        self._folder.cleanup()

    def _train(self, learned: int, train: Callable[[Trainer], Candidate | None]) -> None:
        work = Path(self._folder.name) / f"{len(self.done)}"
        begun = time.perf_counter()
        trainer = self._make(work)
        made = train(trainer)
        if made is None:
            raise ValueError("another process writes what is trained here")
        bundle = write_learned(
            work / "released",
            made.network,
            made.files,
            trainer.site,
            created=self._now,
            extras=made.extras,
        )
        folder = work / "released" / bundle.version
        self.done.append(Training(folder, made.story, learned, time.perf_counter() - begun))


def taught_system(trainings: Trainings, *, settings: Settings) -> ServedSystem:
    """Ours, as a system to live: trained in full on the training part, then served."""

    def bundle(train: Dataset, seed: int) -> Bundle:
        del seed  # the trainer has it
        return load_bundle(trainings.first(train).folder)

    return ServedSystem(
        bundle,
        settings=settings,
        policy=msgspec.structs.replace(policy_of(settings), exploration=0.0),
    )


class GrowingSystem:
    """`Lived`: ours, trained on every `every` events."""

    name = INCREMENTAL

    def __init__(self, trainings: Trainings, *, settings: Settings, every: int = EVERY) -> None:
        self._trainings = trainings
        self._served = taught_system(trainings, settings=settings)
        self._every = every
        self._new: list[Log] = []

    @property
    def serves(self) -> str:
        """Version of the bundle that serves now.

        Raises:
            ValueError: asked before it began.
        """
        if self._served.site is None:
            raise ValueError("nothing serves before begin")
        return self._served.site.release.bundle.version

    def begin(self, train: Dataset, *, seed: int) -> None:
        """See Lived."""
        self._served.begin(train, seed=seed)
        self._known = train
        self._live = self._trainings.first(train)

    def ask(self, user: int, now: float, *, depth: int) -> list[int]:
        """See Lived."""
        return self._served.ask(user, now, depth=depth)

    def tell(self, events: Log) -> None:
        """See Lived; what is told is all that a training knows."""
        self._served.tell(events)
        self._new.append(events)
        if sum(map(len, self._new)) >= self._every:
            self._go_on()

    def close(self) -> None:
        """Let go of the site."""
        self._served.close()

    def _go_on(self) -> None:
        began = float(self._new[0].times_N[0])
        self._known = self._known.with_log(_joined([self._known.log, *self._new]))
        self._new = []
        self._live = self._trainings.more(self._live, self._known, learn_from=began)
        if self._served.site is not None:
            self._served.site.use(load_bundle(self._live.folder))


def cost_table(trainings: Sequence[Training]) -> Table:
    """What each training took, as a share of the first, which is the full one."""
    full = trainings[0]
    return Table(
        title="Trainings",
        columns=(
            "training", "events to learn", "epochs", "fitting s", "of the full",
            "all s", "of all of the full",
        ),
        rows=tuple(
            (
                f"incremental {number}" if number else "full",
                one.learned,
                one.story.epochs,
                one.story.seconds,
                one.story.seconds / full.story.seconds,
                one.wall_seconds,
                one.wall_seconds / full.wall_seconds,
            )
            for number, one in enumerate(trainings)
        ),
        note="All: with validation and export, and in the full one the ranker.",
    )  # fmt: skip


def _joined(logs: Sequence[Log]) -> Log:
    """Logs that follow one another, as one."""
    return Log(
        *(np.concatenate([getattr(one, column.name) for one in logs]) for column in fields(Log))
    )
