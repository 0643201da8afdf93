"""One request followed: profile, candidates, scores, page, reasons.

Synchronous and owned by one thread: the vector engine holds the interpreter's lock, so a
serving process answers one request at a time (ADR 3). Every stage that fails or would come
after the deadline is replaced by a cheaper one, and the answer says so in `degraded`.

Shape suffixes: N = candidates, D = embedding dimension, Q = queries.
"""

import dataclasses
import time
import uuid
from collections import OrderedDict
from dataclasses import dataclass
from hashlib import blake2b

import numpy as np

from clickwise import metrics
from clickwise.bundle import Bundle
from clickwise.catalog import Catalog
from clickwise.clock import Clock
from clickwise.errors import InvalidInputError, UnavailableError
from clickwise.profile import Profile
from clickwise.ranking import Policy, rank
from clickwise.recommend import candidates as sources
from clickwise.recommend.answers import Answer, RecommendRequest
from clickwise.recommend.candidates import Barred, Pool
from clickwise.recommend.course import STAGES, Course
from clickwise.recommend.cursor import decode_cursor, encode_cursor
from clickwise.recommend.explain import Explainer
from clickwise.recommend.features import Scored, score
from clickwise.recommend.lists import GlobalLists, Lists
from clickwise.recommend.names import TopicNames
from clickwise.recommend.reader import Reader, Readers
from clickwise.recommend.taste import Taste, taste_of
from clickwise.state.port import State
from clickwise.types import ITEM_KIND_CODES, ItemKey, UserId, item_key, topic_code
from clickwise.vectors.port import ItemTable, Where

ROUND = 256  # more items asked for at a time when the sources bring too few
WIDER = 2_000  # the same when many were seen long ago or delivered already
JUST_NOW_SECONDS = 5.0
REMEMBERED = 10_000  # users whose last answered profile version is kept, for freshness figures


@dataclass(frozen=True, slots=True)
class Limits:
    """Numbers of one recommender, from the settings."""

    candidates: int = 200
    deadline_seconds: float = 0.25
    show_seen: bool = False


@dataclass(frozen=True, slots=True)
class _Found:
    """Candidates: the first `ranked` rows compete, those after them only continue the list."""

    pool: Pool
    table: ItemTable
    recents: ItemTable
    left_out: dict[str, int]
    ranked: int


class Recommender:
    """Answers who should see what now."""

    def __init__(
        self,
        *,
        state: State,
        catalog: Catalog,
        bundle: Bundle,
        policy: Policy,
        limits: Limits,
        clock: Clock,
    ) -> None:
        self._state = state
        self._catalog = catalog
        self._bundle = bundle
        self._rules = bundle.manifest.rules
        self._policy = policy
        self._limits = limits
        self._clock = clock
        self._lists = GlobalLists(state=state, index=catalog.index, clock=clock)
        self._readers = Readers(state=state, catalog=catalog, rules=self._rules, clock=clock)
        self._explainer = Explainer(catalog.index, TopicNames(state))
        self._answered: OrderedDict[str, tuple[int, int]] = OrderedDict()
        metrics.model_info.labels(bundle.version).set(1)
        metrics.model_created.set(bundle.manifest.created.timestamp())

    def recommend(self, request: RecommendRequest) -> Answer:
        """The page asked for.

        Raises:
            InvalidInputError: the cursor is not ours, or it comes with an offset.
        """
        if request.cursor is not None and request.offset:
            raise InvalidInputError("give a cursor or an offset, not both", field="offset")
        course = Course(self._clock, self._limits.deadline_seconds)
        reader = self._readers.read(request, course)
        taste = taste_of(reader.profile)
        course.done("profile")

        lists, kept = self._lists.read(late=course.late())
        if kept:
            course.fall_back("lists")
        barred = self._barred(request, reader.profile)
        where = _where(request, self._clock.now().timestamp())
        found = self._candidates(request, taste, lists, barred, where, course)
        pool, table, left_out = found.pool, found.table, found.left_out
        course.done("candidates")

        scored = self._score(taste, found, lists, where.now, course)
        course.done("score")
        depth = request.offset + request.limit
        ranked = rank(
            scores_N=scored.scores_N,
            vectors_ND=table.vectors_ND,
            topics_N=table.topics_NT[:, 0],
            keys_N=table.keys_N,
            count=depth + 1,
            policy=self._policy,
            seed=_seed(request, reader.version, self._bundle.version, barred),
            drawable=found.ranked,
        )
        page = ranked[request.offset : depth]
        course.done("rank")

        items = self._explainer.items(
            page, offset=request.offset, table=table, pool=pool, scored=scored, taste=taste,
            labels=lists.labels if lists is not None else {}, course=course,
        )  # fmt: skip
        # Degraded, the list may be cut short: whoever pages on may find the rest.
        more = len(ranked) > depth or bool(course.degraded)
        shown = np.array([table.keys_N[place.index] for place in page], np.int64)
        answer = Answer(
            request_id=uuid.uuid4().hex,
            user=UserId(request.user) if request.user is not None else None,
            items=items,
            model=self._bundle.version,
            policy=self._policy.version,
            profile_version=reader.version,
            events_applied=reader.profile.events_applied,
            personalized=taste.known,
            generated=self._clock.now(),
            degraded=tuple(course.degraded),
            empty_reason=None if items else self._empty_reason(request, left_out, course),
            next_cursor=encode_cursor(barred.delivered, shown) if more and items else None,
            left_out=left_out if request.explain else None,
        )
        course.done("explain")
        STAGES["total"].observe(time.perf_counter() - course.started)
        self._observe_freshness(request.user, reader)
        return answer

    def _barred(self, request: RecommendRequest, profile: Profile) -> Barred:
        shows_seen = self._limits.show_seen
        return Barred(
            seen=frozenset() if shows_seen else frozenset(profile.history["item"].tolist()),
            older=b"" if shows_seen else profile.older,
            excluded=frozenset(item_key(item) for item in request.exclude),
            delivered=decode_cursor(request.cursor),
        )

    def _candidates(
        self,
        request: RecommendRequest,
        taste: Taste,
        lists: Lists | None,
        barred: Barred,
        where: Where,
        course: Course,
    ) -> _Found:
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
        left_out["gone"] = len(left) - len(table) - left_out["hidden"] - left_out["expired"]
        left_out["gone"] -= left_out["filtered"]
        number = len(table)
        needed = request.offset + request.limit + 1
        while len(table) < needed:
            more = self._more(pool, taste, barred, where, lists, course)
            if more is None:
                break
            table = ItemTable.joined(table, more)
        return _Found(pool, table, recent_table, left_out, ranked=number)

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
            query_QD = np.full((1, index.dimension), index.dimension**-0.5, np.float32)
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

    def _score(
        self, taste: Taste, found: _Found, lists: Lists | None, now: float, course: Course
    ) -> Scored:
        """Scores of the candidates; the continuation's fall behind, in its own order."""
        ranked = found.table.part(0, found.ranked)
        scored = score(
            self._bundle, taste, found.pool, ranked, found.recents, lists=lists, now=now,
            run=not course.late(),
        )  # fmt: skip
        if scored.fell_back:
            course.fall_back("score")
        behind = len(found.table) - found.ranked
        if not behind:
            return scored
        lowest = np.float32(scored.scores_N.min(initial=0.0) - 1.0)
        steps_N = np.arange(1, behind + 1, dtype=np.float32) / np.float32(1024.0)
        facts_NF = np.zeros((behind, scored.facts_NF.shape[1]), np.float32)
        return dataclasses.replace(
            scored,
            scores_N=np.concatenate([scored.scores_N, lowest - steps_N]),
            facts_NF=np.concatenate([scored.facts_NF, facts_NF]),
        )

    def _empty_reason(
        self, request: RecommendRequest, left_out: dict[str, int], course: Course
    ) -> str:
        """One word for why there is nothing."""
        try:
            count = self._catalog.index.count()
        except UnavailableError:
            count = -1
        if count == 0:
            cause = "no_items"
        elif course.degraded:
            cause = "unavailable"
        elif request.offset or request.cursor:
            cause = "past_the_end"
        else:
            cause = max(left_out, key=lambda name: left_out[name])
            cause = f"all_{cause}" if left_out[cause] else "no_candidates"
        metrics.empty_answers.labels(cause).inc()
        return cause

    def _observe_freshness(self, user: str | None, reader: Reader) -> None:
        """From the newest event to the first answer of this process that rests on it."""
        if user is None or not reader.version:
            return
        now = self._clock.now().timestamp()
        event = reader.profile.time
        known = self._answered.pop(user, None)
        self._answered[user] = (reader.version, event)
        if len(self._answered) > REMEMBERED:
            self._answered.popitem(last=False)
        if known is None:  # another process may have answered before: only what just came is sure
            if now - reader.received > JUST_NOW_SECONDS:
                return
        elif known[0] >= reader.version or known[1] == event:
            return  # nothing new, or only impressions, which leave the profile's time alone
        own = now - reader.profile.time / 1e6
        metrics.event_to_recommendation.labels("event").observe(max(0.0, own))
        metrics.event_to_recommendation.labels("receipt").observe(max(0.0, now - reader.received))


def _shown(table: ItemTable, where: Where, left_out: dict[str, int]) -> ItemTable:
    """Rows that may be shown; why the others may not is added to `left_out`."""
    shown_N, counted = sources.showable(table, where)
    left_out.update(counted)
    return table if shown_N.all() else table.take(np.flatnonzero(shown_N))


def _where(request: RecommendRequest, now: float) -> Where:
    return Where(
        now=now,
        kinds=frozenset(ITEM_KIND_CODES[kind] for kind in request.kinds),
        languages=frozenset(topic_code(language) for language in request.languages),
        topics=frozenset(topic_code(topic) for topic in request.topics),
    )


def _seed(request: RecommendRequest, version: int, model: str, barred: Barred) -> int:
    """The same for the pages of one list, another one after the next event."""
    parts = (request.user, [one.item for one in request.context], version, model)
    digest = blake2b(repr((*parts, len(barred.delivered))).encode(), digest_size=8)
    return int.from_bytes(digest.digest())
