"""Bringing a database to this program's schema, and refusing one that is ahead of it."""

import threading
from collections.abc import Callable, Sequence

from alembic import command
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, Engine, Text, column, inspect, select, table
from sqlalchemy.exc import DBAPIError

from clickwise.errors import ConfigurationError
from clickwise.state.faults import translate
from clickwise.state.migrations.losses import lost_between
from clickwise.state.tables import SCHEMA_VERSION

# Any number that no other program takes on the same database.
_ADVISORY_LOCK = 0x636C69636B
_VERSION_TABLE = "alembic_version"

# Alembic keeps the migration that runs in module-level state.
_one_at_a_time = threading.Lock()


def configuration(connection: Connection) -> Config:
    """Alembic's configuration for a connection; migrations come from the installed package."""
    config = Config()
    config.set_main_option("script_location", "clickwise.state:migrations")
    config.set_main_option("path_separator", "os")
    config.attributes["connection"] = connection
    return config


def migrate(engine: Engine, *, begin: Callable[[Connection], None], version: str = "head") -> None:
    """Upgrade to `version` in one transaction that other processes wait for.

    Raises:
        ConfigurationError: the database is ahead of this program.
        UnavailableError: it did not answer, or another migration held it for too long.
    """
    with _one_at_a_time:
        try:
            with engine.connect() as connection:
                begin(connection)
                if engine.dialect.name == "postgresql":
                    connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({_ADVISORY_LOCK})")
                    _make_schema(connection)
                check(connection)
                command.upgrade(configuration(connection), version)
                connection.exec_driver_sql("COMMIT")
        except DBAPIError as error:
            raise translate(error) from error


def migrate_back(
    engine: Engine,
    *,
    begin: Callable[[Connection], None],
    version: str,
    told: Callable[[Sequence[str]], None],
) -> str:
    """Downgrade to the older `version`, in one transaction likewise; the version before.

    What only newer tables hold is lost: `told` gets a sentence of each step before any is done.

    Raises:
        ConfigurationError: there is no such version, or the database is not ahead of it.
        UnavailableError: it did not answer, or another migration held it for too long.
    """
    with _one_at_a_time:
        try:
            with engine.connect() as connection:
                known = {one.revision for one in _scripts(connection).walk_revisions()}
                if version not in known:
                    raise ConfigurationError(
                        f"there is no schema {version!a}: {', '.join(sorted(known))} are known"
                    )
                begin(connection)
                if engine.dialect.name == "postgresql":
                    connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({_ADVISORY_LOCK})")
                check(connection)
                before = version_of(connection)
                if version >= before:
                    raise ConfigurationError(
                        f"the database has schema {before or 'none'}, which is not newer than"
                        f" {version}"
                    )
                told(lost_between(before, version))
                command.downgrade(configuration(connection), version)
                connection.exec_driver_sql("COMMIT")
        except DBAPIError as error:
            raise translate(error) from error
    return before


def version_of(connection: Connection) -> str:
    """The schema that a database has; empty before the first migration."""
    return MigrationContext.configure(connection).get_current_revision() or ""


def _scripts(connection: Connection) -> ScriptDirectory:
    return ScriptDirectory.from_config(configuration(connection))


def _make_schema(connection: Connection) -> None:
    """Where tables go to a schema that the search path names and nobody has made, make it."""
    if connection.exec_driver_sql("SELECT current_schema()").scalar() is None:
        path = str(connection.exec_driver_sql("SHOW search_path").scalar())
        first = path.split(",", maxsplit=1)[0].strip().strip('"')
        quoted = connection.dialect.identifier_preparer.quote(first)
        connection.exec_driver_sql(f"CREATE SCHEMA IF NOT EXISTS {quoted}")


def check(connection: Connection) -> None:
    """Refuse a database that a newer program has migrated.

    An older schema, or none, passes: `migrate` is what it needs.
    """
    if not inspect(connection).has_table(_VERSION_TABLE):
        return
    versions = select(column("version_num", Text)).select_from(table(_VERSION_TABLE))
    for version in connection.scalars(versions):
        if version > SCHEMA_VERSION:
            raise ConfigurationError(
                f"the database's schema {version} is newer than {SCHEMA_VERSION}, the newest that"
                " this program knows: run the newer program, or restore a backup"
            )
