"""What is the same for everybody: the trending and the fresh list, kept for a moment.

They are also what an answer falls back to: while the database or the vector store is away, the
last lists go on serving and the answer says so.
"""

from dataclasses import dataclass

import numpy as np

from clickwise import logs
from clickwise.clock import Clock
from clickwise.errors import UnavailableError
from clickwise.state.port import State
from clickwise.types import ItemId, ItemKey
from clickwise.vectors.port import Float32Array, Int64Array, ItemIndex, ItemTable

REFRESH_SECONDS = 0.5
POPULAR = 1_000  # items whose popularity is known to the scorer
LISTED = 200  # items of each list that can become candidates
FADED = 7.0  # natural logarithms below the most popular item count as not popular

log = logs.get(__name__)


@dataclass(frozen=True, slots=True)
class Lists:
    """One reading. `popularity` in (0, 1] belongs to `popular_keys`, which are sorted."""

    popular_keys: Int64Array
    popularity: Float32Array
    trending: Int64Array
    fresh: Int64Array
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

    def read(self) -> tuple[Lists | None, bool]:
        """The lists (None: never read), and whether they are older than they should be."""
        now = self._clock.monotonic()
        if now >= self._due:
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
        fresh = self._index.newest(LISTED, now=now)
        trending = keys[popularity > 0.0][:LISTED]
        both = np.unique(np.concatenate([trending, fresh]))
        return Lists(
            popular_keys=keys[order],
            popularity=popularity[order],
            trending=trending,
            fresh=fresh,
            table=self._index.lookup(both),
            labels=self._index.labels(both.tolist()),
        )
