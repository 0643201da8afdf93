"""What living a log of real events shows: did the list know what came next, and did it move?

For each event in turn: the person's list before it, the event, the list after it. The demo
lives them over HTTP, `clickwise.cli.lived` in one process; both feed the same `Tally`, so
their figures mean the same.

*Next item*: the item of a positive event (weight above zero: a rating of 3 or more) counts as
hit when it was among the ten shown just before. *Changed*: after a positive event the list
differs in more than the clicked item's removal; items drawn for exploration are left out of
the comparison, since they change at every draw.
"""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field

import msgspec
import numpy as np

from clickwise.cli.popularity import Popularity
from clickwise.events import Event
from clickwise.profile import weight_of
from clickwise.recommend.answers import Answer

PAGE = 10
DECAY_HALF_LIFE_SECONDS = 7 * 86_400.0


@dataclass(frozen=True, slots=True)
class Page:
    """A list as far as the tally looks at it. `drawn` are the items shown to explore."""

    items: tuple[str, ...]
    drawn: frozenset[str]
    profile_version: int

    @classmethod
    def of(cls, answer: Answer) -> "Page":
        """The list in an answer."""
        return cls(
            items=tuple(one.item for one in answer.items),
            drawn=frozenset(o.item for o in answer.items if o.reason.code == "exploration"),
            profile_version=answer.profile_version,
        )


class HitRates(msgspec.Struct, frozen=True):
    """Share of next positive items that were in the ten."""

    recommender: float
    popularity: float


class Freshness(msgspec.Struct, frozen=True):
    """Seconds from sending an event to having the first list that rests on it."""

    p50: float
    p99: float


@dataclass(slots=True)
class Tally:
    """Counts over lived events; `items` are all item ids."""

    items: Sequence[str]
    lived: int = 0
    positive: int = 0
    hits: int = 0
    changed: int = 0
    compared: int = 0
    baseline_hits: list[int] = field(default_factory=lambda: [0, 0])
    freshness: list[float] = field(default_factory=list)
    _seen: dict[str, set[str]] = field(default_factory=lambda: defaultdict(set))
    _baselines: tuple[Popularity, ...] = ()

    def __post_init__(self) -> None:
        self._baselines = (
            Popularity(self.items),
            Popularity(self.items, half_life_seconds=DECAY_HALF_LIFE_SECONDS),
        )

    def remember(self, event: Event) -> None:
        """An event of the history: the baseline counts it, and the person has seen the item."""
        self._seen[event.user].add(event.item)
        if weight_of(event) > 0.0:
            for baseline in self._baselines:
                baseline.count(event.item, time=event.time.timestamp())

    def before(self, event: Event, page: Page) -> bool:
        """The list just before `event`; whether it held what comes next."""
        self.lived += 1
        if weight_of(event) <= 0.0:
            return False
        self.positive += 1
        hit = event.item in page.items[:PAGE]
        self.hits += hit
        for place, baseline in enumerate(self._baselines):
            top = baseline.top(PAGE, without=self._seen[event.user])
            self.baseline_hits[place] += event.item in top
        return hit

    def after(self, event: Event, before: Page, after: Page, *, seconds: float) -> bool:
        """The list just after; whether it changed. `seconds` since the event was sent."""
        self.freshness.append(seconds)
        changed = has_changed(event.item, before, after)
        if weight_of(event) > 0.0:
            self.compared += 1
            self.changed += changed
        return changed

    @property
    def hit_rates(self) -> HitRates:
        """Of the recommender, and of the stronger baseline."""
        number = max(1, self.positive)
        return HitRates(round(self.hits / number, 4), round(max(self.baseline_hits) / number, 4))

    @property
    def changed_after_click(self) -> float:
        """Share of positive events after which the list had changed."""
        return round(self.changed / max(1, self.compared), 4)

    @property
    def freshness_seconds(self) -> Freshness:
        """Quantiles over all lived events."""
        if not self.freshness:
            return Freshness(0.0, 0.0)
        p50, p99 = np.quantile(self.freshness, [0.5, 0.99]).tolist()
        return Freshness(round(p50, 5), round(p99, 5))


def has_changed(clicked: str, before: Page, after: Page) -> bool:
    """True when the list differs in more than the clicked item and the places drawn by chance."""
    ignored = before.drawn | after.drawn | {clicked}
    kept = [item for item in before.items if item not in ignored]
    now = [item for item in after.items if item not in ignored]
    shared = min(len(kept), len(now))
    return kept[:shared] != now[:shared]
