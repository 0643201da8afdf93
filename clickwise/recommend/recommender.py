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
from clickwise.profile import Profile, in_older
from clickwise.ranking import Policy, rank
from clickwise.recommend import candidates as sources
from clickwise.recommend.answers import Answer, RecommendRequest
from clickwise.recommend.candidates import Barred, Pool
from clickwise.recommend.course import Course
from clickwise.recommend.cursor import decode_cursor, encode_cursor, was_delivered
from clickwise.recommend.explain import Explainer
from clickwise.recommend.features import Scored, score
from clickwise.recommend.lists import GlobalLists, Lists
from clickwise.recommend.names import TopicNames
from clickwise.recommend.reader import Reader, Readers
from clickwise.recommend.taste import Taste, taste_of
from clickwise.state.port import State
from clickwise.types import ITEM_KIND_CODES, ItemKey, UserId, item_key, topic_code
from clickwise.vectors.port import Float32Array, Int64Array, ItemTable, Where

NEAREST = 64  # items asked for per vector query
WIDER = 2_000  # more items asked for at a time when many were seen long ago
QUERIES = 2  # vector queries per request
REMEMBERED = 10_000  # users whose last answered profile version is kept, for freshness figures


@dataclass(frozen=True, slots=True)
class Limits:
    """Numbers of one recommender, from the settings."""

    candidates: int = 200
    deadline_seconds: float = 0.25
    show_seen: bool = False


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
        self._answered: OrderedDict[str, int] = OrderedDict()
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

        lists, kept = self._lists.read()
        if kept:
            course.fall_back("lists")
        barred = self._barred(request, reader.profile)
        where = _where(request, self._clock.now().timestamp())
        pool, table, left_out = self._candidates(request, taste, lists, barred, where, course)
        course.done("candidates")

        scored = self._score(taste, pool, table, lists, where.now, course)
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
        )
        page = ranked[request.offset : depth]
        course.done("rank")

        items = self._explainer.items(
            page, offset=request.offset, table=table, pool=pool, scored=scored, taste=taste,
            labels=lists.labels if lists is not None else {}, course=course,
        )  # fmt: skip
        more = len(ranked) > depth
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
            next_cursor=encode_cursor(barred.delivered, shown) if more and len(shown) else None,
            left_out=left_out if request.explain else None,
        )
        course.done("explain")
        metrics.recommend_seconds.labels("total").observe(time.perf_counter() - course.started)
        self._observe_freshness(request.user, reader)
        return answer

    def _barred(self, request: RecommendRequest, profile: Profile) -> Barred:
        seen = profile.history["item"] if not self._limits.show_seen else np.zeros(0, np.int64)
        return Barred(
            seen=np.ascontiguousarray(seen),
            older=profile.older if not self._limits.show_seen else b"",
            excluded=np.array([item_key(item) for item in request.exclude], np.int64),
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
    ) -> tuple[Pool, ItemTable, dict[str, int]]:
        """The merged pool, cut to what may be shown."""
        pool = Pool()
        index = self._catalog.index
        needed = request.offset + request.limit + 1
        depth = max(NEAREST, needed)
        if taste.known:
            queries, names = self._queries(taste)
            if len(queries):
                course.attempt(
                    "vectors",
                    lambda: sources.by_vector(
                        pool, index, queries, names, limit=depth, where=where
                    ),
                    None,
                )
            course.attempt(
                "co_clicks", lambda: sources.by_co_clicks(pool, self._state, taste), None
            )
        if lists is not None:
            share = max(30, needed) if taste.known else max(100, needed)
            sources.by_lists(pool, lists, trending=share, fresh=share)
        picked = self._allowed(pool, barred, where, lists, course)
        known = -1
        while len(picked[0]) < needed and known != len(pool.sources):
            known = len(pool.sources)
            self._widen(pool, taste, barred, where, needed, course)
            picked = self._allowed(pool, barred, where, lists, course)
        return pool, *picked

    def _queries(self, taste: Taste) -> tuple[Float32Array, list[str]]:
        """The strongest interest, and the one that the newest event is in or the next one."""
        number = min(QUERIES, int((taste.shares_K > 0.0).sum()))
        return taste.interests_KD[:number], ["interest"] * number

    def _widen(
        self,
        pool: Pool,
        taste: Taste,
        barred: Barred,
        where: Where,
        needed: int,
        course: Course,
    ) -> None:
        """Too few are left: ask the index for any item that is allowed, nearest first.

        What the user saw before the window is in a Bloom filter, which cannot tell the index its
        keys; those that came up so far are left out by key, so every round brings others.
        """
        index = self._catalog.index
        query = taste.interests_KD[:1]
        if not len(query) or not query.any():
            query = np.full((1, index.dimension), index.dimension**-0.5, np.float32)
        keys_N = pool.keys_N
        older_N = keys_N[in_older(barred.older, keys_N) | was_delivered(barred.delivered, keys_N)]
        open_where = dataclasses.replace(
            where, without=barred.without() | frozenset(ItemKey(k) for k in older_N.tolist())
        )
        spare = len(barred.delivered) + (WIDER if barred.older else 0)
        course.attempt(
            "vectors",
            lambda: sources.by_vector(
                pool, index, query, ["catalogue"], limit=needed + spare, where=open_where
            ),
            None,
        )

    def _allowed(
        self,
        pool: Pool,
        barred: Barred,
        where: Where,
        lists: Lists | None,
        course: Course,
    ) -> tuple[ItemTable, dict[str, int]]:
        keys_N = pool.keys_N
        mask_N, left_out = sources.allowed(
            keys_N, barred, in_older_N=in_older(barred.older, keys_N)
        )
        keys_N = keys_N[mask_N]
        table = self._lookup(keys_N, lists, course)
        shown_N, more = sources.showable(table, where)
        left_out.update(more)
        left_out["gone"] = len(keys_N) - len(table)
        if not shown_N.all():
            table = table.take(np.flatnonzero(shown_N))
        return table, left_out

    def _lookup(self, keys_N: Int64Array, lists: Lists | None, course: Course) -> ItemTable:
        """Facts of candidates; when the store is away, of those that the lists remember."""
        try:
            return self._catalog.index.lookup(keys_N)
        except UnavailableError:
            course.fall_back("vectors")
        if lists is None:
            return ItemTable.empty(self._catalog.dimension)
        return lists.table.take(np.flatnonzero(np.isin(lists.table.keys_N, keys_N)))

    def _score(
        self,
        taste: Taste,
        pool: Pool,
        table: ItemTable,
        lists: Lists | None,
        now: float,
        course: Course,
    ) -> Scored:
        recents = [recent.item for recent in taste.recents]
        recent_table = course.attempt(
            "vectors",
            lambda: self._catalog.index.lookup(recents),
            ItemTable.empty(self._catalog.dimension),
        )
        scored = score(
            self._bundle, taste, pool, table, recent_table, lists=lists, now=now,
            run=not course.late(),
        )  # fmt: skip
        if scored.fell_back:
            course.fall_back("score")
        return scored

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
        known = self._answered.pop(user, None)
        self._answered[user] = reader.version
        if len(self._answered) > REMEMBERED:
            self._answered.popitem(last=False)
        if known is None or known >= reader.version:
            return
        now = self._clock.now().timestamp()
        own = now - reader.profile.time / 1e6
        metrics.event_to_recommendation.labels("event").observe(max(0.0, own))
        metrics.event_to_recommendation.labels("receipt").observe(max(0.0, now - reader.received))


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
