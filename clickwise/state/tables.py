"""The tables of the state, the same on SQLite and PostgreSQL.

Text is compared byte by byte on both (PostgreSQL: collation "C"), so `A` and `a`, or a letter
with and without a combining mark, are different keys and sort alike. Instants are kept as
microseconds since 1970. A change here needs a migration beside it (`migrations/versions`) and
a new `SCHEMA_VERSION`; the contract suite compares the two.
"""

from datetime import UTC, datetime, timedelta

from sqlalchemy import (
    BigInteger,
    Column,
    Dialect,
    Double,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    Table,
    Text,
    TypeDecorator,
    UniqueConstraint,
)
from sqlalchemy.types import TypeEngine

# The newest migration's revision. Revisions are numbered, so that a newer one is recognized.
SCHEMA_VERSION = "0002"

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


class Instant(TypeDecorator[datetime]):
    """An aware datetime, kept as whole microseconds since 1970."""

    impl = BigInteger
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> int | None:
        """To the database."""
        del dialect
        return None if value is None else (value - _EPOCH) // _MICROSECOND

    def process_result_value(self, value: int | None, dialect: Dialect) -> datetime | None:
        """From the database."""
        del dialect
        return None if value is None else _EPOCH + value * _MICROSECOND


def _words() -> TypeEngine[str]:
    return Text().with_variant(Text(collation="C"), "postgresql")


def _sequence() -> TypeEngine[int]:
    # SQLite numbers rows by itself only in a column of exactly this type.
    return BigInteger().with_variant(Integer(), "sqlite")


metadata = MetaData()

profiles = Table(
    "profiles",
    metadata,
    Column("user", _words(), primary_key=True),
    Column("version", BigInteger, nullable=False),
    Column("body", LargeBinary, nullable=False),
)

events = Table(
    "events",
    metadata,
    Column("seq", _sequence(), primary_key=True),
    Column("key", BigInteger, nullable=False),
    Column("received", Instant, nullable=False),
    Column("body", LargeBinary),
    UniqueConstraint("key", name="events_key"),
    Index("events_received", "received"),
    sqlite_autoincrement=True,
)

offsets = Table(
    "offsets",
    metadata,
    Column("consumer", _words(), primary_key=True),
    Column("topic", _words(), primary_key=True),
    Column("partition", BigInteger, primary_key=True, autoincrement=False),
    Column("source", BigInteger, primary_key=True, autoincrement=False),
    Column("next", BigInteger, nullable=False),
)

items = Table(
    "items",
    metadata,
    Column("key", BigInteger, primary_key=True, autoincrement=False),
    Column("id", _words(), nullable=False),
    Column("body", LargeBinary),
    Column("change", BigInteger, nullable=False),
    Column("model", _words(), nullable=False),
    Index("items_change", "change", unique=True),
)

# Apart from `items`, so that vectors of two models can stand side by side.
item_vectors = Table(
    "item_vectors",
    metadata,
    Column("key", BigInteger, primary_key=True, autoincrement=False),
    Column("model", _words(), primary_key=True),
    Column("vector", LargeBinary, nullable=False),
)

# `change`: the newest of `items`; `items`: how many are not deleted; `events`, `exposures`: the
# greatest number that pruning took from the log. A writer of the log holds that row, so that
# numbers become visible in order. `releases`: how often the table of that name was changed.
counters = Table(
    "counters",
    metadata,
    Column("name", _words(), primary_key=True),
    Column("value", BigInteger, nullable=False),
)

item_activity = Table(
    "item_activity",
    metadata,
    Column("key", BigInteger, primary_key=True, autoincrement=False),
    Column("log_score", Double, nullable=False),
    Column("body", LargeBinary, nullable=False),
    Index("item_activity_log_score", "log_score", "key"),
)

dead_letters = Table(
    "dead_letters",
    metadata,
    Column("id", _sequence(), primary_key=True),
    Column("topic", _words(), nullable=False),
    Column("partition", BigInteger, nullable=False),
    Column("offset", BigInteger, nullable=False),
    Column("key", LargeBinary),
    Column("value", LargeBinary),
    Column("reason", _words(), nullable=False),
    Column("detail", _words(), nullable=False),
    Column("at", Instant, nullable=False),
    Column("replayed", Instant),
    UniqueConstraint("topic", "partition", "offset", name="dead_letters_place"),
    sqlite_autoincrement=True,
)

exposures = Table(
    "exposures",
    metadata,
    Column("seq", _sequence(), primary_key=True),
    Column("received", Instant, nullable=False),
    Column("body", LargeBinary, nullable=False),
    Index("exposures_received", "received"),
    sqlite_autoincrement=True,
)

# What each role names: the truth of which models are in use, changed as a whole.
releases = Table(
    "releases",
    metadata,
    Column("role", _words(), primary_key=True),
    Column("version", _words(), nullable=False),
    Column("url", _words(), nullable=False),
    Column("checksum", _words(), nullable=False),
    Column("share", Double, nullable=False),
    Column("since", BigInteger, nullable=False),
    Column("changed", Instant, nullable=False),
    Column("encoder", _words(), nullable=False),
)

# How far the profiles are rebuilt for the live model; one row.
rebuilds = Table(
    "rebuilds",
    metadata,
    Column("version", _words(), primary_key=True),
    Column("changed", Instant, nullable=False),
    Column("after", _words(), nullable=False),
    Column("seen", BigInteger, nullable=False),
    Column("rebuilt", BigInteger, nullable=False),
    Column("done", BigInteger, nullable=False),
)
