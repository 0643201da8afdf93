"""Errors of SQLAlchemy and its drivers, told as ours.

Messages name the kind of fault and its code, never a value, a statement or the URL: DETAIL
lines of PostgreSQL carry keys, connection strings carry passwords.
"""

from sqlalchemy.exc import (
    DatabaseError,
    DataError,
    DBAPIError,
    IntegrityError,
    InterfaceError,
    OperationalError,
    ProgrammingError,
)

from clickwise.errors import (
    ClickwiseError,
    ConfigurationError,
    ConflictError,
    InvalidInputError,
    UnavailableError,
)

_LOST_RACES = frozenset({"40001", "40P01"})  # serialization failure, deadlock
_READ_ONLY = "25006"  # a standby, or a database that takes no writes for a while
_NO_SCHEMA = frozenset({"42P01", "42703", "3F000"})  # undefined table, column, schema
# What libpq says of TLS; it has no codes for that.
_TLS = (
    "certificate verify failed",
    "root certificate file",
    "server certificate for",
    "server does not support SSL",
)


class SchemaError(ConfigurationError):
    """Tables are missing or of another version; every command that serves migrates them."""


def translate(error: DBAPIError) -> ClickwiseError:
    """The fault of ours that `error` is; raise it `from error`."""
    code = _code(error)
    fault: ClickwiseError
    if code in _LOST_RACES:
        fault = ConflictError(f"the transaction lost against another one ({code}); run it again")
    elif code == _READ_ONLY:
        fault = UnavailableError(f"the database takes no writes now ({code})")
    elif code in _NO_SCHEMA or _is_missing_table(error):
        fault = SchemaError(
            "the database's schema is not in place or not this program's: migrate it first"
        )
    elif isinstance(error, IntegrityError):
        fault = ConflictError(f"a row stands where another one is expected ({code})")
    elif isinstance(error, DataError):
        fault = InvalidInputError(f"a value does not fit its column ({code})")
    elif any(words in str(error.orig) for words in _TLS):
        fault = UnavailableError(
            "the database's certificate is not good, not that of an authority in sslrootcert, or"
            " it speaks no TLS: look at sslmode in the database URL and at the certificate"
        )
    elif isinstance(error, OperationalError | InterfaceError) or error.connection_invalidated:
        fault = UnavailableError(f"the database did not answer ({code})")
    elif type(error) is DatabaseError:
        fault = ConfigurationError(f"the file is not a usable database ({code})")
    else:
        fault = ConfigurationError(f"the database refused the program's statement ({code})")
    return fault


def _code(error: DBAPIError) -> str:
    """SQLSTATE, SQLite's error name, or at least the driver's class."""
    driver = error.orig
    for name in ("sqlstate", "sqlite_errorname"):
        code = getattr(driver, name, None)
        if isinstance(code, str):
            return code
    return type(driver).__name__


def _is_missing_table(error: DBAPIError) -> bool:
    # SQLite has one code for every fault of a statement; only the text tells them apart.
    return isinstance(error, OperationalError | ProgrammingError) and str(error.orig).startswith(
        ("no such table", "no such column", "table ")
    )
