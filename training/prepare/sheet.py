"""The data sheet: what a data set is like, in figures, and in words what to be wary of.

It names no user. It keeps the most popular items, so that the next sheet can say what drifted.
"""

from datetime import datetime

import msgspec

from clickwise.types import EventType
from training.prepare.drift import Drift
from training.prepare.quiet import QuietDays


class Intake(msgspec.Struct, frozen=True, kw_only=True):
    """What was lost on the way to a data set; see `DataSheet`."""

    duplicates: int = 0
    refused: int = 0
    lost: int = 0
    unknown: frozenset[str] = frozenset()


class HistoryLengths(msgspec.Struct, frozen=True, kw_only=True):
    """Users with `least` events or more, up to the next class, and the events of theirs."""

    least: int
    users: int
    events: int


class DataSheet(msgspec.Struct, frozen=True, kw_only=True):
    """One data set. Times are None where the source tells only the order.

    `duplicates`, `refused` (broken) and `lost` (forgotten by the log before they were archived,
    at most) are events that are not in it. An `unknown` item occurs in events only. A *share* is
    from 0 to 1.
    """

    name: str
    made: datetime
    first: datetime | None
    last: datetime | None
    events: int
    positive: int
    negative: int
    duplicates: int
    refused: int
    lost: int
    users: int
    items: int
    items_with_events: int
    items_unknown: int
    items_without_text: int
    items_with_vector: int
    events_on_unknown_share: float
    events_on_popular_share: float  # positive ones, on the most popular hundredth of the items
    largest_user_share: float
    event_types: dict[EventType, int]
    history_lengths: tuple[HistoryLengths, ...]
    languages: dict[str, int]
    kinds: dict[str, int]
    quiet: tuple[QuietDays, ...]
    popular: dict[str, int]
    others: int
    drift: Drift | None
    warnings: tuple[str, ...] = ()
