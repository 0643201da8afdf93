"""A few held connections, handed out last in, first out; reads and transactions run on them.

Every connection is in autocommit. A read runs one statement and is tried once more on a fresh
connection when the held one turns out dead, so a restarted database needs no restart of ours.
A transaction begins with an explicit BEGIN, which finds a dead connection before anything is
done. One connection is always left for readers.
"""

import threading
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any, TypeVar

from sqlalchemy import Connection, Engine, Row
from sqlalchemy.exc import DBAPIError, SQLAlchemyError
from sqlalchemy.sql.base import Executable

from clickwise.errors import UnavailableError
from clickwise.state.breaker import Breaker
from clickwise.state.faults import translate

T = TypeVar("T")
Values = Mapping[str, object]


@dataclass(frozen=True, slots=True)
class Limits:
    """How many connections, how many of them in transactions, and how long to wait for one."""

    connections: int
    transactions: int
    seconds: float


class Connections:
    """Connections to one database; safe to use from several threads.

    `check` looks at the first connection that is made, and may refuse the database.
    """

    def __init__(
        self,
        engine: Engine,
        *,
        begin: Callable[[Connection], None],
        limits: Limits,
        check: Callable[[Connection], None],
        monotonic: Callable[[], float],
    ) -> None:
        self._engine = engine
        self._begin = begin
        self._check = check
        self._checked = False
        self._seconds = limits.seconds
        self._slots = threading.BoundedSemaphore(limits.connections)
        self._turns = threading.BoundedSemaphore(limits.transactions)
        self._idle: deque[Connection] = deque()
        self._monotonic = monotonic
        self._breaker = Breaker(monotonic)

    def rows(
        self, statement: Executable, values: Values | None = None
    ) -> Sequence[Row[*tuple[Any, ...]]]:
        """The rows of one read.

        Raises:
            UnavailableError: no answer in time, or none a moment ago.
        """
        self._breaker.check()
        self._wait(self._slots)
        started = self._monotonic()
        try:
            connection, rows = self._start(lambda held: held.execute(statement, values).all())
        except UnavailableError:
            self._breaker.failed(seconds=self._monotonic() - started)
            raise
        finally:
            self._slots.release()
        self._idle.append(connection)
        self._breaker.succeeded()
        return rows

    @contextmanager
    def transaction(self) -> Iterator[Connection]:
        """A connection inside a transaction: committed at the end, rolled back on an error.

        Raises:
            UnavailableError: no answer in time, or none a moment ago.
        """
        self._breaker.check()
        self._wait(self._turns)
        try:
            self._wait(self._slots)
            try:
                connection = self._begun()
                try:
                    yield connection
                except BaseException:
                    self._roll_back(connection)
                    raise
                self._commit(connection)
            finally:
                self._slots.release()
        finally:
            self._turns.release()

    def close(self) -> None:
        """Close what is idle."""
        self._drop_idle()
        self._engine.dispose()

    def _start(self, first: Callable[[Connection], T]) -> tuple[Connection, T]:
        """A connection and what `first` did on it; once more on a fresh one if a held is dead."""
        started = self._monotonic()
        while True:
            connection, held = self._take()
            try:
                return connection, first(connection)
            except DBAPIError as error:
                dead = connection.invalidated
                _discard(connection)
                if dead:
                    self._drop_idle()
                # Only when that was known at once: whoever has waited a timeout waits no second.
                if dead and held and self._monotonic() - started < self._seconds:
                    continue
                raise translate(error) from error
            except BaseException:
                _discard(connection)
                raise

    def _begun(self) -> Connection:
        """A connection that has begun a transaction."""
        started = self._monotonic()
        try:
            connection, _ = self._start(self._begin)
        except UnavailableError as error:
            # A writer that waits too long for another (SQLite) is no outage: reads go on.
            if not _is_busy(error.__cause__):
                self._breaker.failed(seconds=self._monotonic() - started)
            raise
        self._breaker.succeeded()
        return connection

    def _commit(self, connection: Connection) -> None:
        try:
            connection.exec_driver_sql("COMMIT")
        except DBAPIError as error:
            _discard(connection)
            raise translate(error) from error
        except BaseException:
            _discard(connection)
            raise
        self._idle.append(connection)
        self._breaker.succeeded()

    def _roll_back(self, connection: Connection) -> None:
        try:
            connection.exec_driver_sql("ROLLBACK")
        except SQLAlchemyError:
            _discard(connection)  # and with it what it had not committed
        except BaseException:
            _discard(connection)
            raise
        else:
            self._idle.append(connection)

    def _take(self) -> tuple[Connection, bool]:
        """A connection, and whether it was held (so that it may have died since)."""
        try:
            return self._idle.pop(), True
        except IndexError:
            return self._opened(), False

    def _opened(self) -> Connection:
        try:
            connection = self._engine.connect()
        except DBAPIError as error:
            raise translate(error) from error
        if not self._checked:
            try:
                self._check(connection)
            except BaseException:
                _discard(connection)
                raise
            self._checked = True
        return connection

    def _drop_idle(self) -> None:
        while self._idle:
            try:
                connection = self._idle.pop()
            except IndexError:  # another thread was faster
                return
            _discard(connection)

    def _wait(self, what: threading.BoundedSemaphore) -> None:
        if not what.acquire(timeout=self._seconds):
            raise UnavailableError(f"every connection was busy for {self._seconds:g} s")


def _is_busy(cause: BaseException | None) -> bool:
    """True when SQLite was held by another writer all the time."""
    name = getattr(cause.orig, "sqlite_errorname", "") if isinstance(cause, DBAPIError) else ""
    return isinstance(name, str) and name.startswith("SQLITE_BUSY")


def _discard(connection: Connection) -> None:
    """Close a connection whatever its condition; not being able to is no news."""
    with suppress(SQLAlchemyError):
        connection.invalidate()
    with suppress(SQLAlchemyError):
        connection.close()
