"""Leases in SQL, as rows of the counters; see `clickwise.state.lease_port`."""

from collections.abc import Collection

from sqlalchemy import bindparam, select, update
from sqlalchemy.exc import DBAPIError

from clickwise.state.bulk import Bulk
from clickwise.state.connections import Connections
from clickwise.state.faults import translate
from clickwise.state.lease_port import FREE
from clickwise.state.tables import counters

_mark = select(counters.c.value).where(counters.c.name == bindparam("of_name"))


class SqlLeases:
    """See Leases. Safe to use from several threads."""

    def __init__(self, connections: Connections, bulk: Bulk) -> None:
        self._connections = connections
        self._add = (
            bulk.insert(counters)
            .values(name=bindparam("of_name"), value=FREE)
            .on_conflict_do_nothing()
        )

    def mark(self, work: str) -> int:
        """See Leases."""
        rows = self._connections.rows(_mark, {"of_name": _name(work)})
        return next((int(row.value) for row in rows), FREE)

    def replace(self, work: str, expected: Collection[int], mark: int) -> bool:
        """See Leases."""
        replaced = (
            update(counters)
            .where(counters.c.name == _name(work), counters.c.value.in_(sorted(expected)))
            .values(value=mark)
        )
        with self._connections.transaction() as connection:
            try:
                if FREE in expected:
                    connection.execute(self._add, {"of_name": _name(work)})
                return connection.execute(replaced).rowcount == 1
            except DBAPIError as error:
                raise translate(error) from error


def _name(work: str) -> str:
    return f"lease_{work}"
