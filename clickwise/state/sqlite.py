"""How this program opens SQLite.

WAL lets readers go on while one writer writes; `synchronous=FULL` makes a commit durable
before it returns. The driver's own transaction handling is off (AUTOCOMMIT): transactions
begin with BEGIN IMMEDIATE, so that two of them never deadlock half-way. Pages of 8 KiB hold a
profile in one or two; a checkpoint every 32 MiB writes a page that changed often only once.

SQLite keeps no queue of writers: whoever looks while nobody writes is next, and its own waiting
looks ever more seldom, ten times a second in the end. A process that writes one batch after the
other then leaves others waiting for seconds. So `begin` looks every few milliseconds.
"""

import contextlib
import os
import sqlite3
import time
from pathlib import Path

from sqlalchemy import URL, Connection, Engine, NullPool, create_engine, event
from sqlalchemy.pool import ConnectionPoolEntry

from clickwise.errors import ConfigurationError

PAGE_BYTES = 8_192
CHECKPOINT_BYTES = 32 * 1024 * 1024
CACHE_KIBIBYTES = 32 * 1024
MAPPED_BYTES = 256 * 1024 * 1024
# SQLite looks after 1, 3 and 8 ms, then gives up, and `begin` starts over.
LOOK_MILLISECONDS = 8
_BEGIN = "BEGIN IMMEDIATE"
_PRIMARY = 0xFF  # of an extended error code


def open_sqlite(url: URL, *, timeout_seconds: float) -> Engine:
    """An engine on the file that `url` names; its folder is made, the file at first use. It holds
    what people did, so it is its owner's alone; a file that is there already stays as it is.

    Raises:
        ConfigurationError: there is no file in the URL, or its folder cannot be made.
    """
    if not url.database or url.database == ":memory:":
        raise ConfigurationError("SQLite needs a file: sqlite:///PATH")
    path = Path(url.database)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ConfigurationError(
            f"the database {path} cannot be made: {path.parent}: {error.strerror}"
        ) from error
    engine = create_engine(
        url,
        poolclass=NullPool,
        isolation_level="AUTOCOMMIT",
        hide_parameters=True,
        pool_reset_on_return=None,
        connect_args={"timeout": timeout_seconds, "check_same_thread": False},
    )

    @event.listens_for(engine, "do_connect")
    def _make(*_: object) -> None:
        with contextlib.suppress(OSError):  # there already; or told by SQLite, which tries next
            os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600))

    @event.listens_for(engine, "connect")
    def _prepare(connection: sqlite3.Connection, entry: ConnectionPoolEntry) -> None:
        del entry
        _use_wal(connection, deadline=time.monotonic() + timeout_seconds)
        connection.execute("PRAGMA synchronous=FULL")
        connection.execute("PRAGMA foreign_keys=OFF")
        connection.execute(f"PRAGMA cache_size=-{CACHE_KIBIBYTES}")
        connection.execute(f"PRAGMA mmap_size={MAPPED_BYTES}")
        connection.execute(f"PRAGMA wal_autocheckpoint={CHECKPOINT_BYTES // PAGE_BYTES}")
        connection.execute(f"PRAGMA journal_size_limit={2 * CHECKPOINT_BYTES}")

    return engine


def begin(connection: Connection) -> None:
    """Begin a transaction that writes; waits as long as the connection's own timeout says.

    Raises:
        DBAPIError: another process wrote all the time, or the database cannot be used.
    """
    driver = connection.connection.driver_connection
    assert isinstance(driver, sqlite3.Connection)  # noqa: S101  # this engine's only driver
    (milliseconds,) = driver.execute("PRAGMA busy_timeout").fetchone()
    deadline = time.monotonic() + milliseconds / 1_000
    driver.execute(f"PRAGMA busy_timeout={LOOK_MILLISECONDS}")
    try:
        while time.monotonic() < deadline:
            try:
                driver.execute(_BEGIN)
            except sqlite3.Error as error:
                if getattr(error, "sqlite_errorcode", 0) & _PRIMARY != sqlite3.SQLITE_BUSY:
                    break
            else:
                return
        connection.exec_driver_sql(_BEGIN)  # the last try: its error is SQLAlchemy's
    finally:
        driver.execute(f"PRAGMA busy_timeout={milliseconds}")


def _use_wal(connection: sqlite3.Connection, *, deadline: float) -> None:
    """Switch to WAL; SQLite does not wait by itself when processes do so at the same time."""
    while True:
        try:
            connection.execute(f"PRAGMA page_size={PAGE_BYTES}")
            connection.execute("PRAGMA journal_mode=WAL")
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode != sqlite3.SQLITE_BUSY or time.monotonic() > deadline:
                raise
            time.sleep(0.01)
        else:
            return
