"""Merges: a guest turns out to be a user, and what the guest did becomes the user's (ADR 13).

A message of the topic `events`, keyed by the guest, so that it comes after what the guest did
before: whoever reads the log again merges again.
"""

from datetime import UTC, datetime
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from clickwise.codec import SCHEMA_VERSION, JsonObject, check_schema_version, convert
from clickwise.errors import InvalidInputError
from clickwise.limits import check_id, parse_event_time
from clickwise.types import EventId, UserId

TYPE = "merge"


class Merge(msgspec.Struct, frozen=True, kw_only=True):
    """The guest `user` is the user `into`, and always was."""

    type: Literal["merge"] = "merge"
    id: Annotated[
        EventId,
        Meta(min_length=1, max_length=256, description="Unique id of the merge."),
    ]
    user: Annotated[
        UserId, Meta(min_length=1, max_length=256, description="The guest; also the key.")
    ]
    into: Annotated[
        UserId, Meta(min_length=1, max_length=256, description="The user that the guest is.")
    ]
    time: Annotated[datetime, Meta(tz=True, description="When that was learned.")]
    schema_version: Annotated[int, Meta(ge=1, description="Version of this message's schema.")] = (
        SCHEMA_VERSION
    )


class _Typed(msgspec.Struct):
    """The part of a message of `events` that says what it is."""

    type: str | None = None


_typed = msgspec.json.Decoder(_Typed)


def is_merge(data: JsonObject) -> bool:
    """Whether a message of `events` is no event but a merge."""
    return data.get("type") == TYPE


def holds_merge(body: bytes) -> bool:
    """The same of a message that is not decoded; what is no JSON is no merge."""
    try:
        return _typed.decode(body).type == TYPE
    except (msgspec.MsgspecError, UnicodeDecodeError):
        return False


def parse_merge(data: JsonObject, *, received: datetime, default_id: str) -> Merge:
    """The merge in `data`. A missing `time` is the time of receipt.

    Raises:
        InvalidInputError: with the path of the field.
    """
    check_schema_version(data)
    for name in ("user", "into"):
        if name in data:
            check_id(data[name], name)
    name = data.get("id") or default_id
    check_id(name, "id")
    time = data.get("time")
    moment = (
        received.astimezone(UTC) if time is None else parse_event_time(time, "time", now=received)
    )
    merge = convert({**data, "id": name, "time": moment}, Merge)
    check_two(merge.user, merge.into, field="into")
    return merge


def check_two(guest: str, user: str, *, field: str) -> None:
    """Refuse to merge somebody with themselves."""
    if guest == user:
        raise InvalidInputError("a user cannot be merged with itself", field=field)
