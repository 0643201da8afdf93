"""Which events a profile is a fold of: the newest N, reaching back to an anchor.

A strict window of the newest N would have to be folded anew at every event, since one event
leaves at the old end. So the window starts at an *anchor*: an event whose key is divisible by
`anchor_every` (content-defined, as in content-defined chunking: Muthitacharoen et al., LBFS,
2001). The start is the newest anchor that still leaves N events; it moves about once in
`anchor_every` events, and only then is the window folded anew. Without an anchor in reach the
window slides strictly at `Rules.longest`.

The window depends on the *set* of events alone, not on the order in which they came:
events are ordered by (time, key), and adding one can only move the start forward, so whatever
was dropped would be outside of every later window as well (ADR 2).
"""

from typing import cast

import numpy as np
from numpy.typing import NDArray

from clickwise.profile.rules import Rules

# time: microseconds since 1970; type: EVENT_CODES, plus UNKNOWN while the item is not known.
ENTRY = np.dtype(
    [("time", "<i8"), ("event", "<i8"), ("item", "<i8"), ("weight", "<f4"), ("type", "u1")]
)
UNKNOWN = 0x80

History = NDArray[np.void]


def empty() -> History:
    """No events."""
    return np.empty(0, ENTRY)


def joined(history: History, more: History) -> History:
    """Both, one after the other (as bytes: numpy takes long to agree on a joint record type)."""
    return np.frombuffer(bytearray(history.tobytes() + more.tobytes()), ENTRY)


def entry(history: History, index: int) -> tuple[int, int, int, float, int]:
    """The event at `index`, as ENTRY names its fields."""
    return cast("tuple[int, int, int, float, int]", history.item(index))


def place(history: History, index: int) -> tuple[int, int]:
    """Time and key of the event at `index`: what the order goes by."""
    time, event, *_ = entry(history, index)
    return time, event


def ordered(history: History) -> History:
    """The same events by (time, key)."""
    order = np.lexsort((history["event"], history["time"]))
    return history if bool((order[1:] > order[:-1]).all()) else history[order]


def start(history: History, rules: Rules) -> int:
    """Index of the first event that the window keeps; `history` is ordered."""
    spare = len(history) - rules.history
    if spare <= 0:
        return 0
    lowest = max(0, len(history) - rules.longest)
    anchors = np.flatnonzero((history["event"][lowest : spare + 1] & (rules.anchor_every - 1)) == 0)
    return lowest + int(anchors[-1]) if len(anchors) else lowest
