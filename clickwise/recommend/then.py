"""Which events a logged list could rest on, also where a guest became a user since (ADR 13). Pure.

A merge puts the guest's events among the user's. The guest's list knew none of the user's own, and
the user's list from before the merge none of the guest's: neither is told of the other.
"""

from collections.abc import Sequence
from datetime import datetime

import numpy as np

from clickwise.profile import MICROSECONDS
from clickwise.profile.window import History
from clickwise.state.alias_port import Move
from clickwise.types import EventKey, UserId


def users_then(history: History, user: UserId, time: datetime, moves: Sequence[Move]) -> History:
    """Of a user's history what a list of theirs, made at `time`, could rest on.

    `moves` are of merges of theirs: those applied after the list brought events that it did not
    know, whenever they were asked for.
    """
    later = [key for one in moves if one.user == user and one.applied > time for key in one.events]
    kept = _until(history, time)
    return kept[~_among(kept, later)]


def guests_then(history: History, time: datetime, moves: Sequence[Move]) -> History:
    """Of the user's history what the guest's list could rest on, before `moves`, which are of that
    guest alone, made them one.
    """
    kept = _until(history, time)
    return kept[_among(kept, [key for one in moves for key in one.events])]


def _until(history: History, time: datetime) -> History:
    kept: History = history[history["time"] <= round(time.timestamp() * MICROSECONDS)]
    return kept


def _among(
    history: History, keys: Sequence[EventKey]
) -> np.ndarray[tuple[int], np.dtype[np.bool_]]:
    found: np.ndarray[tuple[int], np.dtype[np.bool_]] = np.isin(
        history["event"], np.array(keys, np.int64)
    )
    return found
