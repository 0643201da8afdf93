"""What is asked of the recommender, and what it answers: shared by HTTP, Kafka and the CLI."""

from datetime import datetime
from typing import Annotated

import msgspec
from msgspec import Meta

from clickwise.codec import SCHEMA_VERSION
from clickwise.recommend.why_words import LANGUAGES
from clickwise.types import EventType, ItemId, ItemKind, UserId
from clickwise.writing.shown import ItemText

MAX_LIMIT = 100
MAX_DEPTH = 1_000
MAX_EXCLUDED = 1_000
MAX_CURSOR_CHARACTERS = 6_000  # fits an address; about 1,100 items
MAX_CONTEXT_EVENTS = 50

IdText = Annotated[str, Meta(min_length=1, max_length=256)]


class ContextEvent(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Something that happened in the guest's visit, not stored anywhere."""

    item: Annotated[str, Meta(min_length=1, max_length=256)]
    type: EventType = EventType.CLICK
    value: float | None = None
    time: Annotated[
        Annotated[datetime, Meta(tz=True)] | None,
        Meta(description="Missing: now, in the order given."),
    ] = None


class RecommendRequest(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Which page of which list is wanted."""

    user: Annotated[
        IdText | None, Meta(description="Missing: a guest, known by `context` alone.")
    ] = None
    limit: Annotated[int, Meta(ge=1, le=MAX_LIMIT, description="Items on the page.")] = 10
    offset: Annotated[
        int,
        Meta(
            ge=0,
            le=MAX_DEPTH,
            description=(
                "Items to skip. The list is made anew for each page, so it can move with what"
                " others do; pages by `cursor` never repeat an item."
            ),
        ),
    ] = 0
    cursor: Annotated[
        Annotated[str, Meta(max_length=MAX_CURSOR_CHARACTERS)] | None,
        Meta(
            description="`next_cursor` of the page before: no repeats even if events came in.",
        ),
    ] = None
    kinds: Annotated[tuple[ItemKind, ...], Meta(max_length=5)] = ()
    topics: Annotated[tuple[IdText, ...], Meta(max_length=32)] = ()
    languages: Annotated[
        tuple[IdText, ...],
        Meta(
            max_length=16,
            description=(
                "Items in these alone, as they name their language, or as it was understood"
                " (`inferred_language`) where they name none. Reasons are told in the first"
                f" of them that we write ({', '.join(LANGUAGES)}), else in English."
            ),
        ),
    ] = ()
    exclude: Annotated[
        tuple[IdText, ...], Meta(max_length=MAX_EXCLUDED, description="Item ids to leave out.")
    ] = ()
    context: Annotated[tuple[ContextEvent, ...], Meta(max_length=MAX_CONTEXT_EVENTS)] = ()
    explain: Annotated[
        bool, Meta(description="Also say how many candidates were left out, and why.")
    ] = False


class Because(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One of the user's own events that the item rests on."""

    type: EventType
    item: ItemId
    title: str
    time: datetime


class Reason(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Why an item is in the list, in terms that the user can check.

    `code`: `interest` (close to what you engaged with: the items in `because`; none of them: it
    fits best, and is close to none), `co_clicked` (people with an item of yours went on to it),
    `topic` (a topic of yours), `trending`, `fresh`, `exploration`.
    """

    code: str
    text: str
    because: tuple[Because, ...] = ()
    topics: tuple[str, ...] = ()


class Recommended(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One item of the list."""

    item: ItemId
    kind: ItemKind
    title: Annotated[str, Meta(description="The item's own; `text` says what to show.")]
    topics: tuple[str, ...]
    score: float
    position: int
    sources: tuple[str, ...]
    propensity: Annotated[
        float, Meta(gt=0, le=1, description="Chance of being shown here, given this policy.")
    ]
    reason: Reason
    text: Annotated[
        ItemText | None,
        Meta(description="The words to show. Missing: by a server from before there were any."),
    ] = None


class Answer(msgspec.Struct, frozen=True, kw_only=True):
    """A list and what it rests on."""

    request_id: str
    user: UserId | None
    items: tuple[Recommended, ...]
    model: Annotated[str, Meta(description="Version of the model bundle that scored.")]
    policy: Annotated[str, Meta(description="Version of the ranking rules and settings.")]
    profile_version: Annotated[int, Meta(description="0: no profile yet.")]
    events_applied: Annotated[int, Meta(description="Distinct events folded so far.")]
    personalized: bool
    generated: datetime
    degraded: Annotated[
        tuple[str, ...], Meta(description="Stages that fell back to something cheaper.")
    ] = ()
    empty_reason: Annotated[str | None, Meta(description="Why the list is empty, when it is.")] = (
        None
    )
    next_cursor: str | None = None
    left_out: Annotated[
        dict[str, int] | None, Meta(description="Candidates left out, by reason (explain only).")
    ] = None
    schema_version: int = SCHEMA_VERSION


class SimilarItem(msgspec.Struct, frozen=True, kw_only=True):
    """An item near another one."""

    item: ItemId
    kind: ItemKind
    title: str
    topics: tuple[str, ...]
    score: float


class ProfileEvent(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """An event in the kept history."""

    type: EventType
    item: Annotated[ItemId | None, Meta(description="Missing while the item is unknown.")]
    time: datetime
    weight: float


class Interest(msgspec.Struct, frozen=True, kw_only=True):
    """One interest vector, told by the kept items nearest to it."""

    share: Annotated[float, Meta(ge=0, le=1, description="Of the user's present interest.")]
    nearest: tuple[ItemId, ...]


class ProfileView(msgspec.Struct, frozen=True, kw_only=True):
    """A user's profile as the site may see it."""

    user: UserId
    profile_version: int
    events_applied: int
    model: str
    interests: tuple[Interest, ...]
    topics: Annotated[dict[str, float], Meta(description="Topic weights u, decayed to now.")]
    words: Annotated[
        dict[str, float],
        Meta(description="Words that stand for them: of the items of the history, decayed to now."),
    ] = {}
    history: tuple[ProfileEvent, ...]
