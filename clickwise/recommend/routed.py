"""Answers by the model that each user gets, while models come and go.

One recommender and one set of views per open release, made at its first request and forgotten
when it is gone: what one release knows (lists, profiles, neighbors) is never asked for another.
"""

from dataclasses import dataclass

from clickwise import metrics
from clickwise.clock import Clock
from clickwise.ranking import Policy
from clickwise.recommend.answers import Answer, ProfileView, RecommendRequest, SimilarItem
from clickwise.recommend.exposures import ExposureMessage
from clickwise.recommend.freshness import Freshness
from clickwise.recommend.gathering import Limits
from clickwise.recommend.grounds import Grounds
from clickwise.recommend.quality import Quality
from clickwise.recommend.recommender import Recommender
from clickwise.recommend.shadow import Shadow
from clickwise.recommend.views import Views
from clickwise.recommend.why import Why
from clickwise.recommend.wording import NO_WORDS
from clickwise.releases.release import Release, Releases
from clickwise.state.port import State
from clickwise.types import ItemId, UserId
from clickwise.writing.shelf import Words


@dataclass(frozen=True, slots=True)
class _Parts:
    """What answers for one release."""

    release: Release
    recommender: Recommender
    views: Views
    grounds: Grounds


class RoutedAnswers:
    """Recommender and views as the one port that serving knows; owned by one thread."""

    def __init__(
        self,
        *,
        state: State,
        releases: Releases,
        policy: Policy,
        limits: Limits,
        clock: Clock,
        shadow: Shadow | None = None,
        words: Words = NO_WORDS,
    ) -> None:
        """`shadow` is told of every answer, and compares some of them. `words`: see Recommender."""
        self._state = state
        self._releases = releases
        self._policy = policy
        self._limits = limits
        self._clock = clock
        self._shadow = shadow
        self._words = words
        # A user may go from one model to another: what they were answered last is known to all.
        self._freshness = Freshness(clock)
        self._quality = Quality()
        self._parts: list[_Parts] = []

    def recommend(self, request: RecommendRequest) -> Answer:
        """See Recommender."""
        user = UserId(request.user) if request.user is not None else None
        self._releases.refresh()
        try:
            answer = self._of(user).recommender.recommend(request)
            if user is not None and self._releases.on_trial:
                role = "live" if self._releases.live.version == answer.model else "canary"
                metrics.trial_answers.labels(role).inc()
        finally:
            self._releases.rest()
        if self._shadow is not None:
            self._shadow.offer(request, answer)
        return answer

    def similar(self, item: ItemId, *, limit: int) -> tuple[SimilarItem, ...]:
        """See Views."""
        self._releases.refresh()
        try:
            return self._of(None).views.similar(item, limit=limit)
        finally:
            self._releases.rest()

    def profile(self, user: UserId) -> ProfileView:
        """See Views."""
        self._releases.refresh()
        try:
            return self._of(user).views.profile(user)
        finally:
            self._releases.rest()

    def why(self, shown: ExposureMessage, *, language: str) -> Why:
        """See Grounds."""
        self._releases.refresh()
        try:
            return self._of(shown.user).grounds.why(shown, language=language)
        finally:
            self._releases.rest()

    def _of(self, user: UserId | None) -> _Parts:
        release = self._releases.of(user)
        for parts in self._parts:
            if parts.release is release:
                return parts
        open_ones = self._releases.every()
        self._parts = [p for p in self._parts if any(p.release is one for one in open_ones)]
        self._parts.append(self._made(release))
        return self._parts[-1]

    def _made(self, release: Release) -> _Parts:
        recommender = Recommender(
            state=self._state,
            release=release,
            policy=self._policy,
            limits=self._limits,
            clock=self._clock,
            freshness=self._freshness,
            quality=self._quality,
            words=self._words,
        )
        views = Views(state=self._state, release=release, clock=self._clock)
        grounds = Grounds(state=self._state, release=release, clock=self._clock)
        return _Parts(release, recommender, views, grounds)
