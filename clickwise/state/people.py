"""Forgotten people on SQLAlchemy Core: `SqlPeople`, beside `SqlState` and on its connections.

The note of whom to forget is a keyed hash with a moment, so that it names nobody. Its key is a
random number that the database was made with: it serves whoever holds the database to
recognize a given id, and nobody else.
"""

import time
from collections.abc import Callable, Collection, Iterable
from datetime import datetime
from functools import cached_property
from hashlib import blake2b
from typing import Any

from sqlalchemy import (
    Connection,
    Row,
    Select,
    Table,
    bindparam,
    case,
    delete,
    literal_column,
    select,
)
from sqlalchemy.exc import DBAPIError
from sqlalchemy.sql.base import Executable

from clickwise.errors import UnavailableError
from clickwise.state.bulk import chunks
from clickwise.state.connections import Connections
from clickwise.state.databases import Database
from clickwise.state.faults import translate
from clickwise.state.people_port import Erasable, ErasedProfile, EventsOf
from clickwise.state.tables import dead_letters, events, exposures, forgotten, hash_keys, profiles
from clickwise.types import UserId

SCRUB_SECONDS = 60.0
_PAUSE_SECONDS = 0.2

Run = Callable[[Executable, dict[str, Any]], Iterable[Row[*tuple[Any, ...]]]]

_key: Select[*tuple[Any, ...]] = select(hash_keys.c.value).where(
    hash_keys.c.name == literal_column("'people'")
)
_any: Select[*tuple[Any, ...]] = select(literal_column("1")).select_from(forgotten).limit(1)
_all: Select[*tuple[Any, ...]] = select(forgotten.c.user, forgotten.c.at)
_profile: Select[*tuple[Any, ...]] = select(profiles.c.body).where(
    profiles.c.user == bindparam("of_user")
)
_delete_profile = delete(profiles).where(profiles.c.user == bindparam("of_user"))
# Readers of `forgotten` hold a lock on it until their transactions end. With this one the note
# waits for all that could not see it yet, and those that follow wait for the note.
_ALONE = "LOCK TABLE forgotten IN ACCESS EXCLUSIVE MODE"
_TABLES: dict[Erasable, Table] = {
    "events": events,
    "exposures": exposures,
    "dead_letters": dead_letters,
}


class SqlPeople:
    """See `clickwise.state.people_port.People`."""

    def __init__(self, connections: Connections, database: Database) -> None:
        self._connections = connections
        self._database = database
        bulk = self._bulk = database.bulk
        self._found: Select[*tuple[Any, ...]] = select(forgotten.c.user, forgotten.c.at).where(
            bulk.among(forgotten.c.user, "keys")
        )
        self._delete_events = delete(events).where(bulk.among(events.c.key, "keys"))
        self._delete_rows = {
            name: delete(table).where(bulk.among(next(iter(table.primary_key)), "keys"))
            for name, table in _TABLES.items()
        }
        note = bulk.insert(forgotten).values(user=bindparam("user"), at=bindparam("at"))
        self._put = note.on_conflict_do_update(
            index_elements=[forgotten.c.user],
            set_={
                "at": case(
                    (note.excluded["at"] > forgotten.c.at, note.excluded["at"]),
                    else_=forgotten.c.at,
                )
            },
        )

    @cached_property
    def _secret(self) -> bytes:
        ((value,),) = self._connections.rows(_key)
        return bytes(value)

    def name_of(self, user: str) -> str:
        """See People."""
        return blake2b(
            user.encode(errors="replace"), key=self._secret, digest_size=16, person=b"user"
        ).hexdigest()

    def seal(self, content: bytes) -> str:
        """See People."""
        return blake2b(content, key=self._secret, digest_size=32, person=b"receipt").hexdigest()

    def any_forgotten(self) -> bool:
        """See People."""
        return bool(self._connections.rows(_any))

    def forgotten(self, users: Collection[UserId]) -> dict[UserId, datetime]:
        """See People."""
        return self.found(users, self._connections.rows)

    def found(self, users: Collection[UserId], run: Run) -> dict[UserId, datetime]:
        """The same on whatever runs statements: a transaction, say."""
        names = {self.name_of(user): user for user in users}
        return {
            names[name]: at
            for some in chunks(list(names))
            for name, at in run(self._found, {"keys": self._bulk.keys(some)})
        }

    def forget(self, user: UserId, *, until: datetime, events_of: EventsOf) -> ErasedProfile:
        """See People."""
        name = self.name_of(user)
        with self._connections.transaction() as connection:
            try:
                if not self._bulk.one_writer:
                    connection.exec_driver_sql(_ALONE)
                connection.execute(self._put, {"user": name, "at": until})
                bodies = [body for (body,) in connection.execute(_profile, {"of_user": user})]
                erased = 0
                for body in bodies:
                    for keys in chunks(list(events_of(body))):
                        values = {"keys": self._bulk.keys(keys)}
                        erased += connection.execute(self._delete_events, values).rowcount
                gone = connection.execute(_delete_profile, {"of_user": user}).rowcount
            except DBAPIError as error:
                raise translate(error) from error
        return ErasedProfile(gone, erased)

    def note(self, name: str, until: datetime) -> None:
        """See People."""
        with self._connections.transaction() as connection:
            try:
                if not self._bulk.one_writer:
                    connection.exec_driver_sql(_ALONE)
                connection.execute(self._put, {"user": name, "at": until})
            except DBAPIError as error:
                raise translate(error) from error

    def notes(self) -> dict[str, datetime]:
        """See People."""
        return {str(name): at for name, at in self._connections.rows(_all)}

    def erase_rows(self, table: Erasable, numbers: Collection[int]) -> int:
        """See People. In several transactions, so that writers wait for none of them long."""
        erased = 0
        for some in chunks(list(numbers)):
            with self._connections.transaction() as connection:
                try:
                    values = {"keys": self._bulk.keys(some)}
                    erased += connection.execute(self._delete_rows[table], values).rowcount
                except DBAPIError as error:
                    raise translate(error) from error
        return erased

    def scrub(self) -> None:
        """See People. VACUUM writes the file anew, and writers wait as long as that takes.

        Raises:
            UnavailableError: others read all the time, so that the write-ahead log still holds
                what was deleted.
        """
        engine = self._database.patient_engine()
        if engine.dialect.name != "sqlite":
            engine.dispose()
            return
        try:
            with engine.connect() as connection:
                connection.exec_driver_sql("VACUUM")
                _empty_log(connection)
        except DBAPIError as error:
            raise translate(error) from error
        finally:
            engine.dispose()


def _empty_log(connection: Connection) -> None:
    """Put the write-ahead log into the file and cut it to nothing."""
    deadline = time.monotonic() + SCRUB_SECONDS
    while True:
        ((busy, *_),) = connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)").all()
        if not busy:
            return
        if time.monotonic() > deadline:
            raise UnavailableError("SQLite's write-ahead log is read all the time: forget again")
        time.sleep(_PAUSE_SECONDS)
