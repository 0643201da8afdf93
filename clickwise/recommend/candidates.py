"""Candidates from several sources, merged, and the ones that may not be shown taken out.

Shape suffixes: Q = queries, N = candidates, D = embedding dimension.
"""

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from clickwise import metrics
from clickwise.activity import followers
from clickwise.recommend.cursor import was_delivered
from clickwise.recommend.lists import Lists
from clickwise.recommend.taste import Taste
from clickwise.state.port import State
from clickwise.types import ItemKey
from clickwise.vectors.port import BoolArray, Float32Array, Int64Array, ItemIndex, ItemTable, Where

SOURCES = ("interest", "similar", "co_clicked", "trending", "fresh", "catalogue")
BIT = {name: 1 << place for place, name in enumerate(SOURCES)}
FOLLOWED = 5  # newest positive items whose followers are candidates
FOLLOW_DECAY = 0.75


@dataclass(slots=True)
class Pool:
    """Candidate keys with the sources that brought them and their co-click strength."""

    sources: dict[int, int] = field(default_factory=dict)
    co_clicked: dict[int, float] = field(default_factory=dict)
    co_clicked_from: dict[int, int] = field(default_factory=dict)

    def add(self, source: str, keys: list[int]) -> None:
        """Add keys from one source."""
        bit = BIT[source]
        known = self.sources
        for key in keys:
            known[key] = known.get(key, 0) | bit
        if keys:
            metrics.candidates.labels(source).inc(len(keys))

    @property
    def keys_N(self) -> Int64Array:
        """All keys, in the order in which they came."""
        return np.fromiter(self.sources, np.int64, len(self.sources))


@dataclass(frozen=True, slots=True)
class Barred:
    """What may not be shown to this user now."""

    seen: NDArray[np.int64]
    older: bytes
    excluded: NDArray[np.int64]
    delivered: NDArray[np.uint32]

    def without(self) -> frozenset[ItemKey]:
        """Keys for the index to leave out (the Bloom filter and the cursor hold no keys)."""
        return frozenset(ItemKey(k) for k in (*self.seen.tolist(), *self.excluded.tolist()))


def by_vector(
    pool: Pool,
    index: ItemIndex,
    queries_QD: Float32Array,
    names: list[str],
    *,
    limit: int,
    where: Where,
) -> None:
    """Items near each query."""
    for name, hits in zip(names, index.search(queries_QD, limit=limit, where=where), strict=True):
        pool.add(name, hits.keys_N.tolist())


def by_co_clicks(pool: Pool, state: State, taste: Taste) -> None:
    """What other readers of the user's newest items went on to."""
    recents = [recent.item for recent in taste.recents[:FOLLOWED]]
    if not recents:
        return
    rows = state.activity([ItemKey(item) for item in recents])
    strength: dict[int, float] = {}
    best: dict[int, tuple[float, int]] = {}
    for place, item in enumerate(recents):
        row = rows.get(ItemKey(item))
        if row is None:
            continue
        weights = followers(row)
        total = sum(weights.values())
        share = FOLLOW_DECAY**place
        for follower, weight in weights.items():
            gain = share * weight / (total + 3.0)  # a few readers prove little
            strength[follower] = strength.get(follower, 0.0) + gain
            if gain > best.get(follower, (0.0, 0))[0]:
                best[follower] = (gain, item)
    pool.co_clicked = strength
    pool.co_clicked_from = {key: item for key, (_, item) in best.items()}
    pool.add("co_clicked", list(strength))


def by_lists(pool: Pool, lists: Lists, *, trending: int, fresh: int) -> None:
    """What is popular now, and what is new."""
    pool.add("trending", lists.trending[:trending].tolist())
    pool.add("fresh", lists.fresh[:fresh].tolist())


def allowed(
    keys_N: Int64Array, barred: Barred, *, in_older_N: BoolArray
) -> tuple[BoolArray, dict[str, int]]:
    """Which keys may be shown as far as the user is concerned, and why the others may not."""
    seen_N = np.isin(keys_N, barred.seen) | in_older_N
    excluded_N = np.isin(keys_N, barred.excluded) & ~seen_N
    delivered_N = was_delivered(barred.delivered, keys_N) & ~seen_N & ~excluded_N
    counted = {
        "seen": int(seen_N.sum()),
        "excluded": int(excluded_N.sum()),
        "delivered": int(delivered_N.sum()),
    }
    return ~(seen_N | excluded_N | delivered_N), counted


def showable(table: ItemTable, where: Where) -> tuple[BoolArray, dict[str, int]]:
    """Which items may be shown as far as they themselves are concerned, and why not."""
    hidden_N = table.hidden_N
    expired_N = (table.expires_N <= where.now) & ~hidden_N
    filtered_N = np.zeros(len(table), np.bool_)
    if where.kinds:
        filtered_N |= ~np.isin(table.kinds_N, list(where.kinds))
    if where.languages:
        filtered_N |= ~np.isin(table.languages_N, list(where.languages))
    if where.topics:
        filtered_N |= ~np.isin(table.topics_NT, list(where.topics)).any(axis=1)
    filtered_N &= ~(hidden_N | expired_N)
    counted = {
        "hidden": int(hidden_N.sum()),
        "expired": int(expired_N.sum()),
        "filtered": int(filtered_N.sum()),
    }
    return ~(hidden_N | expired_N | filtered_N), counted
