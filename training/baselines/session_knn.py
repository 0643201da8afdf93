"""VMIS-kNN: what went on in the past sessions that are most like this one.

Kersbergen, Sprangers, Schelter, "Serenade: low-latency session-based recommendation in
e-commerce at scale", SIGMOD 2022, after VS-kNN (Ludewig and Jannach, 2018). With the session
so far s (its `last_items` newest, L items, U of them distinct):

- a past session is similar by the sum over the items that both have of (L - p) / U, where p is
  how many items of s came later; looked at are the m most recent sessions that have any;
- of the k most similar each adds to its items similarity * (1 - q / 10) * idf, where q counts
  back from 1 to the newest item of s that it has, and idf = weight * ln(all items of all
  sessions / sessions with the item), left out where it is not positive.

Shape suffixes: B = users asked about, I = items, N = events or past sessions, S = all sessions.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import inf
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from clickwise.vectors.port import Float32Array, Float64Array, Int64Array
from training.baselines.evidence import Evidence, counted, sequence_of
from training.baselines.matrix import TIE_BREAK
from training.baselines.session_index import SessionIndex
from training.baselines.spaces import Choice, Real, Scale, Whole, tunable
from training.data import Dataset, History, Log

VISIT_GAP_SECONDS = 1_800.0
_LONGEST_QUANTILE = 0.995
_NEVER_TOO_LONG = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionKnnConfig:
    """m = `most_recent`, k = `neighbors`.

    A user's event more than `gap_seconds` after the one before begins a session (infinite, or
    without times: none does), and so does one after `session_steps` events: long sessions are
    about too many things to be alike. `fallback` orders what no neighbor has: by the number of
    sessions, or not at all (score -inf).
    """

    most_recent: int = 500
    neighbors: int = 100
    last_items: int = 4
    idf_weight: float = 1.0
    gap_seconds: float = VISIT_GAP_SECONDS
    session_steps: int = 20
    evidence: Evidence = "positive"
    fallback: Literal["popularity", "none"] = "popularity"


@dataclass(slots=True)
class _Visit:
    """A user's open session; `index` is None once it has grown too long to learn from."""

    index: int | None
    last: float
    length: int = 0


class SessionKnn:
    """See the module. Sessions longer than 99.5 % of those at the fit (and than 20 events)
    teach nothing.
    """

    name = "session-knn"

    def __init__(self, config: SessionKnnConfig) -> None:
        self._config = config
        self._index = SessionIndex(num_items=0, most_recent=config.most_recent)
        self._gap_seconds = config.gap_seconds
        self._longest = 0
        self._visits: dict[int, _Visit] = {}

    def fit(self, data: Dataset, *, seed: int) -> None:  # noqa: ARG002  # nothing is drawn
        """See Ranker."""
        self._gap_seconds = self._config.gap_seconds if data.timed else inf
        self._visits = {}
        self._index = SessionIndex(num_items=len(data.items), most_recent=self._config.most_recent)
        log = data.log.take(counted(data.log.weights_N, self._config.evidence))
        sessions_N = _sessions(log, self._gap_seconds, self._config.session_steps)
        lengths = np.bincount(sessions_N)
        longest = np.quantile(lengths, _LONGEST_QUANTILE) if len(lengths) else 0.0
        self._longest = max(_NEVER_TOO_LONG, int(longest))
        if not data.timed:  # steps say nothing across users: one user after the other
            order = np.argsort(log.users_N, kind="stable")
            log, sessions_N = log.take(order), sessions_N[order]
        self._replay(log, sessions_N, lengths)

    def score(self, users: Sequence[int], histories: Sequence[History]) -> Float32Array:
        """See Ranker."""
        del users
        counts_I = self._index.counts_I
        fallback_I = self._fallback(counts_I)
        idf_I = self._idf(counts_I)
        scores_BI = np.empty((len(histories), len(counts_I)), np.float32)
        for row, history in enumerate(histories):
            session = sequence_of(history, self._config.evidence)[-self._config.last_items :]
            found_I = self._found(session.tolist())
            scores_BI[row] = np.where(found_I > 0.0, found_I * idf_I, fallback_I)
        return scores_BI

    def learn(self, user: int, item: int, *, event_type: int, weight: float, time: float) -> None:
        """See Ranker."""
        del event_type
        if not counted(np.array([weight], np.float32), self._config.evidence)[0]:
            return
        visit = self._visits.get(user)
        if visit is None or self._over(visit, time):
            visit = self._visits[user] = _Visit(self._index.open(), time)
        visit.last = time
        visit.length += 1
        if visit.index is None:
            return
        if visit.length > self._longest:
            self._index.forget(visit.index)
            visit.index = None
        else:
            self._index.add(visit.index, item)

    def _over(self, visit: _Visit, time: float) -> bool:
        return time - visit.last > self._gap_seconds or visit.length >= self._config.session_steps

    def _replay(self, log: Log, sessions_N: Int64Array, lengths: NDArray[np.intp]) -> None:
        opened: dict[int, int] = {}
        kept = (lengths <= self._longest).tolist()
        events = zip(
            log.users_N.tolist(),
            log.items_N.tolist(),
            log.times_N.tolist(),
            sessions_N.tolist(),
            strict=True,
        )
        for user, item, time, session in events:
            index = None
            if kept[session]:
                index = opened.get(session)
                if index is None:
                    index = opened[session] = self._index.open()
                self._index.add(index, item)
            self._visits[user] = _Visit(index, time, int(lengths[session]))

    def _found(self, session: Sequence[int]) -> Float64Array:
        """(I,) scores of the neighbors' items without idf, 0 for all others."""
        backwards = session[::-1]
        added: list[int] = []
        weights: list[float] = []
        lengths: list[int] = []
        for neighbor, similarity in self._neighbors(backwards):
            items = self._index.items_of(neighbor)
            met = next(place for place, item in enumerate(backwards, 1) if item in items)
            added.extend(items)
            weights.append(similarity * max(0.0, 1.0 - 0.1 * met))
            lengths.append(len(items))
        return np.bincount(
            np.array(added, np.int64),
            np.repeat(np.array(weights, np.float64), np.array(lengths, np.int64)),
            minlength=len(self._index.counts_I),
        ).astype(np.float64)

    def _neighbors(self, backwards: Sequence[int]) -> list[tuple[int, float]]:
        """The k most similar of the m most recent sessions, with their similarities."""
        distinct = dict.fromkeys(backwards)
        if not distinct:
            return []
        parts = [self._index.sessions_of(item) for item in distinct]
        shares = [(len(backwards) - backwards.index(item)) / len(distinct) for item in distinct]
        totals_S = np.bincount(
            np.concatenate(parts), np.repeat(shares, [len(part) for part in parts])
        )
        past_N = np.flatnonzero(totals_S)
        stamps_N = self._index.stamps(past_N)
        if len(past_N) > self._config.most_recent:
            recent = np.argpartition(-stamps_N, self._config.most_recent)
            recent = recent[: self._config.most_recent]
            past_N, stamps_N = past_N[recent], stamps_N[recent]
        order = np.lexsort((-stamps_N, -totals_S[past_N]))[: self._config.neighbors]
        nearest_N = past_N[order]
        return list(zip(nearest_N.tolist(), totals_S[nearest_N].tolist(), strict=True))

    def _idf(self, counts_I: Float64Array) -> Float64Array:
        shares_I = self._index.num_pairs / np.maximum(counts_I, 1.0)
        idf_I = self._config.idf_weight * np.log(np.maximum(shares_I, 1.0))
        return np.where(idf_I > 0.0, idf_I, 1.0)

    def _fallback(self, counts_I: Float64Array) -> Float64Array:
        if self._config.fallback == "none":
            return np.full(len(counts_I), -inf)
        return np.asarray(TIE_BREAK * counts_I / max(1.0, counts_I.max(initial=0.0)))


def _sessions(log: Log, gap_seconds: float, session_steps: int) -> Int64Array:
    """The session of each event, numbered from 0."""
    order = np.argsort(log.users_N, kind="stable")
    users_N, times_N = log.users_N[order], log.times_N[order]
    begins_N = np.ones(len(order), np.bool_)
    begins_N[1:] = (users_N[1:] != users_N[:-1]) | (np.diff(times_N) > gap_seconds)
    places_N = np.arange(len(order))
    since_N = places_N - np.maximum.accumulate(np.where(begins_N, places_N, 0))
    begins_N |= since_N % session_steps == 0
    sessions_N = np.empty(len(order), np.int64)
    sessions_N[order] = np.cumsum(begins_N) - 1
    return sessions_N


BASELINE = tunable(
    SessionKnnConfig(),
    SessionKnn,
    {
        "most_recent": Whole(100, 2_500),
        "neighbors": Whole(50, 1_500),
        "last_items": Whole(1, 20),
        "idf_weight": Real(0.0, 5.0),
        "gap_seconds": Scale(600.0, 30 * 86_400.0),
        "session_steps": Choice((10, 20, 50, 1_000_000)),
        "evidence": Choice(("positive", "all")),
    },
)
