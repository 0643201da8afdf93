"""The first tables."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.types import TypeEngine

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

# What later migrations leave where they go back.
_LEFT = ("forgotten", "hash_keys")
_TABLES = (
    "exposures",
    "dead_letters",
    "item_activity",
    "counters",
    "item_vectors",
    "items",
    "offsets",
    "events",
    "profiles",
)


def _words() -> TypeEngine[str]:
    return sa.Text().with_variant(sa.Text(collation="C"), "postgresql")


def _sequence() -> TypeEngine[int]:
    return sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def _key(name: str) -> sa.Column[int]:
    return sa.Column(name, sa.BigInteger, primary_key=True, autoincrement=False)


def upgrade() -> None:
    """Create every table, and the counters at 0."""
    _create_log()
    _create_items()
    _create_letters()
    if op.get_bind().dialect.name == "postgresql":
        # They hold floats: trying to compress them costs a fifth of a write and gains nothing.
        op.execute("ALTER TABLE profiles ALTER body SET STORAGE EXTERNAL")
        op.execute("ALTER TABLE item_vectors ALTER vector SET STORAGE EXTERNAL")


def downgrade() -> None:
    """Drop every table."""
    there = sa.inspect(op.get_bind()).get_table_names()
    for table in (*_TABLES, *(name for name in _LEFT if name in there)):
        op.drop_table(table)


def _create_log() -> None:
    op.create_table(
        "profiles",
        sa.Column("user", _words(), primary_key=True),
        sa.Column("version", sa.BigInteger, nullable=False),
        sa.Column("body", sa.LargeBinary, nullable=False),
    )
    op.create_table(
        "events",
        sa.Column("seq", _sequence(), primary_key=True),
        sa.Column("key", sa.BigInteger, nullable=False),
        sa.Column("received", sa.BigInteger, nullable=False),
        sa.Column("body", sa.LargeBinary),
        sa.UniqueConstraint("key", name="events_key"),
        sqlite_autoincrement=True,
    )
    op.create_index("events_received", "events", ["received"])
    op.create_table(
        "exposures",
        sa.Column("seq", _sequence(), primary_key=True),
        sa.Column("received", sa.BigInteger, nullable=False),
        sa.Column("body", sa.LargeBinary, nullable=False),
        sqlite_autoincrement=True,
    )
    op.create_index("exposures_received", "exposures", ["received"])
    op.create_table(
        "offsets",
        sa.Column("consumer", _words(), primary_key=True),
        sa.Column("topic", _words(), primary_key=True),
        _key("partition"),
        _key("source"),
        sa.Column("next", sa.BigInteger, nullable=False),
    )
    counters = op.create_table(
        "counters",
        sa.Column("name", _words(), primary_key=True),
        sa.Column("value", sa.BigInteger, nullable=False),
    )
    names = ("change", "items", "events", "exposures")
    op.bulk_insert(counters, [{"name": name, "value": 0} for name in names])


def _create_items() -> None:
    op.create_table(
        "items",
        _key("key"),
        sa.Column("id", _words(), nullable=False),
        sa.Column("body", sa.LargeBinary),
        sa.Column("change", sa.BigInteger, nullable=False),
        sa.Column("model", _words(), nullable=False),
    )
    op.create_index("items_change", "items", ["change"], unique=True)
    op.create_table(
        "item_vectors",
        _key("key"),
        sa.Column("model", _words(), primary_key=True),
        sa.Column("vector", sa.LargeBinary, nullable=False),
    )
    op.create_table(
        "item_activity",
        _key("key"),
        sa.Column("log_score", sa.Double, nullable=False),
        sa.Column("body", sa.LargeBinary, nullable=False),
    )
    op.create_index("item_activity_log_score", "item_activity", ["log_score", "key"])


def _create_letters() -> None:
    op.create_table(
        "dead_letters",
        sa.Column("id", _sequence(), primary_key=True),
        sa.Column("topic", _words(), nullable=False),
        sa.Column("partition", sa.BigInteger, nullable=False),
        sa.Column("offset", sa.BigInteger, nullable=False),
        sa.Column("key", sa.LargeBinary),
        sa.Column("value", sa.LargeBinary),
        sa.Column("reason", _words(), nullable=False),
        sa.Column("detail", _words(), nullable=False),
        sa.Column("at", sa.BigInteger, nullable=False),
        sa.Column("replayed", sa.BigInteger),
        sa.UniqueConstraint("topic", "partition", "offset", name="dead_letters_place"),
        sqlite_autoincrement=True,
    )
