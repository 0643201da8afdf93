"""Many rows in one go: the one thing that the two databases do differently.

A statement is written over `source(...)`, rows that arrive with it, and over `among(...)`, a
list of keys. PostgreSQL takes each column of the rows as an array and runs the statement once
(once per row costs twice the time). SQLite, in process, runs it for one row after another
(`executemany`). A list of keys is one value, an array or a JSON text, so that a statement's
text does not depend on its length.
"""

import json
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar

from sqlalchemy import (
    ARRAY,
    Column,
    ColumnElement,
    Connection,
    Dialect,
    FromClause,
    String,
    Table,
    Text,
    any_,
    bindparam,
    column,
    func,
    select,
    text,
)
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.dml import UpdateBase
from sqlalchemy.types import TypeEngine

# Rows or keys that one statement takes: short enough for its timeout.
CHUNK = 500

_hold = text("SELECT pg_advisory_xact_lock(held) FROM unnest(CAST(:numbers AS bigint[])) AS held")

T = TypeVar("T")
Insert = sqlite.Insert | postgresql.Insert


def chunks(values: Sequence[T]) -> Iterator[Sequence[T]]:
    """`values` in runs of at most CHUNK."""
    for start in range(0, len(values), CHUNK):
        yield values[start : start + CHUNK]


class Bulk(Protocol):
    """How a database takes many rows or keys.

    `one_writer`: a transaction that writes has the database to itself, and need hold no rows.
    """

    one_writer: bool

    def insert(self, table: Table) -> Insert:
        """The database's own INSERT, which knows ON CONFLICT."""
        ...

    def source(self, **columns: Column[Any]) -> FromClause:
        """Rows to come, with columns of these names and types."""
        ...

    def among(self, column: Column[Any], name: str) -> ColumnElement[bool]:
        """True where `column` is in the list that is bound as `name`."""
        ...

    def keys(self, values: Collection[object]) -> object:
        """What to bind for `among`."""
        ...

    def run(
        self, connection: Connection, statement: UpdateBase, rows: Sequence[Mapping[str, object]]
    ) -> int:
        """Run a statement over a source for these rows (at least one); how many it changed."""
        ...

    def hold(self, connection: Connection, numbers: Sequence[int]) -> None:
        """Wait until no other transaction holds these 63-bit numbers; hold them to its end."""
        ...


class ArrayBulk:
    """PostgreSQL: see Bulk."""

    one_writer = False

    def insert(self, table: Table) -> Insert:
        """See Bulk."""
        return postgresql.insert(table)

    def source(self, **columns: Column[Any]) -> FromClause:
        """See Bulk."""
        arrays = [bindparam(_PREFIX + name, type_=_array(c)) for name, c in columns.items()]
        names = [column(name, c.type) for name, c in columns.items()]
        return func.unnest(*arrays).table_valued(*names).render_derived("given")

    def among(self, column: Column[Any], name: str) -> ColumnElement[bool]:
        """See Bulk."""
        return column == any_(bindparam(name, type_=_array(column)))

    def keys(self, values: Collection[object]) -> object:
        """See Bulk."""
        return list(values)

    def run(
        self, connection: Connection, statement: UpdateBase, rows: Sequence[Mapping[str, object]]
    ) -> int:
        """See Bulk."""
        arrays = {_PREFIX + name: [row[name] for row in rows] for name in rows[0]}
        return connection.execute(statement, arrays, execution_options=_COUNTED).rowcount

    def hold(self, connection: Connection, numbers: Sequence[int]) -> None:
        """See Bulk. Advisory locks, taken in order, so that two never wait for each other."""
        connection.execute(_hold, {"numbers": sorted(numbers)})


@dataclass(frozen=True)
class _Made:
    """A statement as the driver takes it. `statement` is kept so that its id stays its own."""

    statement: UpdateBase
    text: str
    values: tuple[tuple[str, Callable[[Any], Any] | None], ...]

    @classmethod
    def of(cls, statement: UpdateBase, dialect: Dialect) -> "_Made":
        """Compile `statement`; each value with what its type does to it on the way in."""
        compiled = statement.compile(dialect=dialect)
        if not isinstance(compiled, SQLCompiler):
            raise TypeError("expected a statement with positional values")
        return cls(
            statement,
            str(compiled),
            tuple(
                (
                    name.removeprefix(_PREFIX),
                    compiled.binds[name].type.dialect_impl(dialect).bind_processor(dialect),
                )
                for name in compiled.positiontup or ()
            ),
        )


class RowBulk:
    """SQLite: see Bulk."""

    one_writer = True

    def __init__(self) -> None:
        self._made: dict[int, _Made] = {}

    def insert(self, table: Table) -> Insert:
        """See Bulk."""
        return sqlite.insert(table)

    def source(self, **columns: Column[Any]) -> FromClause:
        """See Bulk."""
        row = [bindparam(_PREFIX + name, type_=c.type).label(name) for name, c in columns.items()]
        return select(*row).subquery("given")

    def among(self, column: Column[Any], name: str) -> ColumnElement[bool]:
        """See Bulk."""
        listed = func.json_each(bindparam(name, type_=Text())).table_valued("value")
        return column.in_(select(listed.c.value))

    def keys(self, values: Collection[object]) -> object:
        """See Bulk."""
        return json.dumps(list(values), ensure_ascii=False)

    def run(
        self, connection: Connection, statement: UpdateBase, rows: Sequence[Mapping[str, object]]
    ) -> int:
        """See Bulk."""
        # The driver takes rows as tuples; SQLAlchemy's own way builds three dicts for each.
        made = self._made.get(id(statement))
        if made is None:
            made = self._made[id(statement)] = _Made.of(statement, connection.dialect)
        columns = [
            [row[name] for row in rows] if convert is None else [convert(row[name]) for row in rows]
            for name, convert in made.values
        ]
        values = list(zip(*columns, strict=True))
        return connection.exec_driver_sql(made.text, values, execution_options=_COUNTED).rowcount

    def hold(self, connection: Connection, numbers: Sequence[int]) -> None:
        """See Bulk. SQLite has one writer, who holds everything."""


# Values named like a column would be taken for the statement's own.
_PREFIX = "given_"

# SQLAlchemy forgets how many rows an INSERT changed unless it is told.
_COUNTED = {"preserve_rowcount": True}


def _array(column: Column[Any]) -> TypeEngine[Any]:
    # A collation belongs to the stored column, not to the values that are compared with it.
    return ARRAY(Text() if isinstance(column.type, String) else column.type)
