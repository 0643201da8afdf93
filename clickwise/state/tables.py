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
SCHEMA_VERSION = "0009"

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


def microseconds(moment: datetime) -> int:
    """Since 1970."""
    return (moment - _EPOCH) // _MICROSECOND


def instant(number: int) -> datetime:
    """That many microseconds after 1970."""
    return _EPOCH + number * _MICROSECOND


class Instant(TypeDecorator[datetime]):
    """An aware datetime, kept as whole microseconds since 1970."""

    impl = BigInteger
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> int | None:
        """To the database."""
        del dialect
        return None if value is None else microseconds(value)

    def process_result_value(self, value: int | None, dialect: Dialect) -> datetime | None:
        """From the database."""
        del dialect
        return None if value is None else instant(value)


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
# `texts`: the newest number of `texts` and `text_decisions`; `texts_published`: the newest that the
# topic of that name holds. `lease_...`: see `clickwise.state.lease_port`.
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

# What was understood of an item as it was at `change`, by the methods whose fingerprint is there.
understandings = Table(
    "understandings",
    metadata,
    Column("key", BigInteger, primary_key=True, autoincrement=False),
    Column("change", BigInteger, nullable=False),
    Column("methods", _words(), nullable=False),
    Column("reason", _words(), nullable=False),
    Column("body", LargeBinary, nullable=False),
    Column("signature", LargeBinary, nullable=False),
)

# Items whose texts may be nearly the same have a band in common.
bands = Table(
    "bands",
    metadata,
    Column("band", BigInteger, primary_key=True, autoincrement=False),
    Column("key", BigInteger, primary_key=True, autoincrement=False),
    Index("bands_key", "key"),
)

# Words written for an item's readers. `text` is None once withdrawn; `change` is the item's when it
# was last found to say what these words rest on; `number` is the row's place in the order of
# commits, shared with `text_decisions` (the counter `texts`).
texts = Table(
    "texts",
    metadata,
    Column("key", BigInteger, primary_key=True, autoincrement=False),
    Column("segment", _words(), primary_key=True),
    Column("field", _words(), primary_key=True),
    Column("item", _words(), nullable=False),
    Column("topic", _words(), nullable=False),
    Column("text", _words()),
    Column("title", _words(), nullable=False),
    Column("change", BigInteger, nullable=False),
    Column("prompt", _words(), nullable=False),
    Column("model", _words(), nullable=False),
    Column("number", BigInteger, nullable=False),
    Column("made", Instant, nullable=False),
    Index("texts_number", "number"),
)

# What a person decided: it goes before what is written. Removed ones stay, without an action.
text_decisions = Table(
    "text_decisions",
    metadata,
    Column("key", BigInteger, primary_key=True, autoincrement=False),
    Column("segment", _words(), primary_key=True),
    Column("field", _words(), primary_key=True),
    Column("item", _words(), nullable=False),
    Column("action", _words(), nullable=False),
    Column("text", _words(), nullable=False),
    Column("title", _words(), nullable=False),
    Column("number", BigInteger, nullable=False),
    Column("at", Instant, nullable=False),
    Index("text_decisions_number", "number"),
)

# For which state of an item, and by which recipe, a segment's texts were last tried.
text_attempts = Table(
    "text_attempts",
    metadata,
    Column("key", BigInteger, primary_key=True, autoincrement=False),
    Column("segment", _words(), primary_key=True),
    Column("change", BigInteger, nullable=False),
    Column("digest", _words(), nullable=False),
    Column("recipe", _words(), nullable=False),
    Column("accepted", BigInteger, nullable=False),
    Column("rejected", BigInteger, nullable=False),
    Column("at", Instant, nullable=False),
)

text_rejections = Table(
    "text_rejections",
    metadata,
    Column("id", _sequence(), primary_key=True),
    Column("key", BigInteger, nullable=False),
    Column("item", _words(), nullable=False),
    Column("segment", _words(), nullable=False),
    Column("field", _words(), nullable=False),
    Column("reason", _words(), nullable=False),
    Column("detail", _words(), nullable=False),
    Column("text", _words(), nullable=False),
    Column("prompt", _words(), nullable=False),
    Column("model", _words(), nullable=False),
    Column("at", Instant, nullable=False),
    Index("text_rejections_key", "key"),
    sqlite_autoincrement=True,
)

# Tokens that the language model was paid for, by UTC day.
text_tokens = Table(
    "text_tokens",
    metadata,
    Column("day", _words(), primary_key=True),
    Column("prompt", BigInteger, nullable=False),
    Column("completion", BigInteger, nullable=False),
)

# API keys. `digest` is SHA-256 of the key, whose 256 random bits nobody guesses; `scopes` are words
# with commas between. The counter `api_keys` grows with each change.
api_keys = Table(
    "api_keys",
    metadata,
    Column("id", _words(), primary_key=True),
    Column("digest", LargeBinary, nullable=False),
    Column("name", _words(), nullable=False),
    Column("scopes", _words(), nullable=False),
    Column("rate", Double, nullable=False),
    Column("created", Instant, nullable=False),
    Column("expires", Instant),
    Column("revoked", Instant),
    Column("replaces", _words(), nullable=False),
    Column("quota", BigInteger, nullable=False, server_default="0"),
)

# Requests of keys with a quota. `day` is the number of a UTC day since the year 1.
key_usage = Table(
    "key_usage",
    metadata,
    Column("key", _words(), primary_key=True),
    Column("day", BigInteger, primary_key=True),
    Column("requests", BigInteger, nullable=False),
)

# Whom the site was told to forget, and up to when. `user` is a keyed hash of the id.
forgotten = Table(
    "forgotten",
    metadata,
    Column("user", _words(), primary_key=True),
    Column("at", Instant, nullable=False),
)

# Guests who turned out to be users, whose their events are from then on. `moved`: the events that
# the merge took from the guest's profile, each its key and when it was applied (microseconds since
# 1970), 8 bytes each, little-endian; missing: not known, or not yet.
aliases = Table(
    "aliases",
    metadata,
    Column("guest", _words(), primary_key=True),
    Column("user", _words(), nullable=False),
    Column("merge", _words(), nullable=False),
    Column("at", Instant, nullable=False),
    Column("moved", LargeBinary),
    Index("aliases_user", "user"),
    Index("aliases_merge", "merge", unique=True),
)

# Random numbers made with the database, that its own hashes are keyed with.
hash_keys = Table(
    "hash_keys",
    metadata,
    Column("name", _words(), primary_key=True),
    Column("value", LargeBinary, nullable=False),
)
