"""Candidates from several sources, merged, and the ones that may not be shown taken out.

Shape suffixes: Q = queries, N = candidates, D = embedding dimension.
"""

import heapq
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from clickwise import metrics
from clickwise.activity import followers
from clickwise.profile import in_older
from clickwise.recommend.cursor import was_delivered
from clickwise.recommend.lists import Lists
from clickwise.recommend.taste import Taste
from clickwise.state.port import StoredActivity
from clickwise.types import ItemKey
from clickwise.vectors.port import BoolArray, Float32Array, Int64Array, ItemIndex, ItemTable, Where

SOURCES = ("interest", "similar", "co_clicked", "trending", "fresh", "catalogue")
BIT = {name: 1 << place for place, name in enumerate(SOURCES)}
_FOUND = {name: metrics.candidates.labels(name) for name in SOURCES}
FOLLOWED = 5  # newest positive items whose followers are candidates
FOLLOW_DECAY = 0.75
FEW_READERS = 3.0  # readers added to each item's count: a few of them prove little


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
            _FOUND[source].inc(len(keys))

    @property
    def keys_N(self) -> Int64Array:
        """All keys, in the order in which they came."""
        return np.fromiter(self.sources, np.int64, len(self.sources))


@dataclass(frozen=True, slots=True)
class Barred:
    """What may not be shown to this user now."""

    seen: frozenset[int]
    older: bytes
    excluded: frozenset[int]
    delivered: NDArray[np.uint32]

    def without(self) -> frozenset[ItemKey]:
        """Keys for the index to leave out (the Bloom filter and the cursor hold no keys)."""
        return frozenset(ItemKey(key) for key in self.seen | self.excluded)


def by_vector(
    pool: Pool,
    index: ItemIndex,
    queries_QD: Float32Array,
    source: str,
    *,
    limit: int,
    where: Where,
) -> None:
    """Items near each query."""
    for hits in index.search(queries_QD, limit=limit, where=where):
        pool.add(source, hits.keys_N.tolist())


class Activities(Protocol):
    """The part of the state that co-clicks are read from."""

    def activity(self, keys: Collection[ItemKey]) -> Mapping[ItemKey, StoredActivity]:
        """See `clickwise.state.port.State`."""
        ...


def by_co_clicks(pool: Pool, state: Activities, taste: Taste, *, limit: int) -> None:
    """What other readers of the user's newest items went on to; the strongest `limit`."""
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
        share = FOLLOW_DECAY**place / (sum(weights.values()) + FEW_READERS)
        for follower, weight in weights.items():
            gain = share * weight
            strength[follower] = strength.get(follower, 0.0) + gain
            if follower not in best or gain > best[follower][0]:
                best[follower] = (gain, item)
    chosen = heapq.nlargest(limit, strength, key=strength.__getitem__)
    pool.co_clicked = {key: strength[key] for key in chosen}
    pool.co_clicked_from = {key: best[key][1] for key in chosen}
    pool.add("co_clicked", chosen)


def by_lists(pool: Pool, lists: Lists, *, share: int, where: Where) -> None:
    """What is popular now, and what is new: the first `share` of each that `where` allows."""
    for source, table in (("trending", lists.trending), ("fresh", lists.fresh)):
        keys_N = table.keys_N
        if where.kinds or where.languages or where.topics:
            keys_N = keys_N[showable(table, where)[0]]
        pool.add(source, keys_N[:share].tolist())


def allowed(keys_N: Int64Array, barred: Barred) -> tuple[list[int], dict[str, int]]:
    """The keys that may be shown as far as the user is concerned, and why the others may not."""
    seen, excluded = barred.seen, barred.excluded
    keys: list[int] = keys_N.tolist()
    left = [key for key in keys if key not in seen and key not in excluded]
    counted = {"seen": sum(key in seen for key in keys), "excluded": 0, "delivered": 0}
    counted["excluded"] = len(keys) - len(left) - counted["seen"]
    if barred.older:
        older_N = in_older(barred.older, np.array(left, np.int64))
        counted["seen"] += int(older_N.sum())
        left = [key for key, older in zip(left, older_N.tolist(), strict=True) if not older]
    if len(barred.delivered):
        gone_N = was_delivered(barred.delivered, np.array(left, np.int64))
        counted["delivered"] = int(gone_N.sum())
        left = [key for key, gone in zip(left, gone_N.tolist(), strict=True) if not gone]
    return left, counted


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
