"""Events: what users did, as producers send it.

`parse_event` is the only way in: the HTTP door, the Kafka door and imports all call it.
"""

from datetime import UTC, datetime
from typing import Annotated

import msgspec
from msgspec import Meta

from clickwise.codec import SCHEMA_VERSION, JsonObject, check_schema_version, convert
from clickwise.errors import InvalidInputError
from clickwise.limits import MAX_POSITION, check_id, parse_event_time, shown
from clickwise.types import EventId, EventType, ItemId, UserId

MAX_DWELL_SECONDS = 86_400.0
RATING_RANGE = (1.0, 5.0)

IdText = Annotated[str, Meta(min_length=1, max_length=256)]


class Event(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One thing that one user did with one item."""

    id: Annotated[
        EventId,
        Meta(
            min_length=1,
            max_length=256,
            description="Unique id chosen by the producer; repeats have no effect.",
        ),
    ]
    user: Annotated[
        UserId,
        Meta(min_length=1, max_length=256, description="Opaque id of the user, or of a guest."),
    ]
    item: Annotated[ItemId, Meta(min_length=1, max_length=256, description="Id of the item.")]
    type: Annotated[EventType, Meta(description="What the user did.")]
    time: Annotated[
        datetime,
        Meta(
            tz=True,
            description=(
                "When it happened, by the producer's clock: RFC 3339 with an offset, or seconds"
                " since 1970. From 2000 to five minutes ahead."
            ),
        ),
    ]
    value: Annotated[
        float | None,
        Meta(
            description=(
                "view: seconds of dwell (0 to 86400); rating: 1 to 5 (required);"
                " purchase: amount (0 or more). Not used by other types."
            )
        ),
    ] = None
    session: Annotated[IdText | None, Meta(description="Visit it belongs to.")] = None
    request: Annotated[
        IdText | None, Meta(description="`request_id` of the answer that showed the item.")
    ] = None
    position: Annotated[
        Annotated[int, Meta(ge=0, le=MAX_POSITION)] | None,
        Meta(description="Place of the item in what was shown, from 0."),
    ] = None
    schema_version: Annotated[int, Meta(ge=1, description="Version of this message's schema.")] = (
        SCHEMA_VERSION
    )


EVENT_FIELDS = frozenset(Event.__struct_fields__)


def parse_event(
    data: JsonObject, *, received: datetime, default_id: str | None = None
) -> tuple[Event, int]:
    """The event in `data`, and how many unknown fields it had.

    A missing `time` is the time of receipt. A missing `id` is `default_id` where the door can
    give one that is the same after a redelivery, else an error.

    Raises:
        InvalidInputError: with the path of the field.
    """
    check_schema_version(data)
    for name in ("user", "item"):
        if name in data:
            check_id(data[name], name)
    for name in ("id", "session", "request"):
        if data.get(name) is not None:
            check_id(data[name], name)
    if not data.get("id"):
        if default_id is None:
            raise InvalidInputError("required field is missing", field="id")
        data = {**data, "id": default_id}
    time = data.get("time")
    moment = (
        received.astimezone(UTC) if time is None else parse_event_time(time, "time", now=received)
    )
    event = convert({**data, "time": moment}, Event)
    _check_value(event)
    return event, len(data.keys() - EVENT_FIELDS)


def _check_value(event: Event) -> None:
    value = event.value
    if event.type is EventType.RATING:
        low, high = RATING_RANGE
        if value is None or not low <= value <= high:
            raise InvalidInputError(
                f"a rating needs a value from {low:g} to {high:g}, got {shown(value)}",
                field="value",
            )
    elif value is None:
        return
    elif event.type is EventType.VIEW and not 0.0 <= value <= MAX_DWELL_SECONDS:
        raise InvalidInputError(
            f"dwell is 0 to {MAX_DWELL_SECONDS:g} seconds, got {shown(value)}", field="value"
        )
    elif not 0.0 <= value < 1e12:
        raise InvalidInputError(f"expected 0 or more, got {shown(value)}", field="value")
