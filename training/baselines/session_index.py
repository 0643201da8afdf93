"""Past sessions, and for each item the newest of them that have it.

An index that grows event by event: whether sessions were there at the fit or came later makes
no difference. Recent means by the last event of a session.

Shape suffixes: I = items, N = sessions asked about.
"""

from array import array
from collections import deque
from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from clickwise.vectors.port import Int64Array


class SessionIndex:
    """Sessions as sets of items, numbered in the order in which they were opened."""

    def __init__(self, *, num_items: int, most_recent: int) -> None:
        """`most_recent` is m: how many sessions an item remembers."""
        self.counts_I = np.zeros(num_items)  # sessions that have the item, remembered or not
        self.num_pairs = 0
        self._items: list[dict[int, None]] = []  # a set that keeps its order
        self._stamps = array("q")
        self._sessions: list[deque[int]] = [deque(maxlen=most_recent) for _ in range(num_items)]
        self._stamp = 0

    def open(self) -> int:
        """A new session without items."""
        self._items.append({})
        self._stamps.append(self._stamp)
        return len(self._items) - 1

    def add(self, session: int, item: int) -> None:
        """An event of a session. Its items count once, where they came first."""
        self._stamp += 1
        self._stamps[session] = self._stamp
        if item in self._items[session]:
            return
        self._items[session][item] = None
        self._sessions[item].append(session)
        self.counts_I[item] += 1
        self.num_pairs += 1

    def forget(self, session: int) -> None:
        """Take a session out, as if it had never been."""
        for item in self._items[session]:
            if session in self._sessions[item]:
                self._sessions[item].remove(session)
            self.counts_I[item] -= 1
            self.num_pairs -= 1
        self._items[session] = {}

    def items_of(self, session: int) -> Mapping[int, None]:
        """Distinct items in the order of their first event."""
        return self._items[session]

    def sessions_of(self, item: int) -> Int64Array:
        """The newest sessions that have the item."""
        sessions = self._sessions[item]
        return np.fromiter(sessions, np.int64, len(sessions))

    def stamps(self, sessions_N: NDArray[np.intp]) -> Int64Array:
        """(N,) greater for a session whose last event is later."""
        stamps_N: Int64Array = np.frombuffer(self._stamps, np.int64)[sessions_N]
        return stamps_N
