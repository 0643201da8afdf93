"""The part of the state that knows which guests turned out to be which users (ADR 13)."""

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from clickwise.types import EventKey, UserId


@dataclass(frozen=True, slots=True)
class Alias:
    """The guest is the user, by the merge of that id, asked for `at` that time."""

    guest: UserId
    user: UserId
    merge: str
    at: datetime


@dataclass(frozen=True, slots=True)
class Move:
    """What a merge took from the guest's profile to the user's, once it was applied.

    `applied`: when, by the clock of who did it; until then the user's lists knew nothing of it,
    whatever `at` the alias has: a merge may wait in the log. `events`: keys of the events that the
    guest's profile kept.
    """

    guest: UserId
    user: UserId
    applied: datetime
    events: tuple[EventKey, ...]


class Aliases(Protocol):
    """Guests and their users. Calls raise UnavailableError."""

    def pair(self, alias: Alias) -> Alias:
        """Note that the guest is the user; what is noted, which may have been before.

        Raises:
            ConflictError: another merge stands against it; see `refusal`.
        """
        ...

    def owners(self, users: Collection[UserId]) -> dict[UserId, UserId]:
        """Whose the events of those of `users` are who are somebody else."""
        ...

    def ids_of(self, user: UserId) -> tuple[UserId, ...]:
        """All ids of the person: of a user and of its guests, whichever is given."""
        ...

    def moves(self, user: UserId) -> list[Move]:
        """Of the merges of an id, as the guest or as the user; none of those that moved nothing,
        are not applied yet, or were by an earlier program.
        """
        ...

    def all(self, *, after: str, limit: int) -> list[Alias]:
        """Aliases in order of their guests, from `after` on."""
        ...

    def part(self, guests: Collection[UserId]) -> int:
        """Forget who these guests are; how many."""
        ...


def refusal(alias: Alias, known: Iterable[Alias]) -> str:
    """Why `alias` cannot stand beside those that are `known`; empty if it can, or is known.

    A guest is one user, and no user: so nobody has to follow chains, and there are no circles.
    """
    for one in known:
        if (one.guest, one.user) == (alias.guest, alias.user):
            return ""
    for one in known:
        if (one.guest, one.user) == (alias.user, alias.guest):
            return "the user was merged into this guest before"
        if one.guest == alias.guest:
            return "the guest was merged into another user before"
        if one.guest == alias.user:
            return "the user was merged into another one before: name that one"
        if one.user == alias.guest:
            return "the guest is a user that others were merged into"
        if one.merge == alias.merge:
            return "the merge's id is another merge's"
    return ""
