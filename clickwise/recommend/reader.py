"""Who asks: the stored profile, brought to the present, and the visit's own events."""

from dataclasses import dataclass

from clickwise.clock import Clock
from clickwise.events import Event
from clickwise.profile import (
    Interaction,
    Profile,
    from_stored,
    weight_of,
)
from clickwise.recommend.answers import RecommendRequest
from clickwise.recommend.course import Course
from clickwise.releases.release import Release
from clickwise.state.port import State, StoredProfile
from clickwise.types import EVENT_CODES, EventId, ItemId, UserId, event_key, item_key


@dataclass(frozen=True, slots=True)
class Reader:
    """What is known of who asks. `version` 0: nothing stored; `received` in seconds since 1970."""

    profile: Profile
    version: int
    received: float


class Readers:
    """Reads profiles and brings them to the present model and catalogue, in memory only."""

    def __init__(self, *, state: State, release: Release, clock: Clock) -> None:
        self._state = state
        self._release = release
        self._catalog = release.catalog
        self._clock = clock

    def read(self, request: RecommendRequest, course: Course) -> Reader:
        """The reader of a request; an empty profile for a guest or while the state is away."""
        found: tuple[StoredProfile | None, int | None] = (None, None)
        version, received = 0, 0.0
        if request.user is not None:
            user = UserId(request.user)
            found = course.attempt("profile", lambda: self._state.profile(user), found)
        stored, newest = found
        if not course.attempt("items", lambda: self._catalog.refresh(newest), instead=True):
            course.fall_back("items")  # a burst: the rest is seen by the next requests
        profile = self._release.bundle.empty_profile()
        if stored is not None:
            version = stored.version
            known, received = from_stored(stored.body)
            # Vectors of two models are never mixed: what cannot be rebuilt now is left empty.
            instead = (
                known
                if known.model == self._release.version
                else self._release.bundle.without_state(known)
            )
            profile = course.attempt("items", lambda: self._release.present(known), instead)
        if request.context:
            before = profile
            profile = course.attempt("items", lambda: self._with_context(before, request), before)
        return Reader(profile, version, received)

    def _with_context(self, profile: Profile, request: RecommendRequest) -> Profile:
        now = self._clock.now()
        last = len(request.context) - 1
        interactions = []
        for place, one in enumerate(request.context):
            event = Event(
                id=EventId(f"context-{place}"),
                user=UserId(request.user or "guest"),
                item=ItemId(one.item),
                type=one.type,
                time=one.time if one.time is not None else now,
                value=one.value,
            )
            interactions.append(
                Interaction(
                    time=round(event.time.timestamp() * 1e6) - (last - place),
                    event=event_key(event.id),
                    item=item_key(one.item),
                    weight=weight_of(event),
                    type=EVENT_CODES[one.type],
                )
            )
        return self._release.fold(profile, interactions).profile
