"""What all readers together do with an item: popularity that fades, and what they open next.

Pure. A row per item: exact counts by event type, a decayed sum in log space, and its
*followers*, the items that the same people went on to.

Popularity uses forward decay (Cormode et al., 2009) in log space: the row keeps
log(sum of w * 2 ** (t / half-life)), so rows compare at any moment without being touched, and an
index on the column gives the trending list. Followers are a bounded heavy-hitters summary
(Metwally et al., Space-Saving, 2005): a newcomer takes the place of the smallest entry and
inherits its count, so that a steady follower is never starved.

Influence is bounded: an event counts at most `MAX_WEIGHT`, and what one user's events together
count is `clickwise.influence`'s to say.
"""

import math
import struct
from collections.abc import Iterable, Sequence

import msgspec

from clickwise.state.port import StoredActivity
from clickwise.types import EVENT_CODES, EVENT_TYPES, EventType

MAX_FOLLOWERS = 48
MAX_WEIGHT = 2.0
# An event follows the positive items right before it. One step back finds the next film of
# MovieLens-100k a tenth less often; three find it a little more often and write more rows.
FOLLOW_STEPS = 2
_PAIR = struct.Struct("<qf")  # a follower's key and weight
_IMPRESSION = EVENT_CODES[EventType.IMPRESSION]


class Increment(msgspec.Struct, frozen=True, array_like=True):
    """One event's effect on one item's row; travels on `item-activity` as a JSON array.

    `follower` 0: the event was on `item` itself. Otherwise a reader of `item` went on to
    `follower`. `time` in seconds since 1970. `partition` and `offset` are the event's own.
    """

    item: int
    follower: int
    type: int
    weight: float
    time: float
    partition: int
    offset: int


class _Packed(msgspec.Struct, array_like=True, frozen=True):
    counts: list[int]
    followers: bytes


_encoder = msgspec.msgpack.Encoder()
_decoder = msgspec.msgpack.Decoder(_Packed)


class Activity:
    """One item's row while increments are added to it."""

    __slots__ = ("counts", "followers", "log_score")

    def __init__(self) -> None:
        self.log_score = -math.inf
        self.counts = [0] * len(EVENT_TYPES)
        self.followers: dict[int, float] = {}

    @classmethod
    def stored(cls, row: StoredActivity) -> "Activity":
        """The row as the state keeps it."""
        activity = cls()
        packed = _decoder.decode(row.body)
        activity.log_score = row.log_score
        activity.counts[: len(packed.counts)] = packed.counts
        activity.followers = _unpacked(packed.followers)
        return activity

    def store(self) -> StoredActivity:
        """For the state; a row that only has impressions orders last."""
        pairs = b"".join(map(_PAIR.pack, self.followers, self.followers.values()))
        return StoredActivity(
            log_score=max(self.log_score, -1e308),
            body=_encoder.encode(_Packed(self.counts, pairs)),
        )

    def add(self, increment: Increment, *, half_life_seconds: float) -> None:
        """Apply one increment."""
        if increment.follower:
            self._follow(increment.follower, min(increment.weight, MAX_WEIGHT))
            return
        self.counts[increment.type] += 1
        if increment.weight > 0.0:
            gain = math.log(min(increment.weight, MAX_WEIGHT)) + (
                increment.time / half_life_seconds * math.log(2.0)
            )
            low, high = self.log_score, gain
            if high < low:
                low, high = high, low
            self.log_score = high + math.log1p(math.exp(low - high))

    def _follow(self, follower: int, weight: float) -> None:
        count = self.followers.get(follower)
        if count is None and len(self.followers) >= MAX_FOLLOWERS:
            _, smallest = min(zip(self.followers.values(), self.followers, strict=True))
            count = self.followers.pop(smallest)
        self.followers[follower] = (count or 0.0) + weight


def follows(*, event_type: int, weight: float) -> bool:
    """True if such an event is a step from what its user liked before to its item."""
    return weight > 0.0 and event_type != _IMPRESSION


def increments(
    *,
    item: int,
    event_type: int,
    popularity: float,
    following: float,
    time: float,
    before: Sequence[int],
    partition: int = -1,
    offset: int = -1,
) -> Iterable[Increment]:
    """What one event does: to its own item, and to the items that its user liked before it.

    `popularity` is its weight on the item, `following` on each step to the item from one of
    `before`: keys of the user's earlier positive items, newest first.
    """
    yield Increment(item, 0, event_type, popularity, time, partition, offset)
    if not follows(event_type=event_type, weight=following):
        return
    for earlier in before[:FOLLOW_STEPS]:
        if earlier != item:
            yield Increment(earlier, item, event_type, following, time, partition, offset)


def followers(row: StoredActivity) -> dict[int, float]:
    """Follower keys and weights of a stored row."""
    return _unpacked(_decoder.decode(row.body).followers)


def _unpacked(pairs: bytes) -> dict[int, float]:
    return dict(_PAIR.iter_unpack(pairs))


def counts(row: StoredActivity) -> dict[EventType, int]:
    """How many events of each type the item had."""
    packed = _decoder.decode(row.body)
    return {kind: n for kind, n in zip(EVENT_TYPES, packed.counts, strict=False) if n}
