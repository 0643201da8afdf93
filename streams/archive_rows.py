"""Messages of the logs and rows of the items table, as the archive's columns."""

from collections.abc import Sequence
from datetime import datetime

import msgspec
import polars as pl

from clickwise.archive.columns import EVENT_COLUMNS, EXPOSURE_COLUMNS, ITEM_COLUMNS, PLACE
from clickwise.codec import encode
from clickwise.events import Event
from clickwise.items import Item
from clickwise.merges import holds_merge
from clickwise.recommend.exposures import ExposureMessage
from clickwise.state.port import ItemRow
from clickwise.vectors.rows import picture_of, stored_vector
from streams.effects import is_place

# (offset, when it was received, what it says)
EventAt = tuple[int, datetime, Event]
ExposureAt = tuple[int, datetime, ExposureMessage]

_events = msgspec.json.Decoder(Event)
_exposures = msgspec.json.Decoder(ExposureMessage)
_items = msgspec.json.Decoder(Item)
_EVENT_FIELDS = tuple(name for name in EVENT_COLUMNS if name not in PLACE)
_ITEM_FIELDS = tuple(name for name in Item.__struct_fields__ if name in ITEM_COLUMNS)
_EXPOSURE_FIELDS = {n: t for n, t in EXPOSURE_COLUMNS.items() if n not in PLACE and n != "time"}
# Fields that a message leaves out when they are empty.
_LISTS = tuple(name for name, kind in _EXPOSURE_FIELDS.items() if isinstance(kind, pl.List))


def is_no_event(body: bytes) -> bool:
    """Whether a row of the embedded log is rightly none: a merge, or, where Kafka was the log for
    a while, a place in that one.
    """
    return holds_merge(body) or is_place(body)


def read_event(body: bytes) -> Event:
    """The event in a row of the embedded log; msgspec.MsgspecError when it is none."""
    return _events.decode(body)


def read_exposure(body: bytes) -> ExposureMessage:
    """The exposure in a message; msgspec.MsgspecError when it is none."""
    return _exposures.decode(body)


def events_frame(events: Sequence[EventAt], *, source: str, partition: int) -> pl.DataFrame:
    """Events of one partition, a row each."""
    columns = {name: [getattr(event, name) for _, _, event in events] for name in _EVENT_FIELDS}
    columns["type"] = [event.type.value for _, _, event in events]
    places = _places(events, source=source, partition=partition)
    return pl.DataFrame(columns | places, schema=dict(EVENT_COLUMNS))


def exposures_frame(
    exposures: Sequence[ExposureAt], *, source: str, partition: int
) -> pl.DataFrame:
    """Exposures of one partition, a row each; what was shown is nested, as it was logged."""
    bodies = pl.Series([encode(one).decode() for _, _, one in exposures], dtype=pl.String())
    columns = bodies.str.json_decode(pl.Struct(_EXPOSURE_FIELDS)).struct.unnest()
    places = _places(exposures, source=source, partition=partition)
    times = {"time": [one.time for _, _, one in exposures]}
    known = {name: kind for name, kind in EXPOSURE_COLUMNS.items() if name in (times | places)}
    return (
        columns.with_columns(pl.col(name).fill_null([]) for name in _LISTS)
        .hstack(pl.DataFrame(times | places, schema=known))
        .select(list(EXPOSURE_COLUMNS))
    )


def items_frame(rows: Sequence[ItemRow]) -> pl.DataFrame:
    """Items as they are now, a row each; of deleted ones the id and the change."""
    items = [None if row.body is None else _items.decode(row.body) for row in rows]
    columns: dict[str, Sequence[object]] = {
        name: [None if item is None else getattr(item, name) for item in items]
        for name in _ITEM_FIELDS
    }
    columns |= {
        "id": [row.id for row in rows],
        "change": [row.change for row in rows],
        "deleted": [item is None for item in items],
        "kind": [None if item is None else item.kind.value for item in items],
        "model": [row.model for row in rows],
        "vector": [row.vector for row in rows],
        "image_vector": [_picture(item) for item in items],
    }
    return pl.DataFrame(columns, schema=dict(ITEM_COLUMNS))


def _picture(item: Item | None) -> bytes | None:
    """The vector of its picture as the archive keeps vectors."""
    picture = picture_of(item) if item is not None else None
    return None if picture is None else stored_vector(picture.vector_P)


def _places(
    messages: Sequence[tuple[int, datetime, object]], *, source: str, partition: int
) -> dict[str, Sequence[object]]:
    return {
        "source": [source] * len(messages),
        "partition": [partition] * len(messages),
        "offset": [offset for offset, _, _ in messages],
        "received": [received for _, received, _ in messages],
    }
