"""Which items are written about next, and for which readers: what most will see, first."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import msgspec

from clickwise import metrics
from clickwise.clock import Clock
from clickwise.items import Item
from clickwise.state.port import State
from clickwise.state.text_port import Candidate
from clickwise.writing.demand import expected_views, priority
from clickwise.writing.readers import shares_of
from clickwise.writing.segments import FOR_ALL, Chosen, Shares, segments_of
from clickwise.writing.source import LanguageOf, Recipe, item_of
from clickwise.writing.suspects import Place

QUEUE = 64  # pairs of item and segment that are chosen at a time
POPULAR = 200  # items that are worth a text for readers of their topics
SHARES_FOR_SECONDS = 600.0
COUNTED_FOR_SECONDS = 60.0


@dataclass(frozen=True, slots=True)
class Terms:
    """What the site wants: see the settings of these names."""

    segments: int
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

    @property
    def place(self) -> Place:
        """What it is suspected by."""
        return self.candidate.key, self.chosen.segment.key


class Chooser:
    """See the module. Owned by one thread."""

    def __init__(
        self,
        *,
        state: State,
        clock: Clock,
        terms: Terms,
        recipe: Recipe,
        language_of: LanguageOf,
        is_suspected: Callable[[Place], bool],
    ) -> None:
        """`is_suspected`: whether a pair comes after all others, see Suspects."""
        self._state = state
        self._texts = state.texts
        self._clock = clock
        self._terms = terms
        self._recipe = recipe
        self._language_of = language_of
        self._is_suspected = is_suspected
        self._shares = Shares({}, 0)
        self._shares_until = 0.0
        self._sampled = ""
        self._counted_until = 0.0

    def choose(self) -> list[Pair]:
        """Up to QUEUE of the pairs that are due, those with the most expected views first.

        Raises:
            UnavailableError: the database does not answer.
        """
        self._read_shares()
        self._count()
        due = self._texts.due(
            FOR_ALL.segment.key, self._recipe.name, guessed=self._recipe.guessed, limit=QUEUE
        )
        pairs = [self._pair(one, FOR_ALL) for one in _readable(due)]
        pairs += self._for_topics()
        pairs.sort(
            key=lambda pair: (self._is_suspected(pair.place), -priority(pair.views, pair.chosen))
        )
        return pairs[:QUEUE]

    def _count(self) -> None:
        now = self._clock.monotonic()
        if now < self._counted_until:
            return
        self._counted_until = now + COUNTED_FOR_SECONDS
        metrics.text_backlog.set(
            self._texts.count_due(
                FOR_ALL.segment.key, self._recipe.name, guessed=self._recipe.guessed
            )
        )

    def _for_topics(self) -> list[Pair]:
        """Pairs of popular items and readers of their topics that are due."""
        popular = _readable(self._texts.popular(POPULAR))
        done = {
            (attempt.key, attempt.segment)
            for attempt in self._texts.attempts([one.key for one in popular])
            if attempt.recipe == self._recipe.name
            or (attempt.recipe == self._recipe.guessed and self._language_of(attempt.key) is None)
        }
        pairs = []
        for one in popular:
            assert one.body is not None  # noqa: S101  # the query says so
            chosen = segments_of(
                item_of(one.body).subjects, shares=self._shares, most=self._terms.segments
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
