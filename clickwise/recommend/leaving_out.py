"""What each event of a user does to the scores of given items: score without it, and compare.

Shape suffixes: N = items, E = events left out, D = embedding dimension.
"""

import dataclasses
from collections.abc import Collection, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from clickwise.clock import Clock
from clickwise.profile import Profile
from clickwise.recommend.candidates import Pool, by_co_clicks
from clickwise.recommend.features import score
from clickwise.recommend.lists import Lists
from clickwise.recommend.taste import Taste, taste_of
from clickwise.releases.release import Release
from clickwise.state.port import State, StoredActivity
from clickwise.types import ItemKey
from clickwise.vectors.port import Float32Array, ItemTable

MOST = 64  # events that are left out in turn, the newest first
EVERY = 1_000_000  # followers: no few of them compete for a place here
SECONDS = 0.05  # after which no further one is: others of this process wait


@dataclass(frozen=True, slots=True)
class Effects:
    """Scores of the items with all events (N,), and what each event adds to them (E, N).

    `events` are rows of the history (E,), the newest first.
    """

    scores_N: Float32Array
    effects_EN: Float32Array
    events: NDArray[np.void]


class LeavingOut:
    """Scores items again for one user as of one moment; owned by one thread."""

    def __init__(self, *, state: State, release: Release, clock: Clock) -> None:
        self._state = state
        self._release = release
        self._clock = clock

    def effects(
        self, profile: Profile, table: ItemTable, *, lists: Lists | None, now: float
    ) -> Effects:
        """Effects of the profile's events on the items in `table`, scored as of `now`.

        Events that weigh nothing (impressions, views cut short) have none and are not tried.
        """
        began = self._clock.monotonic()
        history = profile.history
        recents = self._release.catalog.index.lookup(np.unique(history["item"]))
        activity = _Remembered(self._state)

        def scored(one: Profile) -> Float32Array:
            taste = taste_of(one, self._release.bundle.recurrence)
            return self._score(taste, table, recents, activity, lists, now)

        scores_N = scored(profile)
        effects: list[Float32Array] = []
        chosen: list[int] = []
        for place in reversed(np.flatnonzero(history["weight"] != 0.0).tolist()):
            if len(chosen) == MOST or self._clock.monotonic() - began > SECONDS:
                break
            without = dataclasses.replace(profile, history=np.delete(history, place))
            effects.append(scores_N - scored(self._release.rebuilt(without)))
            chosen.append(place)
        effects_EN = np.stack(effects) if effects else np.zeros((0, len(table)), np.float32)
        return Effects(scores_N, effects_EN, history[chosen])

    def _score(
        self,
        taste: Taste,
        table: ItemTable,
        recents: ItemTable,
        activity: "_Remembered",
        lists: Lists | None,
        now: float,
    ) -> Float32Array:
        pool = Pool()
        by_co_clicks(pool, activity, taste, limit=EVERY)
        return score(
            self._release.bundle, taste, pool, table, recents, lists=lists, now=now, run=True
        ).scores_N


class _Remembered:
    """The activity of items, read once: the same few are asked for again and again."""

    def __init__(self, state: State) -> None:
        self._state = state
        self._rows: dict[ItemKey, StoredActivity] = {}
        self._asked: set[ItemKey] = set()

    def activity(self, keys: Collection[ItemKey]) -> Mapping[ItemKey, StoredActivity]:
        """See State."""
        missing = [key for key in keys if key not in self._asked]
        if missing:
            self._rows.update(self._state.activity(missing))
            self._asked.update(missing)
        return {key: self._rows[key] for key in keys if key in self._rows}
