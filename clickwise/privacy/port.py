"""A place that keeps people's data: a port, so that an erasure forgets none of them.

`until` is the moment of an erasure. What is as old as that goes; what its user did later is a
new beginning, and stays.
"""

from collections.abc import Callable, Iterator, Sequence
from datetime import datetime
from typing import Protocol

import msgspec

from clickwise.codec import JsonObject
from clickwise.types import UserId

# True for the id of the person that is meant, by the id itself or by its hash in a receipt; and for
# that hash, where it stands in the id's place.
Whose = Callable[[str], bool]


class Erased(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What one store did. `left`: what it cannot erase itself, and `left_until` its latest end."""

    store: str
    records: int
    left: str = ""
    left_until: datetime | None = None


def together(some: Sequence[Erased]) -> Erased:
    """What one store did for several ids of one person."""
    ends = [one.left_until for one in some if one.left_until is not None]
    return Erased(
        store=some[0].store,
        records=sum(one.records for one in some),
        left=next((one.left for one in some if one.left), ""),
        left_until=max(ends, default=None),
    )


class PersonalStore(Protocol):
    """Calls raise UnavailableError when the store does not answer; they can be repeated."""

    @property
    def name(self) -> str:
        """As a receipt names it."""
        ...

    @property
    def tells(self) -> str:
        """What an export has of it, in words for its person; empty: nothing of its own."""
        ...

    def erase(self, user: UserId, *, until: datetime) -> Erased:
        """Erase what is of `user` and as old as `until`."""
        ...

    def export(self, user: UserId) -> Iterator[JsonObject]:
        """Every record of `user`."""
        ...

    def holds(self, whose: Whose, *, until: datetime) -> int:
        """How many records there are of somebody who is meant, as old as `until`."""
        ...
