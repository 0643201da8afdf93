"""The doors behind the HTTP interface: where accepted events and items go.

`serving` calls these ports and does not know which engine runs. `streams` implements them
twice: in process (`streams.embedded`) and over Kafka (`streams.kafka_doors`); the CLI wires one.
All are asynchronous, bounded, and durable before they return.
"""

import enum
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from clickwise.errors import InvalidInputError
from clickwise.events import Event
from clickwise.items import Item
from clickwise.merges import Merge
from clickwise.types import ItemId


class Verdict(enum.StrEnum):
    """What became of one event or item."""

    APPLIED = "applied"  # it is in the profile (embedded)
    ACCEPTED = "accepted"  # it is durable in Kafka and will be applied
    DUPLICATE = "duplicate"  # its id was seen before; no effect
    REFUSED = "refused"  # it breaks its schema; the reason says how
    DELETED = "deleted"


@dataclass(frozen=True, slots=True)
class Exposure:
    """What one answer showed, as JSON, keyed by its user."""

    user: str
    body: bytes


class EventDoor(Protocol):
    """Takes valid events."""

    async def post(self, events: Sequence[Event]) -> list[Verdict]:
        """Make events durable (and apply them, embedded); a verdict for each, in order.

        Raises:
            OverloadedError: the queue is full.
            UnavailableError: the log cannot be written; nothing was accepted.
        """
        ...

    async def merge(self, merge: Merge) -> Verdict:
        """Make a merge durable, after all events of its guest that were posted before.

        Raises:
            OverloadedError: the queue is full.
            UnavailableError: the log cannot be written; it was not accepted.
        """
        ...


class ItemDoor(Protocol):
    """Takes valid items."""

    async def put(self, items: Sequence[Item]) -> Sequence[Verdict | InvalidInputError]:
        """Store, encode and index items. Embedded: findable when this returns.

        An item that is found wrong only then (a picture that cannot be decoded) has its fault in
        place of a verdict, and costs the others nothing.
        """
        ...

    async def delete(self, items: Sequence[ItemId]) -> list[Verdict]:
        """Remove items from every source of candidates."""
        ...


class ExposureLog(Protocol):
    """Takes what was shown, and finds it again."""

    def add(self, exposure: Exposure) -> None:
        """Queue one exposure; never waits, never raises. Over its bound it drops and counts."""
        ...

    async def find(self, request: str) -> bytes | None:
        """The JSON of one exposure by its request id, as long as the log keeps it.

        None: it is not in the log, or not yet (exposures are written shortly after the answer).

        Raises:
            UnavailableError: the log cannot be read.
            OverloadedError: another one is being looked for.
        """
        ...
