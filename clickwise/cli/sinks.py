"""Where imported rows go: a running server, or straight through the embedded handlers."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol
from urllib.parse import quote

from clickwise.cli import handlers
from clickwise.cli.http import HttpSite
from clickwise.cli.wiring import Core
from clickwise.codec import JsonObject, encode
from clickwise.errors import InvalidInputError, NotFoundError, TooLargeError
from clickwise.events import Event, parse_event
from clickwise.items import Item, parse_item
from clickwise.masking import Masking, masking_of
from clickwise.types import ItemId
from streams.handlers import Arrival
from streams.items import apply_each

EVENTS_AT_ONCE = 1_000
ITEMS_AT_ONCE = 100
BYTES_AT_ONCE = 4_000_000  # a quarter of what a server takes by default
_VERDICTS = {"stale": "applied", "redelivered": "duplicate"}


@dataclass(frozen=True, slots=True)
class Result:
    """What became of one row."""

    verdict: str
    reason: str = ""


class Sink(Protocol):
    """Takes rows in batches; a result for each, in order."""

    def items(self, rows: Sequence[JsonObject]) -> list[Result]:
        """Put items."""
        ...

    def events(self, rows: Sequence[JsonObject]) -> list[Result]:
        """Post events."""
        ...

    @property
    def asked_at_most(self) -> int:
        """How many items `unknown` looks for in about a second."""
        ...

    def unknown(self, items: Sequence[str]) -> list[str]:
        """Those of these ids of which there is no item.

        Raises:
            ClickwiseError: it cannot be told.
        """
        ...


class HttpSink:
    """Over the HTTP interface, in requests that its server's limit on bodies lets through.

    The limit is the server's own setting: what it finds too large is sent again in halves.
    """

    asked_at_most = 100

    def __init__(self, site: HttpSite) -> None:
        self._site = site

    def items(self, rows: Sequence[JsonObject]) -> list[Result]:
        """See Sink."""
        return self._posted("/v1/items", "items", rows)

    def events(self, rows: Sequence[JsonObject]) -> list[Result]:
        """See Sink."""
        return self._posted("/v1/events", "events", rows)

    def unknown(self, items: Sequence[str]) -> list[str]:
        """See Sink; the key needs the scope `read`."""
        return [item for item in items if not self._has(item)]

    def _has(self, item: str) -> bool:
        try:
            self._site.get(f"/v1/items/{quote(item, safe='')}")
        except NotFoundError:
            return False
        return True

    def _posted(self, path: str, name: str, rows: Sequence[JsonObject]) -> list[Result]:
        return [
            result
            for part in cut_by_bytes(rows, BYTES_AT_ONCE)
            for result in self._halved(path, name, part)
        ]

    def _halved(self, path: str, name: str, rows: Sequence[JsonObject]) -> list[Result]:
        try:
            return [_told(one) for one in self._site.post(path, name, rows)]
        except TooLargeError as error:
            if len(rows) == 1:
                return [Result("refused", error.reason)]
        middle = len(rows) // 2
        return self._halved(path, name, rows[:middle]) + self._halved(path, name, rows[middle:])


class DirectSink:
    """In this process, with the handlers that a server would use."""

    asked_at_most = 10_000

    def __init__(self, core: Core) -> None:
        self._state = core.state
        self._clock = core.clock
        self._masking = masking_of(core.settings.mask)
        self._items = handlers.item_handler(core)
        self._events = handlers.embedded_event_handler(core)

    def items(self, rows: Sequence[JsonObject]) -> list[Result]:
        """See Sink."""
        received = self._clock.now()
        parsed = [_parsed_item(row, received, self._masking) for row in rows]
        good = [(item.id, item) for item in parsed if isinstance(item, Item)]
        faults = iter(apply_each(self._items, good) if good else ())
        found = [next(faults) if isinstance(item, Item) else item for item in parsed]
        return [
            Result("applied") if fault is None else Result("refused", str(fault)) for fault in found
        ]

    def events(self, rows: Sequence[JsonObject]) -> list[Result]:
        """See Sink."""
        received = self._clock.now()
        parsed = [_parsed_event(row, received) for row in rows]
        good = [event for event in parsed if isinstance(event, Event)]
        outcomes = iter(
            self._events.apply([Arrival(event=event, received=received) for event in good]).outcomes
            if good
            else ()
        )
        results = []
        for event in parsed:
            if isinstance(event, Event):
                outcome = next(outcomes)
                results.append(Result(_VERDICTS.get(outcome, outcome)))
            else:
                results.append(Result("refused", str(event)))
        return results

    def unknown(self, items: Sequence[str]) -> list[str]:
        """See Sink."""
        rows = ((item, self._state.item(ItemId(item))) for item in items)
        return [item for item, row in rows if row is None or row.body is None]


def cut_by_bytes(rows: Sequence[JsonObject], limit: int) -> Iterator[Sequence[JsonObject]]:
    """Rows in runs of at most `limit` bytes of JSON; a row that is larger is a run of its own."""
    start = size = 0
    for place, row in enumerate(rows):
        added = len(encode(row)) + 1  # and a comma
        if place > start and size + added > limit:
            yield rows[start:place]
            start, size = place, 0
        size += added
    if start < len(rows):
        yield rows[start:]


def _told(result: JsonObject) -> Result:
    reason = str(result.get("reason") or "")
    field = str(result.get("field") or "")
    return Result(str(result["verdict"]), f"{field}: {reason}" if field else reason)


def _parsed_item(row: JsonObject, received: datetime, masking: Masking) -> Item | InvalidInputError:
    try:
        return masking.item(parse_item(row, received=received)[0])
    except InvalidInputError as error:
        return error


def _parsed_event(row: JsonObject, received: datetime) -> Event | InvalidInputError:
    try:
        return parse_event(row, received=received)[0]
    except InvalidInputError as error:
        return error
