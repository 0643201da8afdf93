"""A consumed record, and what its bytes turn out to be: a message, or a dead letter with a reason.

The reasons are a small closed set (they label a metric): `key`, `too_large`, `invalid`, `empty`,
and the kinds of `clickwise.errors` for what only a handler can see.
"""

from collections.abc import Mapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from typing import Protocol

import msgspec

from clickwise import metrics
from clickwise.codec import JsonObject, decode_object
from clickwise.errors import ClickwiseError, InvalidInputError
from clickwise.events import Event, parse_event
from clickwise.items import Item, parse_item
from clickwise.limits import check_id, shown
from clickwise.masking import masked
from clickwise.merges import Merge, is_merge, parse_merge
from clickwise.state.port import DeadLetter
from clickwise.types import ItemId

MAX_DETAIL_CHARACTERS = 500
REPLAY_HEADER = "replay-of"
MOMENT_HEADER = "set-aside"


class Record(msgspec.Struct, frozen=True, gc=False):
    """A record as it came from a topic; `timestamp` is in seconds since 1970.

    `replay_of` is the first place of a dead letter that was put back (`dead_letters.replay`), and
    `set_aside` when that became one, in the same unit; `trace` is the trace that its producer sent
    it in, a W3C `traceparent`.
    """

    topic: str
    partition: int
    offset: int
    key: bytes | None
    value: bytes | None
    timestamp: float
    replay_of: str | None = None
    trace: str | None = None
    set_aside: float | None = None

    @property
    def place(self) -> str:
        """Names what was written, the same after a redelivery and after a replay."""
        return self.replay_of or f"{self.topic}-{self.partition}-{self.offset}"

    @property
    def received(self) -> datetime:
        """When the log took it: the moment of receipt, the same after a redelivery."""
        return datetime.fromtimestamp(self.timestamp, UTC)


def replay_of(headers: Mapping[str, bytes]) -> tuple[str | None, float | None]:
    """`replay_of` and `set_aside` of a record with these headers; None: not there, or wrong."""
    place = headers.get(REPLAY_HEADER)
    if place is None:
        return None, None
    at: float | None = None
    with suppress(ValueError, OverflowError, OSError):
        at = datetime.fromtimestamp(float(headers.get(MOMENT_HEADER, b"")), UTC).timestamp()
    return place.decode(errors="replace"), at


class Fetched(Protocol):
    """The part of aiokafka's record that counts here; `timestamp` in milliseconds."""

    topic: str
    partition: int
    offset: int
    key: bytes | None
    value: bytes | None
    timestamp: int
    headers: Sequence[tuple[str, bytes]]


def fetched_record(record: Fetched) -> Record:
    """What aiokafka fetched, as a record of ours."""
    place, set_aside = replay_of(dict(record.headers))
    return Record(
        record.topic, record.partition, record.offset, record.key, record.value,
        record.timestamp / 1000.0, place, set_aside=set_aside,
    )  # fmt: skip


# Why a record is set aside: labels of `RefusedError`, and kinds of other faults of a record.
REASONS = ("invalid", "too_large", "not_found", "conflict", "empty", "key")


class RefusedError(InvalidInputError):
    """A record that can never be applied; `label`, of `REASONS`, is its dead letter's."""

    def __init__(self, label: str, message: str, *, field: str = "") -> None:
        super().__init__(message, field=field)
        self.label = label


def event_of(record: Record) -> Event | Merge:
    """The event or merge in a record of `events`, whose key has to be its user.

    Raises:
        InvalidInputError: with what is wrong, and where.
    """
    if record.value is None:
        raise RefusedError("empty", "an event has no value: events cannot be deleted")
    data = _timed(record, decode_object(record.value))
    if is_merge(data):
        merge = parse_merge(data, received=record.received, default_id=record.place)
        _check_key(record, merge.user)
        return merge
    event, unknown = parse_event(data, received=record.received, default_id=record.place)
    _check_key(record, event.user)
    if unknown:
        metrics.unknown_fields.labels("event").inc(unknown)
    return event


def _timed(record: Record, data: JsonObject) -> JsonObject:
    """Without a time of its own what is replayed is as old as the letter: it may be of somebody
    who was erased since.
    """
    if record.set_aside is None or data.get("time") is not None:
        return data
    return data | {"time": min(record.set_aside, record.timestamp)}


def _check_key(record: Record, user: str) -> None:
    if record.key != user.encode():
        raise RefusedError(
            "key",
            f"the key {shown(record.key)} is not the event's user {shown(user)}: events"
            " of one user must share a partition",
            field="user",
        )


def item_of(record: Record) -> tuple[ItemId, Item | None]:
    """The item in a record of `items` and its id; no item: it is to be deleted.

    Raises:
        InvalidInputError: with what is wrong, and where.
    """
    if record.key is None:
        raise RefusedError("key", "a record of items needs the item's id as its key")
    try:
        text = record.key.decode()
    except UnicodeDecodeError as error:
        raise RefusedError("key", f"the key is not UTF-8: {shown(record.key)}") from error
    item = ItemId(check_id(text, "key"))
    if record.value is None:
        return item, None
    parsed, unknown = parse_item(decode_object(record.value), received=record.received, item=item)
    if unknown:
        metrics.unknown_fields.labels("item").inc(unknown)
    return item, parsed


def dead_letter(record: Record, error: ClickwiseError, *, at: datetime) -> DeadLetter:
    """The record set aside, with the reason that `error` gives."""
    return DeadLetter(
        topic=record.topic,
        partition=record.partition,
        offset=record.offset,
        key=record.key,
        value=record.value,
        reason=error.label if isinstance(error, RefusedError) else error.kind,
        detail=masked(str(error)[:MAX_DETAIL_CHARACTERS]),
        at=at,
    )
