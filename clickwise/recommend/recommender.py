"""One request followed: profile, candidates, scores, page, reasons.

Synchronous and owned by one thread, that beside the event loop (ADR 16): the vector engine holds
the interpreter's lock, so a serving process makes one list at a time (ADR 3). Every stage that
fails or would come after the deadline is replaced by a cheaper one, and the answer says so in
`degraded`.

Shape suffixes: N = candidates, D = embedding dimension, Q = queries.
"""

import dataclasses
import time
from hashlib import blake2b

import numpy as np

from clickwise import metrics
from clickwise.clock import Clock
from clickwise.errors import BundleError, InvalidInputError, UnavailableError
from clickwise.ids import time_ordered_id
from clickwise.profile import Profile
from clickwise.ranking import Policy, rank
from clickwise.recommend.answers import Answer, RecommendRequest
from clickwise.recommend.candidates import Barred
from clickwise.recommend.course import STAGES, Course
from clickwise.recommend.cursor import decode_cursor, encode_cursor
from clickwise.recommend.explain import Explainer
from clickwise.recommend.features import Scored, score
from clickwise.recommend.freshness import Freshness, Observer
from clickwise.recommend.gathering import Found, Gatherer, Limits
from clickwise.recommend.lists import GlobalLists, Lists
from clickwise.recommend.names import TopicNames
from clickwise.recommend.nearness import Nearness
from clickwise.recommend.quality import Quality
from clickwise.recommend.reader import Readers
from clickwise.recommend.taste import Taste, taste_of
from clickwise.recommend.why_words import told_in
from clickwise.recommend.wording import NO_WORDS, Wording
from clickwise.releases.release import Release
from clickwise.state.port import State
from clickwise.types import ITEM_KIND_CODES, UserId, item_key, topic_code
from clickwise.vectors.port import ItemTable, Where
from clickwise.writing.shelf import Words


class Recommender:
    """Answers who should see what now."""

    def __init__(
        self,
        *,
        state: State,
        release: Release,
        policy: Policy,
        limits: Limits,
        clock: Clock,
        freshness: Observer | None = None,
        quality: Quality | None = None,
        words: Words = NO_WORDS,
    ) -> None:
        """`freshness`: shared by recommenders whose users are the same (None: its own).

        `quality`: told of the pages that users see (None: nobody sees these).
        `words`: what items are shown with.
        """
        catalog, bundle = release.catalog, release.bundle
        self._catalog = catalog
        self._bundle = bundle
        self._policy = policy
        self._limits = limits
        self._clock = clock
        self._lists = GlobalLists(state=state, index=catalog.index, clock=clock)
        self._readers = Readers(state=state, release=release, clock=clock)
        self._explainer = Explainer(
            catalog.index, bundle.tower, TopicNames(state), Nearness(bundle.tower, clock)
        )
        self._gatherer = Gatherer(state=state, catalog=catalog, limits=limits)
        self._words = words
        self._freshness = freshness if freshness is not None else Freshness(clock)
        self._quality = quality

    def recommend(self, request: RecommendRequest) -> Answer:
        """The page asked for.

        Raises:
            InvalidInputError: the cursor is not ours, or it comes with an offset.
            BundleError: profile, items and scorer are not of one model.
        """
        if request.cursor is not None and request.offset:
            raise InvalidInputError("give a cursor or an offset, not both", field="offset")
        course = Course(self._clock, self._limits.deadline_seconds)
        reader = self._readers.read(request, course)
        taste = taste_of(reader.profile, self._bundle.recurrence)
        course.done("profile")

        lists, kept = self._lists.read(late=course.late())
        if kept:
            course.fall_back("lists")
        barred = self._barred(request, reader.profile)
        where = _where(request, self._clock.now().timestamp())
        found = self._gatherer.gather(request, taste, lists, barred, where, course)
        pool, table, left_out = found.pool, found.table, found.left_out
        self._check_one_model(reader.profile, table)
        course.done("candidates")

        scored = self._score(taste, found, lists, where.now, course)
        course.done("score")
        depth = request.offset + request.limit
        ranked = rank(
            scores_N=scored.scores_N,
            vectors_ND=self._bundle.tower.directions(table.vectors_ND),
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
            words=Wording(self._words, request, taste), lists=lists, course=course,
            language=told_in(request.languages),
        )  # fmt: skip
        # Degraded, the list may be cut short: whoever pages on may find the rest.
        more = len(ranked) > depth or bool(course.degraded)
        rows = np.array([place.index for place in page], np.intp)
        shown = table.keys_N[rows]
        answer = Answer(
            request_id=time_ordered_id(self._clock.now()),
            user=UserId(request.user) if request.user is not None else None,
            items=items,
            model=self._bundle.version,
            policy=self._policy.version,
            profile_version=reader.version,
            events_applied=reader.profile.events_applied,
            personalized=taste.known,
            generated=self._clock.now(),
            degraded=tuple(course.degraded),
            empty_reason=None
            if items
            else self._empty_reason(request, found, barred, where, course),
            next_cursor=encode_cursor(barred.delivered, shown) if more and items else None,
            left_out=left_out if request.explain else None,
        )
        course.done("explain")
        STAGES["total"].observe(time.perf_counter() - course.started)
        self._freshness.observe(request.user, reader)
        if self._quality is not None:
            self._quality.observe(
                keys_N=shown, published_N=table.published_N[rows],
                topics_N=table.topics_NT[rows, 0], now=where.now,
            )  # fmt: skip
        return answer

    def _check_one_model(self, profile: Profile, table: ItemTable) -> None:
        """Dot products of two models' vectors are numbers like any other: nobody may see them."""
        manifest, index = self._bundle.manifest, self._catalog.index
        if (
            profile.model != manifest.version
            or index.model != manifest.vectors
            or table.vectors_ND.shape[1] != manifest.dimension
        ):
            metrics.mixed_vectors.inc()
            raise BundleError(
                f"a profile of {profile.model} and items of {index.model} do not go with"
                f" {manifest.version}"
            )

    def _barred(self, request: RecommendRequest, profile: Profile) -> Barred:
        shows_seen = self._limits.show_seen
        return Barred(
            seen=frozenset() if shows_seen else frozenset(profile.history["item"].tolist()),
            older=b"" if shows_seen else profile.older,
            excluded=frozenset(item_key(item) for item in request.exclude),
            delivered=decode_cursor(request.cursor),
        )

    def _score(
        self, taste: Taste, found: Found, lists: Lists | None, now: float, course: Course
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
        self, request: RecommendRequest, found: Found, barred: Barred, where: Where, course: Course
    ) -> str:
        """One word for why there is nothing."""
        try:
            if self._catalog.index.count() == 0:
                cause = "no_items"
            elif course.degraded:
                cause = "unavailable"
            elif request.offset or request.cursor:
                cause = "past_the_end"
            else:
                cause = self._left_nothing(found, barred, where, course)
        except UnavailableError:
            cause = "unavailable"
        metrics.empty_answers.labels(cause).inc()
        return cause

    def _left_nothing(self, found: Found, barred: Barred, where: Where, course: Course) -> str:
        """What most items that a request wants were left out for.

        Raises:
            UnavailableError: the index does not answer.
        """
        filters = bool(where.kinds or where.languages or where.topics)
        reasons: dict[str, int] = found.left_out
        if filters or not any(reasons.values()):  # what was found says nothing of what is wanted
            if course.late():
                return "no_candidates"
            reasons = self._gatherer.wanted(barred, where)
            if filters and not reasons:
                return "all_filtered"
        cause = max(reasons, key=lambda name: reasons[name], default="")
        return f"all_{cause}" if reasons.get(cause) else "no_candidates"


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
