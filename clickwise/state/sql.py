"""The state on SQLAlchemy Core: `SqlState`, one set of statements for both databases."""

import time
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from typing import Any

from sqlalchemy import Row
from sqlalchemy.exc import DBAPIError

from clickwise.errors import NotFoundError
from clickwise.state import schema, statements
from clickwise.state.aliases import SqlAliases
from clickwise.state.bulk import chunks
from clickwise.state.connections import Connections
from clickwise.state.databases import Database, open_database
from clickwise.state.faults import translate
from clickwise.state.keys import SqlKeys
from clickwise.state.leases import SqlLeases
from clickwise.state.people import SqlPeople
from clickwise.state.port import (
    ROLES,
    DeadLetter,
    ItemRow,
    LogName,
    LogRow,
    NamedRelease,
    Partition,
    Pointer,
    Rebuild,
    StoredActivity,
    StoredProfile,
)
from clickwise.state.sql_understandings import SqlUnderstandings
from clickwise.state.statements import BulkStatements
from clickwise.state.texts import SqlTexts
from clickwise.state.writes import SqlWrite, rebuild_of
from clickwise.types import ItemId, ItemKey, ModelVersion, UserId, item_key

# Every item's key is above.
_BEFORE_ALL = -(1 << 63)
# Every dead letter's id is below.
_NO_LETTER = (1 << 63) - 1
# Rows forgotten in one transaction: short enough for writers that wait.
_FORGET_AT_ONCE = 5_000


def open_state(
    url: str,
    *,
    timeout_seconds: float,
    pool_size: int,
    monotonic: Callable[[], float] = time.monotonic,
) -> "SqlState":
    """The state in the database of `url`; nothing is connected before the first call.

    Args:
        url: `sqlite:///PATH` or `postgresql+psycopg://user:password@host/name`.
        timeout_seconds: longest wait for a connection, a lock or a statement.
        pool_size: most connections of this process (at least two are used: one that writes
            and one that reads).
        monotonic: seconds that only grow.

    Raises:
        ConfigurationError: the URL is of another kind, or psycopg is not installed.
    """
    database = open_database(url, timeout_seconds=timeout_seconds, connections=max(2, pool_size))
    return SqlState(database, monotonic)


class SqlState:
    """See `clickwise.state.port.State`. Safe to use from several threads, not across a fork."""

    def __init__(self, database: Database, monotonic: Callable[[], float]) -> None:
        self._database = database
        self._many = BulkStatements(database.bulk)
        self._connections = Connections(
            database.engine,
            begin=database.begin,
            limits=database.limits,
            check=schema.check,
            monotonic=monotonic,
        )
        self._rows = self._connections.rows
        self.people = SqlPeople(self._connections, database)
        self.aliases = SqlAliases(self._connections, database.bulk)
        self.texts = SqlTexts(self._connections, database.bulk)
        self.keys = SqlKeys(self._connections, database.bulk)
        self.leases = SqlLeases(self._connections, database.bulk)
        self.understandings = SqlUnderstandings(self._connections, database.bulk)

    @contextmanager
    def write(self) -> Iterator[SqlWrite]:
        """See State. Also rolls back, and raises, when a failed call's error was swallowed."""
        with self._connections.transaction() as connection:
            write = SqlWrite(connection, self._many, self.people, self.aliases)
            yield write
            if write.failure is not None:
                raise write.failure

    def profile(self, user: UserId) -> tuple[StoredProfile | None, int]:
        """See State."""
        ((version, body, change),) = self._rows(statements.profile, {"user": user})
        return (None if version is None else StoredProfile(version, body)), change

    def profile_versions(self, users: Collection[UserId]) -> dict[UserId, int]:
        """See State."""
        return {
            user: version
            for some in chunks(list(users))
            for user, version in self._rows(
                self._many.profile_versions, {"keys": self._many.bulk.keys(some)}
            )
        }

    def profile_beginnings(
        self, *, after: str = "", limit: int, length: int
    ) -> list[tuple[UserId, StoredProfile]]:
        """See State."""
        values = {"after": after, "limit": limit, "length": length}
        rows = self._rows(statements.profile_beginnings, values)
        return [(user, StoredProfile(version, body)) for user, version, body in rows]

    def users(self, *, after: str = "", limit: int = 1000) -> list[UserId]:
        """See State."""
        return [user for (user,) in self._rows(statements.users, {"after": after, "limit": limit})]

    def item(self, item: ItemId, model: ModelVersion | None = None) -> ItemRow | None:
        """See State."""
        if model is None:
            rows = self._rows(statements.item, {"key": item_key(item)})
        else:
            rows = self._rows(statements.item_of_model, {"key": item_key(item), "model": model})
        for row in rows:
            if row.id == item and row.body is not None:
                return ItemRow(*row)
        return None

    def item_bodies(self, keys: Collection[ItemKey]) -> dict[ItemKey, tuple[ItemId, bytes]]:
        """See State."""
        return {
            key: (item, body)
            for some in chunks(list(keys))
            for key, item, body in self._rows(
                self._many.item_bodies, {"keys": self._many.bulk.keys(some)}
            )
        }

    def items_changed(
        self, *, after: int, limit: int, model: ModelVersion | None = None
    ) -> list[ItemRow]:
        """See State."""
        if model is None:
            rows = self._rows(statements.items_changed, {"after": after, "limit": limit})
        else:
            values = {"after": after, "limit": limit, "model": model}
            rows = self._rows(statements.items_changed_of_model, values)
        return [ItemRow(*row) for row in rows]

    def items_without(
        self, model: ModelVersion, *, after: ItemKey | None = None, limit: int
    ) -> list[ItemRow]:
        """See State."""
        first = _BEFORE_ALL if after is None else after
        rows = self._rows(
            statements.items_without, {"model": model, "after": first, "limit": limit}
        )
        return [ItemRow(*row) for row in rows]

    def newest_change(self) -> int:
        """See State."""
        return self._number(statements.newest_change)

    def count_items(self) -> int:
        """See State."""
        return self._number(statements.count_items)

    def activity(self, keys: Collection[ItemKey]) -> dict[ItemKey, StoredActivity]:
        """See State."""
        return {
            key: StoredActivity(log_score, body)
            for some in chunks(list(keys))
            for key, log_score, body in self._rows(
                self._many.activity, {"keys": self._many.bulk.keys(some)}
            )
        }

    def trending(self, limit: int) -> list[tuple[ItemKey, float]]:
        """See State."""
        return [(key, score) for key, score in self._rows(statements.trending, {"limit": limit})]

    def offsets(self, consumer: str) -> dict[Partition, int]:
        """See State."""
        rows = self._rows(statements.offsets_of, {"consumer": consumer})
        return {Partition(*place): following for *place, following in rows}

    def events(self, *, after: int = 0, limit: int = 1000) -> list[tuple[int, bytes]]:
        """See State."""
        return self._log(statements.events_after, after, limit)

    def exposures(self, *, after: int = 0, limit: int = 1000) -> list[tuple[int, bytes]]:
        """See State."""
        return self._log(statements.exposures_after, after, limit)

    def log_rows(self, log: LogName, *, after: int, limit: int) -> list[LogRow]:
        """See State."""
        rows = self._rows(statements.log_rows[log], {"after": after, "limit": limit})
        return [LogRow(*row) for row in rows]

    def exposures_received(
        self, begin: datetime, end: datetime, *, after: int, limit: int
    ) -> list[LogRow]:
        """See State."""
        values = {"begin": begin, "end": end, "after": after, "limit": limit}
        return [LogRow(*row) for row in self._rows(statements.exposures_received, values)]

    def forgotten(self, log: LogName) -> int:
        """See State."""
        return self._number(statements.forgotten[log])

    def dead_letters(
        self, *, limit: int = 100, before: int | None = None, pending_only: bool = False
    ) -> list[DeadLetter]:
        """See State."""
        statement = statements.pending_letters if pending_only else statements.letters
        values = {"before": _NO_LETTER if before is None else before, "limit": limit}
        return [_letter(row) for row in self._rows(statement, values)]

    def dead_letter(self, letter: int) -> DeadLetter | None:
        """See State."""
        for row in self._rows(statements.dead_letter, {"id": letter}):
            return _letter(row)
        return None

    def mark_replayed(self, letter: int, at: datetime) -> None:
        """See State.

        Raises:
            NotFoundError: there is no such dead letter.
        """
        with self.write() as write:
            if not write.mark_replayed(letter, at):
                raise NotFoundError(f"there is no dead letter {letter}")

    def prune(self, *, events_before: datetime) -> int:
        """See State. In several transactions, so that writers wait for none of them long."""
        return self._forget_log("events", events_before)

    def prune_exposures(self, *, before: datetime) -> int:
        """See State."""
        return self._forget_log("exposures", before)

    def prune_letters(self, *, before: datetime) -> int:
        """See State."""
        return self._forget(lambda write: write.forget_letters(before, _FORGET_AT_ONCE))

    def pointer(self) -> Pointer:
        """See State."""
        rows = self._rows(statements.pointer)
        found = {row.role: NamedRelease(*row[1:]) for row in rows if row.role is not None}
        return Pointer(rows[0].sequence, tuple(found[role] for role in ROLES if role in found))

    def rebuild(self) -> Rebuild | None:
        """See State."""
        return next((rebuild_of(row) for row in self._rows(statements.rebuild)), None)

    def ping(self) -> None:
        """See State. ConfigurationError when a newer program has migrated the database."""
        self._rows(statements.ping)

    def migrate(self) -> None:
        """See State. ConfigurationError when a newer program has migrated the database."""
        engine = self._database.patient_engine()
        try:
            schema.migrate(engine, begin=self._database.begin)
        finally:
            engine.dispose()

    def schema_version(self) -> str:
        """The schema that the database has; empty before the first migration."""
        try:
            with self._database.engine.connect() as connection:
                return schema.version_of(connection)
        except DBAPIError as error:
            raise translate(error) from error

    def damage(self) -> list[str]:
        """What SQLite finds wrong in its file, a few lines; a server looks after its own."""
        if self._database.engine.dialect.name != "sqlite":
            return []
        with self._database.engine.connect() as connection:
            try:
                rows = connection.exec_driver_sql("PRAGMA quick_check(5)").all()
            except DBAPIError as error:
                return [str(error.orig)]
        return [str(line) for (line,) in rows if line != "ok"]

    def clock_skew_seconds(self) -> float:
        """See State."""
        if self._database.engine.dialect.name == "sqlite":
            return 0.0
        before = time.time()
        try:
            with self._database.engine.connect() as connection:
                (there,) = connection.exec_driver_sql(
                    "SELECT extract(epoch FROM clock_timestamp())"
                ).one()
        except DBAPIError as error:
            raise translate(error) from error
        return float(there) - (before + time.time()) / 2

    def migrate_back(self, version: str, told: Callable[[Sequence[str]], None]) -> str:
        """Bring the schema back to an older program's; the version it had. See `schema`."""
        engine = self._database.patient_engine()
        try:
            return schema.migrate_back(
                engine, begin=self._database.begin, version=version, told=told
            )
        finally:
            engine.dispose()

    def close(self) -> None:
        """See State."""
        self._connections.close()

    def _forget_log(self, log: LogName, before: datetime) -> int:
        return self._forget(lambda write: write.forget_logged(log, before, _FORGET_AT_ONCE))

    def _forget(self, forget: Callable[[SqlWrite], int]) -> int:
        forgotten = 0
        while True:
            with self.write() as write:
                some = forget(write)
            forgotten += some
            if some < _FORGET_AT_ONCE:
                return forgotten

    def _number(self, statement: statements.Query) -> int:
        ((number,),) = self._rows(statement)
        return int(number)

    def _log(self, statement: statements.Query, after: int, limit: int) -> list[tuple[int, bytes]]:
        rows = self._rows(statement, {"after": after, "limit": limit})
        return [(seq, body) for seq, body in rows]


def _letter(row: Row[*tuple[Any, ...]]) -> DeadLetter:
    return DeadLetter(
        id=row.id,
        topic=row.topic,
        partition=row.partition,
        offset=row.offset,
        key=row.key,
        value=row.value,
        reason=row.reason,
        detail=row.detail,
        at=row.at,
        replayed=row.replayed,
    )
