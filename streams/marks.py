"""Up to where, in each partition of events, everybody whose profile changed has got a list.

Who waits for a list is known to one process alone, and goes with it. What it can leave behind is
an offset of each partition, before which nobody waits any more (`handover`).

Time is cut into turns. A turn is over once nobody waits since then or before; what had been read
of a partition by then is its mark. Pure; owned by one event loop.
"""

from collections.abc import Collection, Iterable, Mapping
from itertools import chain

from clickwise.types import UserId

# Beyond that the newest grows longer, so that its marks come later: somebody waits for very long.
MAX_TURNS = 256


class Marks:
    """Marks of the partitions that this process reads without a gap."""

    def __init__(self) -> None:
        self._turn = 0
        self._waiting: dict[UserId, int] = {}  # since which turn
        self._in_hand: dict[UserId, int] = {}
        self._reached: dict[int, dict[int, int]] = {}  # by turn: next offsets of partitions
        self._begun: set[int] = set()
        self._heard: dict[int, int] = {}
        self._marks: dict[int, int] = {}

    def wait(self, user: UserId) -> None:
        """Somebody's profile changed: a list is due."""
        self._waiting.setdefault(user, self._turn)

    def let_go(self, user: UserId) -> None:
        """Somebody waits no more, without a list."""
        self._waiting.pop(user, None)

    def take(self, users: Iterable[UserId]) -> None:
        """Lists for these are made from here on: who changes now waits for the next one."""
        for user in users:
            since = self._waiting.pop(user, self._turn)
            self._in_hand[user] = min(since, self._in_hand.get(user, since))

    def put_back(self, user: UserId) -> None:
        """There was no list for this one: it waits since it did before."""
        since = self._in_hand.pop(user, self._turn)
        self._waiting[user] = min(since, self._waiting.get(user, since))

    def done(self) -> None:
        """All in hand have their lists."""
        self._in_hand.clear()

    def begin(self, partition: int, offset: int) -> None:
        """From here on nothing of this partition is left out; who changed before waits already."""
        self._begun.add(partition)
        self._heard[partition] = offset  # below the one before where the database was put back
        self.reached({partition: offset})

    def leave(self, partitions: Collection[int]) -> None:
        """Somebody else may read these: what is reached there says nothing until they `begin`."""
        self._begun.difference_update(partitions)

    def reached(self, following: Mapping[int, int]) -> None:
        """Next offsets of partitions; who changed before them waits, or has a list."""
        found = self._reached.setdefault(self._turn, {})
        for partition, offset in following.items():
            if partition in self._begun:
                found[partition] = max(offset, found.get(partition, 0))
                self._heard[partition] = max(offset, self._heard[partition])

    def heard(self, partition: int) -> int:
        """The offset up to which this process knew of everybody, though another may have had the
        partition since: who changed before it waits here, or has a list.
        """
        return self._heard.get(partition, 0)

    def now(self) -> dict[int, int]:
        """The marks, by partition, and the next turn begins."""
        oldest = min(chain(self._waiting.values(), self._in_hand.values()), default=self._turn + 1)
        for turn in [turn for turn in self._reached if turn < oldest]:
            for partition, offset in self._reached.pop(turn).items():
                self._marks[partition] = max(offset, self._marks.get(partition, 0))
        if len(self._reached) < MAX_TURNS:
            self._turn += 1
        return dict(self._marks)
