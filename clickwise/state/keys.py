"""API keys in SQL; see `clickwise.state.key_port`."""

import dataclasses
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import date, datetime
from typing import Any

from sqlalchemy import Connection, Row, bindparam, delete, select, update
from sqlalchemy.exc import DBAPIError

from clickwise.access import Scope
from clickwise.errors import ConflictError, NotFoundError
from clickwise.state import statements
from clickwise.state.bulk import Bulk
from clickwise.state.connections import Connections
from clickwise.state.faults import translate
from clickwise.state.key_port import USAGE_DAYS, StoredKey
from clickwise.state.tables import api_keys, counters, key_usage

COUNTER = "api_keys"
_number = select(counters.c.value).where(counters.c.name == COUNTER)
_forget = delete(key_usage).where(key_usage.c.day < bindparam("before"))
_every = select(api_keys).order_by(api_keys.c.created, api_keys.c.id)


class SqlKeys:
    """See KeyStore. Safe to use from several threads."""

    def __init__(self, connections: Connections, bulk: Bulk) -> None:
        self._connections = connections
        insert = bulk.insert(key_usage).values(
            key=bindparam("key"), day=bindparam("day"), requests=bindparam("requests")
        )
        self._add = insert.on_conflict_do_update(
            index_elements=[key_usage.c.key, key_usage.c.day],
            set_={"requests": key_usage.c.requests + insert.excluded["requests"]},
        ).returning(key_usage.c.requests)

    def number(self) -> int:
        """See KeyReader."""
        ((number,),) = self._connections.rows(_number)
        return int(number)

    def every(self) -> list[StoredKey]:
        """See KeyReader."""
        return [_stored(row) for row in self._connections.rows(_every)]

    def add(self, key: StoredKey) -> None:
        """See KeyStore."""
        with self._change() as connection:
            _insert(connection, key)

    def rotate(self, key: StoredKey, *, until: datetime) -> None:
        """See KeyStore."""
        with self._change() as connection:
            old = _found(connection, key.replaces)
            if old.revoked is not None:
                raise ConflictError(f"key {old.id} is revoked: create another one")
            taken = select(api_keys.c.id).where(api_keys.c.replaces == old.id)
            if (newer := connection.execute(taken).scalar()) is not None:
                raise ConflictError(f"key {old.id} was rotated: {newer} is in its place")
            ends = until if old.expires is None else min(until, old.expires)
            connection.execute(update(api_keys).where(api_keys.c.id == old.id).values(expires=ends))
            _insert(connection, key)

    def revoke(self, key_id: str, *, at: datetime) -> None:
        """See KeyStore."""
        with self._change() as connection:
            if _found(connection, key_id).revoked is None:
                connection.execute(
                    update(api_keys).where(api_keys.c.id == key_id).values(revoked=at)
                )

    def spend(self, counts: Mapping[str, int], *, day: date) -> dict[str, int]:
        """See Usage."""
        number = day.toordinal()
        with self._connections.transaction() as connection:
            try:
                connection.execute(_forget, {"before": number - USAGE_DAYS})
                return {
                    key: int(
                        connection.execute(
                            self._add, {"key": key, "day": number, "requests": counts[key]}
                        ).scalar_one()
                    )
                    for key in sorted(counts)  # one order: two processes never wait for each other
                }
            except DBAPIError as error:
                raise translate(error) from error

    @contextmanager
    def _change(self) -> Iterator[Connection]:
        """A transaction; the counter's row orders all of them until they end."""
        with self._connections.transaction() as connection:
            try:
                connection.execute(statements.advance_counter, {"of_name": COUNTER, "by": 1})
                yield connection
            except DBAPIError as error:
                raise translate(error) from error


def _found(connection: Connection, key_id: str) -> StoredKey:
    row = connection.execute(select(api_keys).where(api_keys.c.id == key_id)).first()
    if row is None:
        raise NotFoundError(f"there is no key {key_id[:40]!a}")
    return _stored(row)


def _insert(connection: Connection, key: StoredKey) -> None:
    values = dataclasses.asdict(key) | {"scopes": ",".join(key.scopes)}
    connection.execute(api_keys.insert().values(**values))


def _stored(row: Row[*tuple[Any, ...]]) -> StoredKey:
    # A scope of a newer program allows nothing here.
    words = row.scopes.split(",")
    known = tuple(scope for scope in Scope if scope in words)
    return StoredKey(**{**row._mapping, "scopes": known})  # noqa: SLF001  # SQLAlchemy's name
