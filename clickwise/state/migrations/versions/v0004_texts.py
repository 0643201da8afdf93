"""Texts written for readers, what a person decided about them, and what was refused."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.types import TypeEngine

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

_TABLES = ("text_tokens", "text_rejections", "text_attempts", "text_decisions", "texts")
_COUNTERS = ("texts", "texts_published")


def _words() -> TypeEngine[str]:
    return sa.Text().with_variant(sa.Text(collation="C"), "postgresql")


def _sequence() -> TypeEngine[int]:
    return sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def _said(*names: str) -> list[sa.Column[str]]:
    return [sa.Column(name, _words(), nullable=False) for name in names]


def _numbers(*names: str) -> list[sa.Column[int]]:
    return [sa.Column(name, sa.BigInteger, nullable=False) for name in names]


def _place(*names: str) -> list[sa.Column[str]]:
    return [sa.Column(name, _words(), primary_key=True) for name in names]


def _key() -> sa.Column[int]:
    return sa.Column("key", sa.BigInteger, primary_key=True, autoincrement=False)


def upgrade() -> None:
    """Create the tables, and the counters at 0."""
    op.create_table(
        "texts",
        _key(),
        *_place("segment", "field"),
        *_said("item", "topic"),
        sa.Column("text", _words()),
        *_said("title"),
        *_numbers("change"),
        *_said("prompt", "model"),
        *_numbers("number", "made"),
    )
    op.create_index("texts_number", "texts", ["number"])
    op.create_table(
        "text_decisions",
        _key(),
        *_place("segment", "field"),
        *_said("item", "action", "text", "title"),
        *_numbers("number", "at"),
    )
    op.create_index("text_decisions_number", "text_decisions", ["number"])
    op.create_table(
        "text_attempts",
        _key(),
        *_place("segment"),
        *_numbers("change"),
        *_said("digest", "recipe"),
        *_numbers("accepted", "rejected", "at"),
    )
    op.create_table(
        "text_rejections",
        sa.Column("id", _sequence(), primary_key=True),
        *_numbers("key"),
        *_said("item", "segment", "field", "reason", "detail", "text", "prompt", "model"),
        *_numbers("at"),
        sqlite_autoincrement=True,
    )
    op.create_index("text_rejections_key", "text_rejections", ["key"])
    op.create_table("text_tokens", *_place("day"), *_numbers("prompt", "completion"))
    for name in _COUNTERS:
        op.execute(f"INSERT INTO counters (name, value) VALUES ('{name}', 0)")  # noqa: S608  # names above


def downgrade() -> None:
    """Drop the tables and the counters."""
    for table in _TABLES:
        op.drop_table(table)
    for name in _COUNTERS:
        op.execute(f"DELETE FROM counters WHERE name = '{name}'")  # noqa: S608  # names above
