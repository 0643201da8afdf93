"""Why a list was as it was, in terms that its user can check; from what was logged.

The events that count are measured, not told from the rule: the profile is folded again without
each of them, and the item is scored again. What moved the score most is named first.
"""

from datetime import datetime
from typing import Annotated

import msgspec
from msgspec import Meta

from clickwise.codec import SCHEMA_VERSION
from clickwise.types import EventType, ItemId, ItemKind, UserId


class Influence(msgspec.Struct, frozen=True, kw_only=True):
    """One event of the user, and what the item's score would be less without it."""

    type: EventType
    item: ItemId
    title: str
    time: datetime
    effect: Annotated[
        float, Meta(description="Score with all events, less the score without this one.")
    ]


class WhyItem(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One item of the list, and what it rests on."""

    item: ItemId
    title: Annotated[str, Meta(description="Empty: the item is gone.")]
    kind: ItemKind
    position: int
    score: Annotated[float, Meta(description="As it was logged.")]
    score_now: Annotated[
        float | None,
        Meta(description="Made again from the events of that time, with what is known today."),
    ] = None
    sources: tuple[str, ...] = ()
    reason: Annotated[str, Meta(description="Code of the reason that the list gave.")]
    text: Annotated[
        str, Meta(description="The same in words, in the language asked for; else the list's.")
    ]
    influences: Annotated[
        tuple[Influence, ...], Meta(description="The events that moved its score most.")
    ] = ()
    topics: Annotated[
        dict[str, float], Meta(description="Its topics that the user has a weight for.")
    ] = {}


class Why(msgspec.Struct, frozen=True, kw_only=True):
    """A logged list and its grounds."""

    request_id: str
    user: UserId | None
    time: Annotated[datetime, Meta(description="When the list was made.")]
    model: Annotated[str, Meta(description="The model that made it.")]
    measured_with: Annotated[str, Meta(description="The model that the effects are measured with.")]
    policy: str
    events_then: Annotated[int, Meta(description="Distinct events folded when it was made.")]
    events_kept: Annotated[int, Meta(description="Of those up to then, how many are still kept.")]
    events_left_out: Annotated[int, Meta(description="How many were left out in turn.")]
    degraded: tuple[str, ...]
    items: tuple[WhyItem, ...]
    schema_version: int = SCHEMA_VERSION
