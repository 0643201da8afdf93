"""Items and events as readers give them become the columns that training reads.

Events are taken as they are: no limit on how long ago they happened (MovieLens is older than
any event that the doors would take), and no profile. What their weights are, `profile` says.
"""

from collections.abc import Iterable
from datetime import UTC, datetime
from functools import cache

import numpy as np

from clickwise.codec import JsonObject
from clickwise.errors import ConfigurationError, InvalidInputError
from clickwise.events import Event
from clickwise.imports.feed import Feed, Row
from clickwise.items import Item, parse_item
from clickwise.limits import parse_time
from clickwise.profile import weight_of
from clickwise.text import item_text
from clickwise.types import EVENT_CODES, EventId, EventType, ItemId, UserId
from training.data import Dataset, Items, Log, UInt8Array

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def read_feed(name: str, feed: Feed) -> Dataset:
    """What an importer reads, as a data set (see `read_rows`)."""
    return read_rows(name, items=feed.items(), events=feed.events())


def read_rows(name: str, *, items: Iterable[Row], events: Iterable[Row]) -> Dataset:
    """The data set of these rows.

    Of an item given twice the later one stands, of an event given twice (by id) the first.
    Items that only events know follow the others, without title and text. Users are numbered
    in the order of their first event.

    Raises:
        ConfigurationError: a row cannot be read; says where it is.
    """
    catalog = _Catalog()
    for row in items:
        catalog.add(row)
    columns = _Columns(catalog)
    for row in events:
        columns.add(row)
    return Dataset(name, columns.log(), catalog.items(), tuple(columns.users))


class _Catalog:
    """Items by id, numbered in the order in which their ids were first met."""

    def __init__(self) -> None:
        self.places: dict[str, int] = {}
        self._items: list[Item | None] = []

    def add(self, row: Row) -> None:
        try:
            item, _ = parse_item(_sound(row), received=_EPOCH)
        except InvalidInputError as error:
            raise ConfigurationError(f"{row.place}: {error}") from error
        self._items[self.place(item.id)] = item

    def place(self, item: str) -> int:
        place = self.places.setdefault(item, len(self._items))
        if place == len(self._items):
            self._items.append(None)
        return place

    def items(self) -> Items:
        known = self._items
        return Items(
            ids=tuple(self.places),
            titles=tuple(item.title if item else "" for item in known),
            topics=tuple(item.topics if item else () for item in known),
            kinds=tuple(str(item.kind) if item else "" for item in known),
            languages=tuple((item.language or "") if item else "" for item in known),
            # A missing time of publication is the time of receipt, here 1970.
            published_I=np.array([_published(item) for item in known], np.float64),
            texts=tuple(item_text(item) if item else "" for item in known),
        )


class _Columns:
    """Events in columns, in the order of the source until `log`."""

    def __init__(self, catalog: _Catalog) -> None:
        self.users: dict[str, int] = {}
        self._catalog = catalog
        self._ids: set[str] = set()
        self._columns: tuple[list[int], list[int], list[int], list[float], list[float]]
        self._columns = ([], [], [], [], [])

    def add(self, row: Row) -> None:
        data = _sound(row)
        try:
            event_type = EventType(data["type"])
            event, user, item = str(data["id"]), str(data["user"]), str(data["item"])
            time = _seconds(data["time"])
            weight = _weight(event_type, data.get("value"))
        except (KeyError, ValueError, TypeError) as error:
            raise ConfigurationError(f"{row.place}: no such event: {error}") from error
        if event in self._ids:
            return
        self._ids.add(event)
        users, items, types, weights, times = self._columns
        users.append(self.users.setdefault(user, len(self.users)))
        items.append(self._catalog.place(item))
        types.append(EVENT_CODES[event_type])
        weights.append(weight)
        times.append(time)

    def log(self) -> Log:
        users, items, types, weights, times = self._columns
        times_N = np.array(times, np.float64)
        log = Log(
            np.array(users, np.int32),
            np.array(items, np.int32),
            np.array(types, np.uint8),
            np.array(weights, np.float32),
            times_N,
        )
        return log.take(np.argsort(times_N, kind="stable"))


def flat_log(users: list[int], items: list[int], times: list[float]) -> Log:
    """Clicks of weight 1, put in order of time (ties: as they came)."""
    log = Log(
        np.array(users, np.int32),
        np.array(items, np.int32),
        _clicks(len(users)),
        np.ones(len(users), np.float32),
        np.array(times, np.float64),
    )
    return log.take(np.argsort(log.times_N, kind="stable"))


def _clicks(number: int) -> UInt8Array:
    return np.full(number, EVENT_CODES[EventType.CLICK], np.uint8)


def _sound(row: Row) -> JsonObject:
    if row.fault:
        raise ConfigurationError(f"{row.place}: {row.fault}")
    return row.data


def _published(item: Item | None) -> float:
    return item.published.timestamp() if item and item.published else 0.0


def _seconds(time: object) -> float:
    return float(time) if isinstance(time, int | float) else parse_time(time, "time").timestamp()


@cache
def _weight(event_type: EventType, value: float | None) -> float:
    return weight_of(
        Event(
            id=EventId("-"),
            user=UserId("-"),
            item=ItemId("-"),
            type=event_type,
            time=_EPOCH,
            value=value,
        )
    )
