"""A site in memory: the doors and a plain recommender, for tests of what stands before them.

They keep the promises of `clickwise.doors` and `clickwise.state.port`: verdicts in order, ids
deduplicated, all or nothing when the log is away, an exposure log that never waits. Setting
`fault` makes the next calls raise it.
"""

import threading
from collections.abc import Collection, Iterator, Sequence
from datetime import datetime

from clickwise import codec, metrics
from clickwise.clock import Clock
from clickwise.doors import Exposure, Verdict
from clickwise.errors import ClickwiseError, ConflictError, NotFoundError
from clickwise.events import Event
from clickwise.items import Item
from clickwise.merges import Merge
from clickwise.privacy import Erased, Receipt
from clickwise.recommend.answers import (
    Answer,
    Because,
    ProfileEvent,
    ProfileView,
    Reason,
    Recommended,
    RecommendRequest,
    SimilarItem,
)
from clickwise.recommend.exposures import ExposureMessage, is_of
from clickwise.recommend.why import Why, WhyItem
from clickwise.state.alias_port import Alias, refusal
from clickwise.state.port import ItemRow
from clickwise.state.understandings import DueItem, Neighbor, StoredUnderstanding
from clickwise.types import EventId, ItemId, ItemKey, ModelVersion, UserId, item_key

MODEL = ModelVersion("fake-1")
HANG_SECONDS = 30.0  # of a list at most, so that a test that fails ends


class MemoryEventDoor:
    """Event door that applies at once; `verdict` ACCEPTED plays the log of a broker."""

    def __init__(self, *, verdict: Verdict = Verdict.APPLIED) -> None:
        self.fault: ClickwiseError | None = None
        self.events: list[Event] = []
        self.merges: list[Merge] = []
        self._verdict = verdict
        self._ids: set[EventId] = set()

    async def post(self, events: Sequence[Event]) -> list[Verdict]:
        """See EventDoor."""
        if self.fault is not None:
            raise self.fault
        verdicts = []
        for event in events:
            if event.id in self._ids:
                verdicts.append(Verdict.DUPLICATE)
                continue
            self._ids.add(event.id)
            self.events.append(event)
            verdicts.append(self._verdict)
        return verdicts

    async def merge(self, merge: Merge) -> Verdict:
        """See EventDoor; the events stay as they came."""
        if self.fault is not None:
            raise self.fault
        self.merges.append(merge)
        return self._verdict

    def of(self, user: str) -> list[Event]:
        """The events of one user, in order of arrival."""
        return [event for event in self.events if event.user == user]


class MemoryItemDoor:
    """Item door over a dict; an item can be found when `put` returns."""

    def __init__(self) -> None:
        self.fault: ClickwiseError | None = None
        self.items: dict[ItemId, Item] = {}

    async def put(self, items: Sequence[Item]) -> list[Verdict]:
        """See ItemDoor."""
        if self.fault is not None:
            raise self.fault
        self.items.update({item.id: item for item in items})
        return [Verdict.APPLIED for _ in items]

    async def delete(self, items: Sequence[ItemId]) -> list[Verdict]:
        """See ItemDoor."""
        if self.fault is not None:
            raise self.fault
        for item in items:
            self.items.pop(item, None)
        return [Verdict.DELETED for _ in items]


class MemoryExposureLog:
    """Exposure log that keeps at most `limit`, then drops and counts."""

    def __init__(self, *, limit: int = 1_000) -> None:
        self.exposures: list[Exposure] = []
        self._limit = limit

    def add(self, exposure: Exposure) -> None:
        """See ExposureLog."""
        if len(self.exposures) < self._limit:
            self.exposures.append(exposure)
        else:
            metrics.dropped.labels("exposures").inc()

    async def find(self, request: str) -> bytes | None:
        """See ExposureLog."""
        for exposure in self.exposures:
            if is_of(exposure.body, request):
                return exposure.body
        return None


class MemoryUnderstandings:
    """See UnderstandingStore: what a test put in, and nothing that is due."""

    def __init__(self) -> None:
        self.rows: dict[ItemKey, StoredUnderstanding] = {}

    def due(
        self, methods: str, model: ModelVersion, *, after: int, until: int, limit: int
    ) -> list[DueItem]:
        """See UnderstandingStore."""
        del methods, model, after, until, limit
        return []

    def count_due(self, methods: str, *, after: int, until: int) -> int:
        """See UnderstandingStore."""
        del methods, after, until
        return 0

    def put(self, rows: Sequence[StoredUnderstanding]) -> set[ItemKey]:
        """See UnderstandingStore; whatever the items are."""
        self.rows.update({row.key: row for row in rows})
        return {row.key for row in rows}

    def of(self, keys: Collection[ItemKey]) -> dict[ItemKey, StoredUnderstanding]:
        """See UnderstandingStore."""
        return {key: self.rows[key] for key in keys if key in self.rows}

    def neighbors(self, key: ItemKey, *, limit: int) -> list[Neighbor]:
        """See UnderstandingStore."""
        del key, limit
        return []


class MemoryLookups:
    """What requests read of the state: items, and the number of a user's events as version."""

    def __init__(self, events: MemoryEventDoor, items: MemoryItemDoor) -> None:
        self.fault: ClickwiseError | None = None
        self.understandings = MemoryUnderstandings()
        self._events = events
        self._items = items

    def item(self, item: ItemId) -> ItemRow | None:
        """See State."""
        if self.fault is not None:
            raise self.fault
        stored = self._items.items.get(item)
        if stored is None:
            return None
        body = codec.encode(stored)
        return ItemRow(key=item_key(item), id=item, body=body, change=1, model=MODEL, vector=None)

    def profile_versions(self, users: Collection[UserId]) -> dict[UserId, int]:
        """See State."""
        if self.fault is not None:
            raise self.fault
        versions = {user: len(self._events.of(user)) for user in users}
        return {user: version for user, version in versions.items() if version}


class FakeRecommender:
    """Newest items first, without those that the user has touched. No model, no vectors.

    While `free` is cleared, lists hang; `hanging` is set once one does.
    """

    def __init__(self, events: MemoryEventDoor, items: MemoryItemDoor, clock: Clock) -> None:
        self.fault: Exception | None = None
        self.asked: list[RecommendRequest] = []
        self.refused = 0
        self.hanging = threading.Event()
        self.free = threading.Event()
        self.free.set()
        self._events = events
        self._items = items
        self._clock = clock

    def recommend(self, request: RecommendRequest) -> Answer:
        """A page of the items that the filters allow."""
        if not self.free.is_set():
            self.hanging.set()
            self.free.wait(HANG_SECONDS)
        if self.fault is not None:
            self.refused += 1
            raise self.fault
        self.asked.append(request)
        history = self._events.of(request.user) if request.user else []
        touched = {event.item for event in history} | {event.item for event in request.context}
        left = [
            item
            for item in reversed(self._items.items.values())
            if item.id not in touched and not item.hidden and _wanted(item, request)
        ]
        page = left[request.offset : request.offset + request.limit]
        return Answer(
            request_id=f"fake-{len(self.asked)}",
            user=UserId(request.user) if request.user else None,
            items=tuple(
                self._recommended(item, request.offset + place, history)
                for place, item in enumerate(page)
            ),
            model=MODEL,
            policy="newest",
            profile_version=len(history),
            events_applied=len(history),
            personalized=bool(history),
            generated=self._clock.now(),
            empty_reason=None
            if page
            else ("no_items" if not self._items.items else "all_left_out"),
            left_out={"seen": len(touched)} if request.explain else None,
        )

    def similar(self, item: ItemId, *, limit: int) -> tuple[SimilarItem, ...]:
        """Other items, newest first."""
        if self.fault is not None:
            raise self.fault
        if item not in self._items.items:
            raise NotFoundError("there is no such item")
        others = [other for other in reversed(self._items.items.values()) if other.id != item]
        return tuple(
            SimilarItem(item=o.id, kind=o.kind, title=o.title, topics=o.topics, score=0.5)
            for o in others[:limit]
        )

    def profile(self, user: UserId) -> ProfileView:
        """The user's events."""
        if self.fault is not None:
            raise self.fault
        history = self._events.of(user)
        if not history:
            raise NotFoundError("there is no profile of this user")
        return ProfileView(
            user=user,
            profile_version=len(history),
            events_applied=len(history),
            model=MODEL,
            interests=(),
            topics={},
            history=tuple(
                ProfileEvent(type=e.type, item=e.item, time=e.time, weight=1.0) for e in history
            ),
        )

    def why(self, shown: ExposureMessage, *, language: str) -> Why:
        """What was logged, and nothing measured."""
        if self.fault is not None:
            raise self.fault
        return Why(
            request_id=shown.request_id,
            user=shown.user,
            time=shown.time,
            model=shown.model,
            measured_with=MODEL,
            policy=shown.policy,
            events_then=shown.events_applied,
            events_kept=0,
            events_left_out=0,
            degraded=shown.degraded,
            items=tuple(
                WhyItem(
                    item=one.item, title="", kind=one.kind, position=one.position,
                    score=one.score, sources=one.sources, reason=one.reason, text=language,
                )
                for one in shown.items
            ),
        )  # fmt: skip

    def _recommended(self, item: Item, position: int, history: Sequence[Event]) -> Recommended:
        return Recommended(
            item=item.id,
            kind=item.kind,
            title=item.title,
            topics=item.topics,
            score=1.0 / (1 + position),
            position=position,
            sources=("fresh",),
            propensity=1.0,
            reason=Reason(code="fresh", text="New", because=_because(history[-1:])),
        )


class MemoryPeople:
    """Erases and tells what the event door has taken; `fault` plays a store that is away."""

    def __init__(self, events: MemoryEventDoor, clock: Clock) -> None:
        self.fault: ClickwiseError | None = None
        self.aliases: list[Alias] = []
        self._events = events
        self._clock = clock

    def pair(self, alias: Alias) -> Alias:
        """See People."""
        if self.fault is not None:
            raise self.fault
        why = refusal(alias, self.aliases)
        if why:
            raise ConflictError(why)
        for known in self.aliases:
            if known.guest == alias.guest:
                return known
        self.aliases.append(alias)
        return alias

    def forget(self, user: UserId) -> Receipt:
        """See People."""
        if self.fault is not None:
            raise self.fault
        own = self._events.of(user)
        self._events.events = [one for one in self._events.events if one.user != user]
        erased = Erased(store="events", records=len(own))
        return Receipt(user="hashed", forgotten=self._clock.now(), stores=(erased,), seal="sealed")

    def export(self, user: UserId) -> Iterator[bytes]:
        """See People."""
        if self.fault is not None:
            raise self.fault
        own = self._events.of(user)
        if not own:
            raise NotFoundError(f"nothing is known of user {user!a}")
        return (codec.encode(event) + b"\n" for event in own)


class MemorySite:
    """All of it wired together, as one site."""

    def __init__(self, clock: Clock, *, verdict: Verdict = Verdict.APPLIED) -> None:
        self.clock = clock
        self.events = MemoryEventDoor(verdict=verdict)
        self.items = MemoryItemDoor()
        self.exposures = MemoryExposureLog()
        self.lookups = MemoryLookups(self.events, self.items)
        self.recommender = FakeRecommender(self.events, self.items, clock)
        self.people = MemoryPeople(self.events, clock)


class StoppedClock:
    """A clock that moves only when a test moves it."""

    def __init__(self, now: datetime) -> None:
        self.time = now

    def now(self) -> datetime:
        """See Clock."""
        return self.time

    def monotonic(self) -> float:
        """See Clock."""
        return self.time.timestamp()


def _wanted(item: Item, request: RecommendRequest) -> bool:
    return (
        item.id not in request.exclude
        and (not request.kinds or item.kind in request.kinds)
        and (not request.topics or bool(set(item.topics) & set(request.topics)))
        and (not request.languages or item.language in request.languages)
    )


def _because(events: Sequence[Event]) -> tuple[Because, ...]:
    return tuple(Because(type=e.type, item=e.item, title="", time=e.time) for e in events)
