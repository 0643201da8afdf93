"""The two databases: what a URL opens, and where the two differ."""

from collections.abc import Callable
from dataclasses import dataclass

from sqlalchemy import Connection, Engine, make_url
from sqlalchemy.exc import ArgumentError

from clickwise import installing
from clickwise.errors import ConfigurationError
from clickwise.state import sqlite
from clickwise.state.bulk import ArrayBulk, Bulk, RowBulk
from clickwise.state.connections import Limits

_MIGRATION_SECONDS = 600.0


@dataclass(frozen=True, slots=True)
class Database:
    """What differs between the two databases once their engines are there."""

    engine: Engine
    begin: Callable[[Connection], None]
    bulk: Bulk
    limits: Limits
    patient_engine: Callable[[], Engine]


def open_database(text: str, *, timeout_seconds: float, connections: int) -> Database:
    """The database of a URL; nothing is connected yet.

    Raises:
        ConfigurationError: the URL is of another kind, or psycopg is not installed.
    """
    try:
        url = make_url(text)
    except ArgumentError:
        # From nothing: the original holds the URL, and with it a password.
        raise ConfigurationError(
            "the database URL is not one: expected sqlite:///PATH or postgresql+psycopg://..."
        ) from None
    if url.drivername == "sqlite":
        return Database(
            engine=sqlite.open_sqlite(url, timeout_seconds=timeout_seconds),
            begin=sqlite.begin,
            bulk=RowBulk(),
            limits=Limits(connections=connections, transactions=1, seconds=timeout_seconds),
            patient_engine=lambda: sqlite.open_sqlite(url, timeout_seconds=_MIGRATION_SECONDS),
        )
    if url.drivername != "postgresql+psycopg":
        raise ConfigurationError(
            f"{url.drivername} is not supported: use sqlite:///PATH or postgresql+psycopg://..."
        )
    try:
        from clickwise.state.postgresql import open_postgresql
    except ImportError as error:
        raise ConfigurationError(
            f"PostgreSQL's client is missing; {installing.with_extra('kafka')}"
        ) from error

    def engine(statement_seconds: float) -> Engine:
        return open_postgresql(
            url, connect_seconds=timeout_seconds, statement_seconds=statement_seconds
        )

    return Database(
        engine=engine(timeout_seconds),
        begin=_begin,
        bulk=ArrayBulk(),
        limits=Limits(
            connections=connections, transactions=connections - 1, seconds=timeout_seconds
        ),
        patient_engine=lambda: engine(_MIGRATION_SECONDS),
    )


def _begin(connection: Connection) -> None:
    connection.exec_driver_sql("BEGIN")
