"""How much each event counts, and the constants of the profile rule.

Weights are hand-set for day 0; later bundles bring their own. Positive ones draw an interest
towards the item, negative ones push it away, zero leaves interests alone.
"""

import math

import msgspec

from clickwise.events import Event
from clickwise.types import EventType

FLAT_WEIGHTS: dict[EventType, float] = {
    EventType.IMPRESSION: 0.0,
    EventType.CLICK: 1.0,
    EventType.LIKE: 1.5,
    EventType.DISLIKE: -1.5,
    EventType.HIDE: -1.0,
    EventType.BOOKMARK: 1.5,
    EventType.SHARE: 1.8,
    EventType.PURCHASE: 2.0,
}


class Rules(msgspec.Struct, frozen=True, kw_only=True):
    """Constants of the fold. Part of a model's version: other rules, other profiles.

    `history` is N, the number of newest events that are always kept; the window reaches back
    from there to an anchor (see `window`). Cosines are between an event's item and an interest.
    """

    interests: int = 4
    history: int = 192
    anchor_every: int = 64  # a power of two
    half_life_seconds: float = 14 * 86_400.0
    topics: int = 32
    join_cosine: float = 0.35  # nearer than this: the event belongs to that interest

    @property
    def longest(self) -> int:
        """Most events ever kept: when no anchor is found, the window slides strictly."""
        return self.history + 4 * self.anchor_every


def weight_of(event: Event) -> float:
    """Signed weight of an event."""
    if event.type is EventType.VIEW:
        return _view_weight(event.value)
    if event.type is EventType.RATING:
        return _rating_weight(event.value if event.value is not None else 3.0)
    return FLAT_WEIGHTS[event.type]


def _view_weight(dwell_seconds: float | None) -> float:
    """0.5 unknown, about 0 for a bounce, 0.7 at 15 s, at most 1.5."""
    if dwell_seconds is None:
        return 0.5
    if dwell_seconds < 3.0:
        return 0.05
    return min(1.5, 0.3 + 0.4 * math.log2(1.0 + dwell_seconds / 15.0))


def _rating_weight(stars: float) -> float:
    """5: 1.5, 4: 0.85, 3: 0.2, 2: -0.6, 1: -1.2."""
    if stars >= 3.0:
        return 0.2 + 0.65 * (stars - 3.0)
    return 0.6 * (stars - 3.0)
