"""Keeps texts written: asks the database what is missing, writes it, stores it, begins again.

Driven by state, not by messages: a crash loses nothing, another prompt, model or gate has all
made anew, and a second keeper costs double work and does no harm. One step writes for one item
and segment at most, so whoever stops it waits for one call.
"""

from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import msgspec

from clickwise import logs, metrics
from clickwise.clock import Clock
from clickwise.errors import ClickwiseError, ConfigurationError, OverloadedError, UnavailableError
from clickwise.items import Item
from clickwise.state.port import State
from clickwise.state.text_port import (
    ALL,
    Attempt,
    Candidate,
    Decision,
    Rejection,
    StoredText,
)
from clickwise.types import ItemKey
from clickwise.writing.calls import Calls
from clickwise.writing.demand import expected_views, priority
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
from clickwise.writing.readers import shares_of
from clickwise.writing.segments import OWN, Chosen, Segment, Shares, segments_of
from clickwise.writing.source import (
    digest_of,
    fields_of,
    is_shown,
    item_of,
    recipe_of,
    source_of,
)
from clickwise.writing.suspects import Suspects

IDLE_SECONDS = 1.0
LONGEST_WAIT_SECONDS = 5.0
QUEUE = 64  # pairs of item and segment that are chosen at a time
CHOSEN_FOR_SECONDS = 60.0  # then the choice is made anew: what is popular changes
POPULAR = 200  # items that are worth a text for readers of their topics
SHARES_FOR_SECONDS = 600.0
LOOK_ANYWAY_SECONDS = 30.0
AT_ONCE = 100
REMEMBERED = 200  # other items' texts of a field that a new one is compared with
PRUNE_EVERY = 500

_log = logs.get(__name__)


@dataclass(frozen=True, slots=True)
class Terms:
    """What the site wants: see the settings of these names."""

    segments: int
    languages: tuple[str, ...]
    half_life_seconds: float
    rejections: int
    gate: str  # the gate's method: part of the recipe


@dataclass(frozen=True, slots=True)
class Pair:
    """An item and the readers that it is to be written for."""

    candidate: Candidate
    item: Item
    chosen: Chosen
    views: float


LanguageOf = Callable[[ItemKey], str | None]


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
        """`language_of`: what was understood of an item that does not say its language; empty: it
        cannot be told, None: not yet.
        """
        self._state = state
        self._texts = state.texts
        self._calls = calls
        self._judge = judge
        self._clock = clock
        self._terms = terms
        self._language_of = language_of
        self._recipe = recipe_of(model=calls.writer.model, gate=terms.gate)
        self._shares = Shares({}, 0)
        self._shares_until = 0.0
        self._sampled = ""
        self._queue: deque[Pair] = deque()
        self._chosen_until = 0.0
        self._settled = 0
        self._look_again = 0.0
        self._looked_at = -1
        self._suspects = Suspects()
        self._recent: dict[str, deque[tuple[ItemKey, str]]] | None = None
        self._recorded = 0
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
            return min(wait, LONGEST_WAIT_SECONDS)
        pair = self._next()
        if pair is None:
            return IDLE_SECONDS
        if pair.item.language is None and self._language_of(pair.candidate.key) is None:
            self._queue.append(pair)  # it is understood in a moment
            return IDLE_SECONDS
        try:
            if self._suspects.has(_place(pair)):
                probe(self._calls)
                self._suspects.model_made_sense()
            self._write(pair)
        except NonsenseError as error:
            self._doubt(pair, error.refused)
        except OverloadedError:
            self._queue.appendleft(pair)
            return LONGEST_WAIT_SECONDS
        except (UnavailableError, ConfigurationError) as error:
            if self._calls.breaker.wait_seconds:
                _log.warning("language_model_left_alone", reason=str(error))
            self._queue.append(pair)  # the next try is another item's: this one may be the cause
            return 0.0 if not self._calls.breaker.wait_seconds else IDLE_SECONDS
        except Exception as error:  # noqa: BLE001  # one item must not stop the others
            # No message and no traceback: they may hold the item's text.
            _log.error("item_not_written", fault=type(error).__name__, change=pair.candidate.change)
            metrics.errors.labels("internal", "texts").inc()
            self._give_up(pair)
        return 0.0

    def settle(self) -> None:
        """Withdraw texts of items that changed or went; keep those of items that say the same."""
        newest = self._state.newest_change()
        if newest <= self._settled:
            return
        while found := self._texts.outdated(after=self._settled, limit=AT_ONCE):
            for candidate, attempt in found:
                self._settle_one(candidate, attempt)
        self._settled = newest

    def _settle_one(self, candidate: Candidate, attempt: Attempt) -> None:
        if candidate.body is not None and attempt.recipe == self._recipe:
            item = item_of(candidate.body)
            if digest_of(item, self._source(candidate, item)) == attempt.digest:
                self._texts.keep(_for_change(attempt, candidate.change))
                metrics.text_cache_hits.inc()
                return
        self._texts.withdraw(attempt.key, attempt.segment)

    def _next(self) -> Pair | None:
        now = self._clock.monotonic()
        if not self._queue or now >= self._chosen_until:
            newest = self._state.newest_change()
            if not self._queue and newest == self._looked_at and now < self._look_again:
                return None
            self._queue = deque(self._choose())
            self._chosen_until = now + CHOSEN_FOR_SECONDS
            self._looked_at, self._look_again = newest, now + LOOK_ANYWAY_SECONDS
        return self._queue.popleft() if self._queue else None

    def _choose(self) -> list[Pair]:
        """The pairs that are due, those with the most expected views first."""
        self._read_shares()
        pairs: list[Pair] = []
        backlog = 0
        for language in (OWN, *self._terms.languages):
            segment = Segment(language)
            due, number = self._texts.due(segment.key, self._recipe, limit=QUEUE)
            pairs += [self._pair(one, Chosen(segment, "", 1.0)) for one in _readable(due)]
            backlog = max(backlog, number)
        pairs += self._for_topics()
        metrics.text_backlog.set(backlog)
        pairs.sort(
            key=lambda pair: (
                self._suspects.has(_place(pair)), -priority(pair.views, pair.chosen)
            )
        )  # fmt: skip
        return pairs[:QUEUE]

    def _for_topics(self) -> list[Pair]:
        """Pairs of popular items and readers of their topics that are due."""
        popular = _readable(self._texts.popular(POPULAR))
        done = {
            (attempt.key, attempt.segment)
            for attempt in self._texts.attempts([one.key for one in popular])
            if attempt.recipe == self._recipe
        }
        pairs = []
        for one in popular:
            assert one.body is not None  # noqa: S101  # the query says so
            chosen = segments_of(
                item_of(one.body).subjects,
                languages=self._terms.languages,
                shares=self._shares,
                most=self._terms.segments,
            )
            pairs += [
                self._pair(one, segment)
                for segment in chosen
                if segment.topic and (one.key, segment.segment.key) not in done
            ]
        return pairs

    def _pair(self, candidate: Candidate, chosen: Chosen) -> Pair:
        assert candidate.body is not None  # noqa: S101  # the query says so
        item = item_of(candidate.body)
        views = expected_views(
            candidate,
            item,
            now=self._clock.now(),
            half_life_seconds=self._terms.half_life_seconds,
        )
        return Pair(candidate, item, chosen, views)

    def _read_shares(self) -> None:
        now = self._clock.monotonic()
        if now < self._shares_until:
            return
        self._shares, self._sampled = shares_of(self._state, after=self._sampled)
        self._shares_until = now + SHARES_FOR_SECONDS

    def _source(self, candidate: Candidate, item: Item) -> Source:
        language = "" if item.language else self._language_of(candidate.key)
        return source_of(item, language=language or "")

    def _write(self, pair: Pair) -> None:
        """Write for one pair, and store what came of it as long as the item is as it was."""
        source = self._source(pair.candidate, pair.item)
        segment = pair.chosen.segment
        language = source.language if segment.language == OWN else segment.language
        written: list[Written] = []
        shown = is_shown(pair.item, now=self._clock.now())
        if shown and segment.language != source.language:  # else `own` is the same
            brief = Brief(pair.item.kind, source, language, pair.chosen.topic)
            decided = self._texts.decisions_of(pair.candidate.key)
            for field in fields_of(source):
                if not _is_decided(decided, segment.key, field):
                    others = self._others(pair.candidate.key, field)
                    written.append(
                        write_field(self._calls, self._judge, brief, field, others=others)
                    )
        self._suspects.clear(_place(pair))
        self._record(pair, digest_of(pair.item, source), written)

    def _record(self, pair: Pair, digest: str, written: Sequence[Written]) -> None:
        refused = [one for text in written for one in text.refused]
        accepted = [text for text in written if text.text]
        attempt = Attempt(
            key=pair.candidate.key,
            segment=pair.chosen.segment.key,
            change=pair.candidate.change,
            digest=digest,
            recipe=self._recipe,
            accepted=len(accepted),
            rejected=len(refused),
            at=self._clock.now(),
        )
        texts = [self._stored(pair, text) for text in accepted]
        self._texts.record(attempt, texts, [self._rejection(pair, one) for one in refused])
        for text in accepted:
            self._remembered(text.field).append((pair.candidate.key, text.text))
        self._prune(len(refused))

    def _doubt(self, pair: Pair, refused: Refused) -> None:
        """Nonsense: the model's fault, unless it makes sense of others in between."""
        self._texts.refuse([self._rejection(pair, refused)])
        self._prune(1)
        if self._suspects.is_to_blame(_place(pair)):
            self._give_up(pair)
        else:
            self._queue.append(pair)

    def _give_up(self, pair: Pair) -> None:
        """Write nothing for it until it changes, or the recipe does."""
        source = self._source(pair.candidate, pair.item)
        self._record(pair, digest_of(pair.item, source), [])

    def _prune(self, more: int) -> None:
        self._recorded += more
        if self._recorded >= PRUNE_EVERY or (self._recorded and self._terms.rejections == 0):
            self._recorded = 0
            self._texts.prune_rejections(keep=self._terms.rejections)

    def _stored(self, pair: Pair, text: Written) -> StoredText:
        return StoredText(
            key=pair.candidate.key,
            segment=pair.chosen.segment.key,
            field=text.field.value,
            item=pair.candidate.item,
            topic=pair.chosen.topic,
            text=text.text,
            title=pair.item.title,
            change=pair.candidate.change,
            prompt=text.prompt,
            model=self._calls.writer.model,
            number=0,
            made=self._clock.now(),
        )

    def _rejection(self, pair: Pair, refused: Refused) -> Rejection:
        return Rejection(
            key=pair.candidate.key,
            item=pair.candidate.item,
            segment=pair.chosen.segment.key,
            field=refused.field.value,
            reason=refused.reason,
            detail=_storable(refused.detail),
            text=_storable(refused.text),
            prompt=refused.prompt,
            model=self._calls.writer.model,
            at=self._clock.now(),
        )

    def _others(self, key: ItemKey, field: Field) -> list[str]:
        return [text for of, text in self._remembered(field) if of != key]

    def _remembered(self, field: Field) -> deque[tuple[ItemKey, str]]:
        """The newest texts of a field, with their items; read from the database once."""
        if self._recent is None:
            self._recent = {}
            for one in reversed(self._texts.newest_texts(limit=3 * REMEMBERED)):
                if one.text is not None:
                    kept = self._recent.setdefault(one.field, deque(maxlen=REMEMBERED))
                    kept.append((one.key, one.text))
        return self._recent.setdefault(field.value, deque(maxlen=REMEMBERED))


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


def _readable(candidates: Sequence[Candidate]) -> list[Candidate]:
    """Without items that this program does not take for one, from before it knew better."""
    kept = []
    for one in candidates:
        try:
            item_of(one.body or b"")
        except msgspec.MsgspecError:
            metrics.errors.labels("invalid", "texts").inc()
        else:
            kept.append(one)
    return kept


def _place(pair: Pair) -> tuple[ItemKey, str]:
    return pair.candidate.key, pair.chosen.segment.key


def _for_change(attempt: Attempt, change: int) -> Attempt:
    return Attempt(
        key=attempt.key,
        segment=attempt.segment,
        change=change,
        digest=attempt.digest,
        recipe=attempt.recipe,
        accepted=attempt.accepted,
        rejected=attempt.rejected,
        at=attempt.at,
    )


def _is_decided(decisions: Sequence[Decision], segment: str, field: Field) -> bool:
    """Whether a person's word stands where a text would."""
    return any(
        one.segment in (ALL, segment) and one.field in (ALL, field.value) for one in decisions
    )


def _storable(text: str) -> str:
    """What a model wrote, as every database takes it."""
    return text.encode(errors="backslashreplace").decode().replace("\0", "\\x00")
