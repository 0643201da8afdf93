"""The part of the state that knows whom the site was told to forget."""

from collections.abc import Callable, Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Literal, Protocol

from clickwise.types import EventKey, UserId

Erasable = Literal["events", "exposures", "dead_letters"]
# Keys of the events that a stored profile's bytes keep.
EventsOf = Callable[[bytes], Collection[EventKey]]


@dataclass(frozen=True, slots=True)
class ErasedProfile:
    """What went with a profile: it (0 or 1), and rows of the events that it kept."""

    profiles: int
    events: int


class People(Protocol):
    """Erasing people, and remembering that they are. Calls raise UnavailableError."""

    def name_of(self, user: str) -> str:
        """A keyed hash of the id: what stands for a person who is forgotten. 32 characters."""
        ...

    def seal(self, content: bytes) -> str:
        """A keyed checksum, which only this database's key can make. 64 characters."""
        ...

    def any_forgotten(self) -> bool:
        """True once anybody was forgotten."""
        ...

    def forgotten(self, users: Collection[UserId]) -> dict[UserId, datetime]:
        """Up to when those of `users` are forgotten who are."""
        ...

    def forget(self, user: UserId, *, until: datetime, events_of: EventsOf) -> ErasedProfile:
        """Note that the user is forgotten and erase the profile, in one transaction.

        Whoever writes sees the note from then on, and what was being written before is in the
        database when this erases.
        """
        ...

    def note(self, name: str, until: datetime) -> None:
        """Note again that whoever has this hash (`name_of`) is forgotten; a later note stays."""
        ...

    def notes(self) -> dict[str, datetime]:
        """Everybody who is forgotten, by the hash, and up to when."""
        ...

    def erase_rows(self, table: Erasable, numbers: Collection[int]) -> int:
        """Delete rows by their sequence numbers (dead letters: ids); how many."""
        ...

    def scrub(self) -> None:
        """Have the database's files hold nothing of what was deleted (SQLite; a server's own
        vacuum does it elsewhere, in time).
        """
        ...
