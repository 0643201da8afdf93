"""Keeps texts written: asks the database what is missing, writes it, stores it, begins again.

Driven by state, not by messages: a crash loses nothing, and another prompt, model or gate has all
made anew. Of the keepers over one database one writes, by a lease; the others are there to follow
it. One step writes for one item and segment at most, so whoever stops it waits for one call.
"""

import dataclasses
from collections import deque
from collections.abc import Callable, Sequence

from clickwise import logs, metrics
from clickwise.clock import Clock
from clickwise.errors import ClickwiseError, ConfigurationError, OverloadedError, UnavailableError
from clickwise.leases import Lease
from clickwise.state.port import State
from clickwise.state.text_port import ALL, Decision
from clickwise.writing.breaker import BreakerState
from clickwise.writing.calls import Calls
from clickwise.writing.choosing import Chooser, Pair, Terms
from clickwise.writing.drafting import (
    Brief,
    Judge,
    NonsenseError,
    Refused,
    Written,
    probe,
    write_field,
)
from clickwise.writing.gate import Field, Source
from clickwise.writing.recording import Recorder
from clickwise.writing.settling import Settler
from clickwise.writing.source import (
    LanguageOf,
    digest_of,
    fields_of,
    is_shown,
    recipe_of,
    source_by,
)
from clickwise.writing.suspects import Suspects

IDLE_SECONDS = 1.0
LONGEST_WAIT_SECONDS = 5.0
CHOSEN_FOR_SECONDS = 60.0  # then the choice is made anew: what is popular changes
LOOK_ANYWAY_SECONDS = 30.0
# For any item to be understood; then there is nobody who does, and languages are guessed.
LANGUAGE_WAIT_SECONDS = 600.0

_log = logs.get(__name__)


class TextKeeper:
    """See the module. Owned by one thread."""

    def __init__(
        self,
        *,
        state: State,
        calls: Calls,
        judge: Judge,
        clock: Clock,
        terms: Terms,
        language_of: LanguageOf,
    ) -> None:
        self._state = state
        self._texts = state.texts
        self._calls = calls
        self._judge = judge
        self._clock = clock
        self._language_of = language_of
        self._recipe = recipe_of(model=calls.writer.model, gate=terms.gate)
        self._suspects = Suspects()
        self._chooser = Chooser(
            state=state, clock=clock, terms=terms, recipe=self._recipe, language_of=language_of,
            is_suspected=self._suspects.has,
        )  # fmt: skip
        self._recorder = Recorder(
            texts=state.texts, clock=clock, recipe=self._recipe, model=calls.writer.model,
            rejections=terms.rejections,
        )  # fmt: skip
        self.settler = Settler(state=state, recipe=self._recipe, language_of=language_of)
        self.lease = Lease(state.leases, "texts", clock)
        self._queue: deque[Pair] = deque()
        self._chosen_until = 0.0
        self._waits_since: float | None = None
        self._look_again = 0.0
        self._looked_at = -1
        metrics.text_breaker.set(calls.breaker.state)

    def step(self) -> float:
        """Do one thing; seconds until the next step is due (0: at once).

        Raises:
            UnavailableError: the database does not answer.
        """
        self.settle()
        metrics.text_breaker.set(self._calls.breaker.state)
        wait = self._calls.breaker.wait_seconds
        if wait:
            self.lease.release()  # another process may reach a model that this one does not
            return min(wait, LONGEST_WAIT_SECONDS)
        if not self._is_ours():
            metrics.text_breaker.set(BreakerState.CLOSED)  # it tries nothing, and says nothing
            return IDLE_SECONDS
        pair = self._next()
        if pair is None:
            return IDLE_SECONDS
        if self._waits_for_language(pair):
            self._queue.append(pair)  # it is understood in a moment
            return IDLE_SECONDS
        if self._has_changed(pair):
            self._chosen_until = 0.0
            return 0.0
        failures = None  # before the first call about this pair
        try:
            if self._suspects.has(pair.place):
                probe(self._calls)
                self._suspects.model_made_sense()
            failures = self._calls.failures
            self._write(pair)
        except NonsenseError as error:
            self._doubt(pair, error.refused)
        except OverloadedError:
            self._queue.appendleft(pair)
            return LONGEST_WAIT_SECONDS
        except (UnavailableError, ConfigurationError) as error:
            if self._calls.breaker.wait_seconds:
                _log.warning("language_model_left_alone", reason=str(error))
            if failures in (None, self._calls.failures):
                self._queue.append(pair)
            else:
                self._suspect(pair)
            return 0.0 if not self._calls.breaker.wait_seconds else IDLE_SECONDS
        except Exception as error:  # noqa: BLE001  # one item must not stop the others
            # No message and no traceback: they may hold the item's text.
            _log.error("item_not_written", fault=type(error).__name__, change=pair.candidate.change)
            metrics.errors.labels("internal", "texts").inc()
            self._give_up(pair)
        return 0.0

    def settle(self) -> None:
        """See Settler."""
        self.settler.settle()

    def _is_ours(self) -> bool:
        """Whether this keeper is the one that writes. Nothing is written where nothing may be
        spent, so that one leaves it to others.
        """
        if self._calls.may_spend and self.lease.held():
            return True
        if self._looked_at >= 0:  # another one goes on: if it comes back, all is looked at anew
            self._queue.clear()
            self._looked_at = -1
            metrics.text_backlog.set(0)
            metrics.text_budget.set(0)
        return False

    def _waits_for_language(self, pair: Pair) -> bool:
        """Whether somebody may yet understand its language: they did for another item lately."""
        if pair.item.language:
            return False
        now = self._clock.monotonic()
        if self._language_of(pair.candidate.key) is not None:
            self._waits_since = None
            return False
        if self._waits_since is None:
            self._waits_since = now
        return now < self._waits_since + LANGUAGE_WAIT_SECONDS

    def _has_changed(self, pair: Pair) -> bool:
        """Whether what would be written of the item could not be stored: it was written anew since
        it was chosen, by its feed or by whoever understood it.
        """
        row = self._state.item(pair.candidate.item)
        return row is None or row.change != pair.candidate.change

    def _next(self) -> Pair | None:
        now = self._clock.monotonic()
        if not self._queue or now >= self._chosen_until:
            newest = self._state.newest_change()
            if not self._queue and newest == self._looked_at and now < self._look_again:
                return None
            self._queue = deque(self._chooser.choose())
            self._recorder.see(self._queue)
            self._chosen_until = now + CHOSEN_FOR_SECONDS
            self._looked_at, self._look_again = newest, now + LOOK_ANYWAY_SECONDS
        return self._queue.popleft() if self._queue else None

    def _write(self, pair: Pair) -> None:
        """Write for one pair, and store what came of it as long as the item is as it was."""
        source, guessed = source_by(pair.item, pair.candidate.key, self._language_of)
        if not (pair.item.language or guessed) and self._was_guessed_well(pair, source):
            return
        written: list[Written] = []
        if is_shown(pair.item, now=self._clock.now()):
            brief = Brief(pair.item.kind, source, pair.chosen.topic)
            while field := self._undecided(pair, source, [one.field for one in written]):
                others = self._recorder.others(pair.candidate.key, field)
                written.append(write_field(self._calls, self._judge, brief, field, others=others))
                self.lease.held()  # it goes on; what is begun is finished, whoever holds it
        if written:
            self._suspects.clear(pair.place)
        self._recorder.record(pair, source, written, guessed=guessed)

    def _undecided(self, pair: Pair, source: Source, written: Sequence[Field]) -> Field | None:
        """The next field to write. Asked anew for each: people decide while the model is at work,
        and what they take back then would be stored as tried.
        """
        decided = self._texts.decisions_of(pair.candidate.key)
        for field in fields_of(source):
            if field not in written and not _is_decided(decided, pair, field):
                return field
        return None

    def _was_guessed_well(self, pair: Pair, source: Source) -> bool:
        """Whether what was written before anybody understood the item can stay; then it does."""
        digest = digest_of(pair.item, source)
        for attempt in self._texts.attempts([pair.candidate.key]):
            written = (attempt.segment, attempt.change, attempt.recipe, attempt.digest)
            place = (pair.chosen.segment.key, pair.candidate.change, self._recipe.guessed, digest)
            if written == place:
                self._texts.keep(dataclasses.replace(attempt, recipe=self._recipe.name))
                return True
        return False

    def _doubt(self, pair: Pair, refused: Refused) -> None:
        """Nonsense: the model's fault, unless it makes sense of others in between."""
        self._recorder.refuse(pair, refused)
        self._suspect(pair)

    def _suspect(self, pair: Pair) -> None:
        """Try it again after all others, or leave it if it is to blame."""
        if self._suspects.is_to_blame(pair.place):
            _log.warning("item_given_up", change=pair.candidate.change)
            self._give_up(pair)
        else:
            self._queue.append(pair)

    def _give_up(self, pair: Pair) -> None:
        """Write nothing for it until it changes, or the recipe does."""
        source, guessed = source_by(pair.item, pair.candidate.key, self._language_of)
        self._recorder.record(pair, source, [], guessed=guessed)


def run(keeper: TextKeeper, pause: Callable[[float], bool]) -> None:
    """Step until `pause` says that it is time to stop; a database that is away is waited for."""
    wait = 0.0
    while not pause(wait):
        try:
            wait = keeper.step()
        except ClickwiseError as error:
            metrics.errors.labels(error.kind, "texts").inc()
            _log.warning("texts_wait", kind=error.kind, reason=str(error))
            wait = LONGEST_WAIT_SECONDS


def _is_decided(decisions: Sequence[Decision], pair: Pair, field: Field) -> bool:
    """Whether a person's word stands where a text would: an edit of another title has ended."""
    return any(
        one.segment in (ALL, pair.chosen.segment.key) and one.field in (ALL, field.value)
        for one in decisions
        if one.action != "edit" or one.title == pair.item.title
    )
