"""Candidates for one request: what the sources bring, and the catalogue beyond them.

Shape suffixes: N = candidates, D = embedding dimension, Q = queries.
"""

import dataclasses
from dataclasses import dataclass

import numpy as np

from clickwise.catalog import Catalog
from clickwise.errors import UnavailableError
from clickwise.recommend import candidates as sources
from clickwise.recommend.answers import RecommendRequest
from clickwise.recommend.candidates import Barred, Pool
from clickwise.recommend.course import Course
from clickwise.recommend.lists import Lists
from clickwise.recommend.taste import Taste
from clickwise.state.port import State
from clickwise.types import ItemKey
from clickwise.vectors.port import Float32Array, ItemTable, Where

ROUND = 256  # more items asked for at a time when the sources bring too few
WIDER = 2_000  # the same when many were seen long ago or delivered already


@dataclass(frozen=True, slots=True)
class Limits:
    """Numbers of one recommender, from the settings."""

    candidates: int = 200
    deadline_seconds: float = 0.25
    show_seen: bool = False


@dataclass(frozen=True, slots=True)
class Found:
    """Candidates: the first `ranked` rows compete, those after them only continue the list."""

    pool: Pool
    table: ItemTable
    recents: ItemTable
    left_out: dict[str, int]
    ranked: int


class Gatherer:
    """Asks every source, each within its budget."""

    def __init__(self, *, state: State, catalog: Catalog, limits: Limits) -> None:
        self._state = state
        self._catalog = catalog
        self._limits = limits

    def gather(
        self,
        request: RecommendRequest,
        taste: Taste,
        lists: Lists | None,
        barred: Barred,
        where: Where,
        course: Course,
    ) -> Found:
        """What the sources bring, cut to what may be shown; more of the catalogue if too few.

        The first part does not depend on how deep the page is, and the rest is in the index's
        own order, so that a deeper page is a continuation.
        """
        pool = Pool()
        most = self._limits.candidates
        if taste.known:
            self._personal(pool, taste, where, course)
        if lists is not None:
            share = most // 10 if taste.known else most // 2
            sources.by_lists(pool, lists, share=share, where=where)
        left, left_out = sources.allowed(pool.keys_N, barred)
        recents = [recent.item for recent in taste.recents]
        table, recent_table = self._lookup(left, recents, lists, course)
        table = _shown(table, where, left_out)
        unshown = left_out["hidden"] + left_out["expired"] + left_out["filtered"]
        # Of those that a store which is away does not tell of, nobody knows whether they are.
        away = "vectors" in course.degraded
        left_out["gone"] = 0 if away else len(left) - len(table) - unshown
        number = len(table)
        needed = request.offset + request.limit + 1
        while len(table) < needed:
            more = self._more(pool, taste, barred, where, lists, course)
            if more is None:
                break
            table = ItemTable.joined(table, more)
        return Found(pool, table, recent_table, left_out, ranked=number)

    def wanted(self, barred: Barred, where: Where) -> dict[str, int]:
        """Of a round of the items that a request wants, whoever the reader is, how many are not for
        this one, by reason; empty: there are none that may be shown.

        Raises:
            UnavailableError: the index does not answer.
        """
        (hits,) = self._catalog.index.search(
            _even(self._catalog.index.dimension), limit=ROUND, where=where
        )
        return sources.allowed(hits.keys_N, barred)[1] if len(hits.keys_N) else {}

    def _personal(self, pool: Pool, taste: Taste, where: Where, course: Course) -> None:
        """Near each interest, similar to the newest item, and what its readers went on to."""
        most = self._limits.candidates
        interests_QD = taste.interests_KD[: int((taste.shares_K > 0.0).sum())]
        if len(interests_QD):
            limit = max(20, most // 2 // len(interests_QD))
            course.attempt(
                "vectors",
                lambda: sources.by_vector(
                    pool, self._catalog.index, interests_QD, "interest", limit=limit, where=where
                ),
                None,
            )
        newest = [recent.item for recent in taste.recents[:1]]
        course.attempt(
            "vectors", lambda: self._similar(pool, newest, limit=most // 10, where=where), None
        )
        course.attempt(
            "co_clicks",
            lambda: sources.by_co_clicks(pool, self._state, taste, limit=most // 4),
            None,
        )

    def _similar(self, pool: Pool, items: list[int], *, limit: int, where: Where) -> None:
        index = self._catalog.index
        vectors_QD = index.lookup(items).vectors_ND
        if len(vectors_QD):
            sources.by_vector(pool, index, vectors_QD, "similar", limit=limit, where=where)

    def _more(
        self,
        pool: Pool,
        taste: Taste,
        barred: Barred,
        where: Where,
        lists: Lists | None,
        course: Course,
    ) -> ItemTable | None:
        """Any other item that is allowed, nearest first; None when there are no more.

        What the user saw before the window is in a Bloom filter, which cannot tell the index its
        keys; those that came up so far are left out by key, so every round brings others.
        """
        index = self._catalog.index
        query_QD = taste.interests_KD[:1]
        if not len(query_QD) or not query_QD.any():
            query_QD = _even(index.dimension)
        known = set(pool.sources)
        open_where = dataclasses.replace(
            where, without=barred.without() | frozenset(ItemKey(key) for key in known)
        )
        # Rounds of one size, however deep the page is: the list so far stays as it was.
        round_size = WIDER if barred.older or len(barred.delivered) else ROUND
        course.attempt(
            "vectors",
            lambda: sources.by_vector(
                pool, self._catalog.index, query_QD, "catalogue", limit=round_size, where=open_where
            ),
            None,
        )
        found = [key for key in pool.sources if key not in known]
        if not found:
            return None
        left, _ = sources.allowed(np.array(found, np.int64), barred)
        table, _ = self._lookup(left, [], lists, course)
        return _shown(table, where, {})

    def _lookup(
        self, keys: list[int], recents: list[int], lists: Lists | None, course: Course
    ) -> tuple[ItemTable, ItemTable]:
        """Facts of candidates and of recents, in one call; when the store is away, of those
        candidates that the lists remember.
        """
        index = self._catalog.index
        none = ItemTable.empty(self._catalog.dimension)
        try:
            if self._limits.show_seen:  # a recent item may be a candidate as well
                return index.lookup(keys), index.lookup(recents)
            both = index.lookup([*keys, *recents])
        except UnavailableError:
            course.fall_back("vectors")
            if lists is None:
                return none, none
            return lists.table.take(np.flatnonzero(np.isin(lists.table.keys_N, keys))), none
        wanted = set(recents)
        known: list[int] = both.keys_N.tolist()
        begin = len(known)
        while begin and known[begin - 1] in wanted:
            begin -= 1
        return both.part(0, begin), both.part(begin, len(known))


def _even(dimension: int) -> Float32Array:
    """A query (1, D) that prefers nothing."""
    return np.full((1, dimension), dimension**-0.5, np.float32)


def _shown(table: ItemTable, where: Where, left_out: dict[str, int]) -> ItemTable:
    """Rows that may be shown; why the others may not is added to `left_out`."""
    shown_N, counted = sources.showable(table, where)
    left_out.update(counted)
    return table if shown_N.all() else table.take(np.flatnonzero(shown_N))
