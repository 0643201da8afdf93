"""What every reader gives: raw objects with the place that they came from.

Readers map columns to field names and change nothing else; `parse_item` and `parse_event` say
what is wrong, as they do for the HTTP and Kafka doors.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from clickwise.codec import JsonObject


@dataclass(frozen=True, slots=True)
class Row:
    """One object; `place` is file and line, for whoever has to mend it.

    A line that cannot be read at all has a `fault` instead of `data`.
    """

    place: str
    data: JsonObject
    fault: str = ""


@dataclass(frozen=True, slots=True)
class Feed:
    """Items, then events in order of time. The sizes are what a progress bar counts to.

    `newest` is the time of the last event in seconds since 1970 (None: not known, no events).
    """

    items: Callable[[], Iterator[Row]]
    events: Callable[[], Iterator[Row]]
    num_items: int
    num_events: int
    newest: float | None = None
    notes: tuple[str, ...] = field(default=())


def nothing() -> Iterator[Row]:
    """No rows."""
    return iter(())
