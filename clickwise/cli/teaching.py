"""Data sets served again: to teach a ranker, to compare two models, to evaluate ours.

A ranker is taught by what serving really gives its scorer: a network learned from the first part
is served on the next, question by question, and what the scorer was given is kept together with
the candidate that the user took next. So training and serving cannot differ.
"""

from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from tempfile import TemporaryDirectory

import msgspec
import numpy as np

from clickwise.bundle import Bundle
from clickwise.cli.replay import ReplayedSite, ServedSystem
from clickwise.cli.wiring import policy_of
from clickwise.clock import SystemClock
from clickwise.ranking import Policy
from clickwise.settings import Settings
from clickwise.types import item_key
from training.candidate import Candidate, Trainer
from training.data import Dataset, Log
from training.export import write_learned
from training.parts import Parts, lived_after
from training.ranker_fit import Request

MOST_REQUESTS = 6_000
# A question needs no variety: what matters is what the scorer is given.
PLAIN = Policy(diversity=0.0, topic_share=1.0, exploration=0.0)


def requests_after(
    bundle: Bundle,
    data: Dataset,
    begin: float,
    *,
    settings: Settings,
    most: int = MOST_REQUESTS,
    progress: Callable[[float], None] = lambda _: None,
) -> Sequence[Request]:
    """The newest `most` requests that the scorer of `bundle` is given from `begin` on, and what
    was taken next.

    Questions whose answer is not among the candidates teach nothing and are left out.
    """
    lived = lived_after(data, begin, most=10 * most)
    plan, found = lived.plan, []
    asked = np.flatnonzero(lived.asked_N)[-most:].tolist()
    site = ReplayedSite(plan.train, bundle, settings=settings, policy=PLAIN)
    try:
        site.tell(plan.train.log)
        site.settle()
        told = 0
        for done, row in enumerate(asked):
            if row > told:
                site.tell(plan.test.take(np.arange(told, row, dtype=np.intp)))
                told = row
            user, item = int(plan.test.users_N[row]), int(plan.test.items_N[row])
            site.ask(user, float(plan.test.times_N[row]), depth=1)
            given = site.asked()
            place = site.candidate(item_key(data.items.ids[item]), given)
            if given is not None and place >= 0:
                found.append(Request(given, place))
            if done % 50 == 0:
                progress(done / len(asked))
    finally:
        site.close()
    progress(1.0)
    return found


def taught_system(
    make: Callable[[Path], Trainer], *, settings: Settings, now: datetime | None = None
) -> ServedSystem:
    """Ours, as a system to live: trained in full on the training part, then served.

    `make(folder)` gives the trainer that works in a folder.
    """
    moment = now if now is not None else SystemClock().now()

    def bundle(train: Dataset, seed: int) -> Bundle:
        del seed  # the trainer has it
        with TemporaryDirectory() as folder:
            candidate = make(Path(folder)).full(_all_of(train), now=moment)
            if candidate is None:
                raise ValueError("another process writes what is trained here")
            return candidate.bundle

    return ServedSystem(
        bundle,
        settings=settings,
        policy=msgspec.structs.replace(policy_of(settings), exploration=0.0),
    )


class RetrainedSystem(ServedSystem):
    """Ours with a short incremental training after every so many events, as a loop would do it.

    `seconds` are those of the full training and of each incremental one.
    """

    def __init__(
        self,
        make: Callable[[Path], Trainer],
        *,
        settings: Settings,
        every: int,
        now: datetime | None = None,
    ) -> None:
        self._moment = now if now is not None else SystemClock().now()
        self._trainer_in = make
        self._every = every
        self._stack = ExitStack()
        self._folder = Path(self._stack.enter_context(TemporaryDirectory()))
        self._data: Dataset | None = None
        self._fresh: list[Log] = []
        self._base: Path | None = None
        self.seconds: list[float] = []
        super().__init__(
            self._first,
            settings=settings,
            name="clickwise, retrained",
            policy=msgspec.structs.replace(policy_of(settings), exploration=0.0),
        )

    def tell(self, events: Log) -> None:
        """See Lived."""
        super().tell(events)
        self._fresh.append(events)
        if sum(map(len, self._fresh)) >= self._every:
            self._again()

    def close(self) -> None:
        """See ServedSystem."""
        super().close()
        self._stack.close()

    def _first(self, train: Dataset, seed: int) -> Bundle:
        del seed  # the trainer has it
        self._data = train
        trainer = self._trainer_in(self._folder / "full")
        candidate = trainer.full(_all_of(train), now=self._moment)
        return self._kept(trainer, candidate)

    def _again(self) -> None:
        if self._data is None or self._base is None or self.site is None:
            raise ValueError("tell only after begin")
        learned = float(self._data.log.times_N[-1])
        self._data = self._data.with_log(joined_logs([self._data.log, *self._fresh]))
        self._fresh = []
        trainer = self._trainer_in(self._folder / f"more-{len(self.seconds)}")
        parts = replace(_all_of(self._data), learn_from=learned)
        candidate = trainer.incremental(parts, self._base, now=self._moment)
        self.site.use(self._kept(trainer, candidate))

    def _kept(self, trainer: Trainer, candidate: Candidate | None) -> Bundle:
        if candidate is None:
            raise ValueError("another process writes what is trained here")
        self.seconds.append(candidate.story.seconds)
        bundle = write_learned(
            self._folder / "kept",
            candidate.network,
            candidate.files,
            trainer.site,
            created=self._moment,
            extras=candidate.extras,
        )
        self._base = self._folder / "kept" / bundle.version
        return bundle


def joined_logs(logs: Sequence[Log]) -> Log:
    """One after the other."""
    return Log(
        np.concatenate([log.users_N for log in logs]),
        np.concatenate([log.items_N for log in logs]),
        np.concatenate([log.types_N for log in logs]),
        np.concatenate([log.weights_N for log in logs]),
        np.concatenate([log.times_N for log in logs]),
    )


def _all_of(data: Dataset) -> Parts:
    """Everything is learned, nothing is kept for a gate."""
    return Parts(data=data, train=data, cut=float(data.log.times_N[-1]) + 1.0)
