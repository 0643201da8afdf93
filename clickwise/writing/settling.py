"""Withdraws texts of items that changed or went, about a second later; keeps those of items that
say the same.
"""

import dataclasses
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Event, Lock, Thread

import msgspec

from clickwise import metrics
from clickwise.errors import ClickwiseError
from clickwise.state.port import State
from clickwise.state.text_port import Attempt, Candidate
from clickwise.writing.source import LanguageOf, Recipe, digest_of, item_of, source_by

AT_ONCE = 100
LOOK_SECONDS = 1.0
STOP_SECONDS = 5.0


class Settler:
    """See the module. Safe to use from several threads."""

    def __init__(self, *, state: State, recipe: Recipe, language_of: LanguageOf) -> None:
        self._state = state
        self._texts = state.texts
        self._recipe = recipe
        self._language_of = language_of
        self._lock = Lock()
        self._settled = 0

    def settle(self) -> None:
        """Look at all that changed since the last time.

        Raises:
            UnavailableError: the database does not answer.
        """
        with self._lock:
            newest = self._state.newest_change()
            if newest <= self._settled:
                return
            while found := self._texts.outdated(after=self._settled, limit=AT_ONCE):
                for candidate, attempt in found:
                    self._settle_one(candidate, attempt)
            self._settled = newest

    @contextmanager
    def beside(self) -> Iterator[None]:
        """Settle in a thread of its own meanwhile: one text may take the model minutes."""
        ended = Event()
        thread = Thread(target=self._run, args=(ended,), name="clickwise-settler", daemon=True)
        thread.start()
        try:
            yield
        finally:
            ended.set()
            thread.join(STOP_SECONDS)

    def _run(self, ended: Event) -> None:
        while not ended.wait(LOOK_SECONDS):
            try:
                self.settle()
            except ClickwiseError as error:
                metrics.errors.labels(error.kind, "texts").inc()  # the keeper's log tells of it

    def _settle_one(self, candidate: Candidate, attempt: Attempt) -> None:
        if self._says_the_same(candidate, attempt):
            self._texts.keep(dataclasses.replace(attempt, change=candidate.change))
            metrics.text_cache_hits.inc()
        else:
            self._texts.withdraw(attempt)

    def _says_the_same(self, candidate: Candidate, attempt: Attempt) -> bool:
        if candidate.body is None or attempt.recipe not in (
            self._recipe.name,
            self._recipe.guessed,
        ):
            return False
        try:
            item = item_of(candidate.body)
        except msgspec.MsgspecError:
            metrics.errors.labels("invalid", "texts").inc()
            return False
        source, _ = source_by(item, candidate.key, self._language_of)
        return digest_of(item, source) == attempt.digest
