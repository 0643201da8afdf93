"""What the HTTP door stands on: ports, given by whoever wires the process."""

from collections.abc import Awaitable, Callable, Collection, Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

from clickwise.clock import Clock
from clickwise.doors import EventDoor, ExposureLog, ItemDoor
from clickwise.privacy import Receipt
from clickwise.recommend.answers import Answer, ProfileView, RecommendRequest, SimilarItem
from clickwise.recommend.exposures import ExposureMessage
from clickwise.recommend.why import Why
from clickwise.settings import Settings
from clickwise.state.alias_port import Alias
from clickwise.state.key_port import NO_KEYS, KeyReader
from clickwise.state.port import ItemRow
from clickwise.state.understandings import UnderstandingStore
from clickwise.types import ItemId, UserId


@dataclass(frozen=True, slots=True)
class Health:
    """Whether one thing that this process needs works; `detail` says what is wrong, or empty."""

    name: str
    ok: bool
    detail: str = ""


class RecommenderPort(Protocol):
    """Answers in the one thread that asks it (`serving.turns`).

    Calls raise the errors of `clickwise.errors`.
    """

    def recommend(self, request: RecommendRequest) -> Answer:
        """The page that `request` asks for, with a `request_id` of its own."""
        ...

    def similar(self, item: ItemId, *, limit: int) -> tuple[SimilarItem, ...]:
        """Items near `item`, nearest first; NotFoundError when it is not known."""
        ...

    def profile(self, user: UserId) -> ProfileView:
        """A user's profile; NotFoundError when there is none."""
        ...

    def why(self, shown: ExposureMessage, *, language: str) -> Why:
        """The grounds of a list that was logged, told in `language`."""
        ...


class Lookups(Protocol):
    """The part of `clickwise.state.port.State` that requests read."""

    @property
    def understandings(self) -> UnderstandingStore:
        """What was understood of items."""
        ...

    def item(self, item: ItemId) -> ItemRow | None:
        """One item, None when unknown or deleted."""
        ...

    def profile_versions(self, users: Collection[UserId]) -> dict[UserId, int]:
        """Versions of those users that have a profile."""
        ...


class People(Protocol):
    """What is done for a person on request. To forget and to export are slow: every store is
    asked, in the caller's thread.
    """

    def pair(self, alias: Alias) -> Alias:
        """Note that a guest is a user; what is noted, maybe since before. ConflictError if another
        merge stands against it.
        """
        ...

    def forget(self, user: UserId) -> Receipt:
        """Erase everything of a user up to now."""
        ...

    def export(self, user: UserId) -> Iterator[bytes]:
        """Everything known of a user, as JSON lines; NotFoundError when that is nothing."""
        ...


async def nothing() -> None:
    """Start or stop nothing."""


@dataclass(frozen=True, slots=True)
class Parts:
    """Everything that one serving process is made of.

    `health` may ask the database: it runs in a thread, once at a time. `on_start` runs before
    the first request, `on_stop` after the last one and after every stream has ended.
    """

    settings: Settings
    recommender: RecommenderPort
    state: Lookups
    events: EventDoor
    items: ItemDoor
    exposures: ExposureLog
    people: People
    clock: Clock
    health: Callable[[], Sequence[Health]]
    keys: KeyReader = NO_KEYS
    on_start: Callable[[], Awaitable[None]] = nothing
    on_stop: Callable[[], Awaitable[None]] = nothing
