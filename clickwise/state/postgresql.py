"""How this program opens PostgreSQL, through psycopg 3.

Every wait has an end: connecting, a statement (the server cancels it), and, where the server
is gone or stands still, the wait for its answer. The driver is in autocommit: transactions
begin with a BEGIN of ours, reads cost one round trip.
"""

import math

import psycopg
from psycopg.abc import RV, PQGen
from psycopg.pq import TransactionStatus
from psycopg.types.array import ListBinaryDumper
from sqlalchemy import URL, Dialect, Engine, NullPool, create_engine, event
from sqlalchemy.pool import ConnectionPoolEntry

# The server's own timeout comes first, with a clean error, where the server still works.
_GRACE_SECONDS = 0.5
# A process that stands still in a transaction must not hold its rows for ever.
_IDLE_IN_TRANSACTION_SECONDS = 30


class BoundedConnection(psycopg.Connection[tuple[object, ...]]):
    """A connection whose wait for an answer ends after `answer_seconds`, and with it itself."""

    answer_seconds: float | None = None

    def wait(self, gen: PQGen[RV], interval: float = 0.1, timeout: float | None = None) -> RV:
        """See psycopg.Connection; OperationalError when the time is over."""
        try:
            return super().wait(gen, interval, self.answer_seconds if timeout is None else timeout)
        except psycopg.OperationalError:
            if self.pgconn.transaction_status == TransactionStatus.ACTIVE:
                self.close()  # in the middle of an answer: of no more use
            raise


def open_postgresql(url: URL, *, connect_seconds: float, statement_seconds: float) -> Engine:
    """An engine on the database of `url`; it connects at first use."""
    engine = create_engine(
        url,
        poolclass=NullPool,
        isolation_level="AUTOCOMMIT",
        hide_parameters=True,
        pool_reset_on_return=None,
        use_native_hstore=False,
    )
    answer_seconds = statement_seconds + _GRACE_SECONDS
    settings = {
        "statement_timeout": math.ceil(statement_seconds * 1000),
        "idle_in_transaction_session_timeout": _IDLE_IN_TRANSACTION_SECONDS * 1000,
    }
    options: dict[str, str | int] = {
        "connect_timeout": math.ceil(connect_seconds),
        "application_name": "clickwise",
        "options": " ".join(f"-c {name}={value}" for name, value in settings.items()),
        "keepalives_idle": math.ceil(connect_seconds),
        "keepalives_interval": 1,
        "keepalives_count": 3,
        "tcp_user_timeout": math.ceil(answer_seconds * 1000),
    }

    @event.listens_for(engine, "do_connect")
    def _connect(
        dialect: Dialect,
        entry: ConnectionPoolEntry,
        positional: list[str],
        named: dict[str, str | int],
    ) -> BoundedConnection:
        del dialect, entry
        # What the URL says goes before these; of the server's settings, the later one counts.
        told = {"options": f"{options['options']} {named.get('options', '')}".rstrip()}
        connection = BoundedConnection.connect(*positional, **{**options, **named, **told})  # type: ignore[arg-type]  # libpq's options are text or numbers
        connection.answer_seconds = answer_seconds
        # As text, an array of profiles takes four times as long to write and to parse.
        connection.adapters.register_dumper(list, ListBinaryDumper)
        return connection

    return engine
