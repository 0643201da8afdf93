"""Guests and their users on SQLAlchemy Core: `SqlAliases`, beside `SqlState`."""

from collections.abc import Callable, Collection, Iterable
from datetime import datetime
from typing import Any

import numpy as np
from sqlalchemy import Row, Select, bindparam, delete, or_, select, update
from sqlalchemy.exc import DBAPIError
from sqlalchemy.sql.base import Executable

from clickwise.errors import ConflictError
from clickwise.state.alias_port import Alias, Move, refusal
from clickwise.state.bulk import Bulk, chunks
from clickwise.state.connections import Connections
from clickwise.state.faults import translate
from clickwise.state.tables import aliases, instant, microseconds
from clickwise.types import EventKey, UserId

Run = Callable[[Executable, dict[str, Any]], Iterable[Row[*tuple[Any, ...]]]]

# Whoever adds one waits for others who do, so that no two come to stand against each other.
# Readers do not wait. (SQLite has one writer.)
LOCK = "LOCK TABLE aliases IN SHARE ROW EXCLUSIVE MODE"

_named = (aliases.c.guest, aliases.c.user, aliases.c.merge, aliases.c.at)
_beside: Select[*tuple[Any, ...]] = select(*_named).where(
    or_(
        aliases.c.guest.in_([bindparam("guest"), bindparam("user")]),
        aliases.c.user == bindparam("guest"),
        aliases.c.merge == bindparam("merge"),
    )
)
_person: Select[*tuple[Any, ...]] = select(aliases.c.guest, aliases.c.user).where(
    or_(
        aliases.c.guest == bindparam("of_user"),
        aliases.c.user == bindparam("of_user"),
        aliases.c.user.in_(select(aliases.c.user).where(aliases.c.guest == bindparam("of_user"))),
    )
)
_all: Select[*tuple[Any, ...]] = (
    select(*_named)
    .where(aliases.c.guest > bindparam("after"))
    .order_by(aliases.c.guest)
    .limit(bindparam("limit"))
)
_moves: Select[*tuple[Any, ...]] = select(aliases.c.guest, aliases.c.user, aliases.c.moved).where(
    or_(aliases.c.guest == bindparam("of_user"), aliases.c.user == bindparam("of_user"))
)
_moved: Select[*tuple[Any, ...]] = select(aliases.c.moved).where(
    aliases.c.guest == bindparam("of_guest")
)
_note_moved = (
    update(aliases).where(aliases.c.guest == bindparam("of_guest")).values(moved=bindparam("moved"))
)
_MOVED = np.dtype([("event", "<i8"), ("applied", "<i8")])  # a key; microseconds since 1970


class SqlAliases:
    """See `clickwise.state.alias_port.Aliases`."""

    def __init__(self, connections: Connections, bulk: Bulk) -> None:
        self._connections = connections
        self._bulk = bulk
        self._owners: Select[*tuple[Any, ...]] = select(aliases.c.guest, aliases.c.user).where(
            bulk.among(aliases.c.guest, "keys")
        )
        self._delete = delete(aliases).where(bulk.among(aliases.c.guest, "keys"))
        self._add = bulk.insert(aliases).values(
            guest=bindparam("guest"),
            user=bindparam("user"),
            merge=bindparam("merge"),
            at=bindparam("at"),
        )

    def pair(self, alias: Alias) -> Alias:
        """See Aliases."""
        with self._connections.transaction() as connection:
            try:
                if not self._bulk.one_writer:
                    connection.exec_driver_sql(LOCK)
                standing, why = self.paired(alias, connection.execute)
            except DBAPIError as error:
                raise translate(error) from error
            if why:
                raise ConflictError(why)
        return standing

    def paired(self, alias: Alias, run: Run) -> tuple[Alias, str]:
        """The same within a transaction that has the lock: what stands, or why it cannot."""
        values = {"guest": alias.guest, "user": alias.user, "merge": alias.merge}
        known = [Alias(*row) for row in run(_beside, values)]
        why = refusal(alias, known)
        for one in known:
            if (one.guest, one.user) == (alias.guest, alias.user):
                return one, why
        if not why:
            run(self._add, values | {"at": alias.at})
        return alias, why

    def owners(self, users: Collection[UserId]) -> dict[UserId, UserId]:
        """See Aliases."""
        return self.owned(users, self._connections.rows)

    def owned(self, users: Collection[UserId], run: Run) -> dict[UserId, UserId]:
        """The same on whatever runs statements: a transaction, say."""
        return {
            guest: user
            for some in chunks(list(users))
            for guest, user in run(self._owners, {"keys": self._bulk.keys(some)})
        }

    def ids_of(self, user: UserId) -> tuple[UserId, ...]:
        """See Aliases. The one that is given comes first."""
        rows = self._connections.rows(_person, {"of_user": user})
        return tuple(dict.fromkeys([user, *(one for row in rows for one in row)]))

    def moves(self, user: UserId) -> list[Move]:
        """See Aliases."""
        rows = self._connections.rows(_moves, {"of_user": user})
        return [
            Move(guest, owner, applied, tuple(events))
            for guest, owner, moved in rows
            for applied, events in _by_moment(moved).items()
        ]

    def note_moved(
        self, guest: UserId, events: Collection[EventKey], applied: datetime, run: Run
    ) -> None:
        """Note them beside those that are noted already, which stay as they are, within a
        transaction.
        """
        for (before,) in run(_moved, {"of_guest": guest}):
            noted = _noted(before)
            known = set(noted["event"].tolist())
            new = [(key, microseconds(applied)) for key in events if key not in known]
            moved = noted.tobytes() + np.array(new, _MOVED).tobytes()
            run(_note_moved, {"of_guest": guest, "moved": moved})

    def all(self, *, after: str, limit: int) -> list[Alias]:
        """See Aliases."""
        rows = self._connections.rows(_all, {"after": after, "limit": limit})
        return [Alias(*row) for row in rows]

    def part(self, guests: Collection[UserId]) -> int:
        """See Aliases."""
        parted = 0
        with self._connections.transaction() as connection:
            try:
                for some in chunks(list(guests)):
                    values = {"keys": self._bulk.keys(some)}
                    parted += connection.execute(self._delete, values).rowcount
            except DBAPIError as error:
                raise translate(error) from error
        return parted


def _noted(moved: bytes | None) -> np.ndarray[tuple[int], np.dtype[np.void]]:
    return np.frombuffer(moved or b"", _MOVED)


def _by_moment(moved: bytes | None) -> dict[datetime, list[EventKey]]:
    found: dict[datetime, list[EventKey]] = {}
    for key, applied in _noted(moved).tolist():
        found.setdefault(instant(applied), []).append(EventKey(key))
    return found
