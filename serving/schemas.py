"""The JSON that only the HTTP interface speaks: verdicts, errors, health.

Events, items and answers are types of `clickwise`; what is here wraps them.
"""

from typing import Annotated

import msgspec
from msgspec import Meta

from clickwise.doors import Verdict
from clickwise.items import Item
from clickwise.recommend.answers import SimilarItem
from clickwise.types import EventId, ItemId, UserId


class ErrorBody(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Why a request failed."""

    error: Annotated[str, Meta(description="One word; the same in metrics and logs.")]
    message: Annotated[str, Meta(description="What is wrong, and what was expected.")]
    field: Annotated[
        str | None, Meta(description="Path of what is wrong, or the query parameter.")
    ] = None
    request_id: Annotated[str, Meta(description="As in the header X-Request-Id.")]


class Result(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What became of one event or item."""

    id: Annotated[
        str | None, Meta(description="Its id, given or made; null if it had no valid one.")
    ]
    verdict: Verdict
    reason: Annotated[str | None, Meta(description="Why it was refused.")] = None
    field: Annotated[str | None, Meta(description="Path of what is wrong in it.")] = None


class Results(msgspec.Struct, frozen=True, kw_only=True):
    """A verdict for each event or item, in the order sent."""

    results: tuple[Result, ...]


class Refusal(ErrorBody, frozen=True, kw_only=True, omit_defaults=True):
    """Nothing was taken: the first fault, and a verdict for each event or item."""

    results: tuple[Result, ...] = ()


class Guest(msgspec.Struct, frozen=True, kw_only=True):
    """The guest that turned out to be the user."""

    guest: Annotated[
        UserId,
        Meta(min_length=1, max_length=256, description="Id of the guest in events."),
    ]
    id: Annotated[
        str | None,
        Meta(description="Unique id of the merge, for who asks again; missing: one is made."),
    ] = None


class Merged(msgspec.Struct, frozen=True, kw_only=True):
    """A guest is a user from now on. `id` is that of the first such merge."""

    id: EventId
    guest: UserId
    user: UserId
    verdict: Verdict


class ItemBatch(msgspec.Struct, frozen=True, kw_only=True):
    """Many items in one request."""

    items: tuple[Item, ...]


class SimilarItems(msgspec.Struct, frozen=True, kw_only=True):
    """The items nearest to one item, nearest first."""

    item: ItemId
    items: tuple[SimilarItem, ...]


class Alive(msgspec.Struct, frozen=True, kw_only=True):
    """This process answers."""

    status: str = "ok"


class Check(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that this process needs."""

    name: str
    ok: bool
    detail: Annotated[
        str,
        Meta(
            description="What is wrong; empty when all is well, or where a key is needed to see it."
        ),
    ]


class Readiness(msgspec.Struct, frozen=True, kw_only=True):
    """Whether this process can serve, and what is wrong if it cannot."""

    ready: bool
    checks: tuple[Check, ...]
