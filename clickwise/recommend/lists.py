"""What is the same for everybody: the trending and the fresh list, kept for a moment.

They are also what an answer falls back to: while the database or the vector store is away, the
last lists go on serving and the answer says so.
"""

from dataclasses import dataclass

import numpy as np

from clickwise import logs
from clickwise.clock import Clock
from clickwise.errors import UnavailableError
from clickwise.limits import MAX_SECONDS_AHEAD
from clickwise.state.port import State
from clickwise.types import ItemId, ItemKey
from clickwise.vectors.port import Float32Array, Int64Array, ItemIndex, ItemTable

REFRESH_SECONDS = 0.5
POPULAR = 1_000  # items whose popularity is known to the scorer
LISTED = 200  # fresh items that can become candidates, and items kept for an outage
FADED = 7.0  # natural logarithms below the most popular item count as not popular

log = logs.get(__name__)


@dataclass(frozen=True, slots=True)
class Lists:
    """One reading. `popularity` in (0, 1] belongs to `popular_keys`, which are sorted.

    `trending` and `fresh` hold what can be shown, in their order; `table` and `labels` what is
    known of the first of both while the store is away.
    """

    popular_keys: Int64Array
    popularity: Float32Array
    trending: ItemTable
    fresh: ItemTable
    table: ItemTable
    labels: dict[ItemKey, tuple[ItemId, str]]

    def popularity_of(self, keys_N: Int64Array) -> Float32Array:
        """Popularity of items, 0 where it is not known."""
        if not len(self.popular_keys):
            return np.zeros(len(keys_N), np.float32)
        places = np.searchsorted(self.popular_keys, keys_N)
        places[places == len(self.popular_keys)] = 0
        found = self.popular_keys[places] == keys_N
        return np.where(found, self.popularity[places], np.float32(0.0))


class GlobalLists:
    """Reads the lists again when they are older than half a second; keeps the last good ones."""

    def __init__(self, *, state: State, index: ItemIndex, clock: Clock) -> None:
        self._state = state
        self._index = index
        self._clock = clock
        self._lists: Lists | None = None
        self._due = 0.0
        self._failed = False

    def read(self, *, late: bool) -> tuple[Lists | None, bool]:
        """The lists (None: never read), and whether they are older than they should be.

        `late`: the request has no time left to read them again.
        """
        now = self._clock.monotonic()
        if now >= self._due and not (late and self._lists is not None):
            self._due = now + REFRESH_SECONDS
            try:
                self._lists = self._read()
                self._failed = False
            except UnavailableError as error:
                if not self._failed:
                    log.warning("lists_kept", reason=str(error))
                self._failed = True
        return self._lists, self._failed

    def _read(self) -> Lists:
        ranked = self._state.trending(POPULAR)
        keys = np.array([key for key, _ in ranked], np.int64)
        scores = np.array([score for _, score in ranked], np.float64)
        top = scores[0] if len(scores) else 0.0
        popularity = np.clip(1.0 + (scores - top) / FADED, 0.0, 1.0).astype(np.float32)
        order = np.argsort(keys, kind="stable")
        now = self._clock.now().timestamp()
        popular = _shown(self._index.lookup(keys[popularity > 0.0]), now)
        newest = _shown(self._index.lookup(self._index.newest(LISTED, now=now)), now)
        newest = newest.take(np.flatnonzero(newest.published_N <= now + MAX_SECONDS_AHEAD))
        fallback = popular.part(0, LISTED)
        only_fresh = np.flatnonzero(~np.isin(newest.keys_N, fallback.keys_N))
        table = ItemTable.joined(fallback, newest.take(only_fresh))
        return Lists(
            popular_keys=keys[order],
            popularity=popularity[order],
            trending=popular,
            fresh=newest,
            table=table,
            labels=self._index.labels(table.keys_N.tolist()),
        )


def _shown(table: ItemTable, now: float) -> ItemTable:
    return table.take(np.flatnonzero(~table.hidden_N & (table.expires_N > now)))
