"""Which models are in use, and how far profiles are rebuilt for the live one."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.types import TypeEngine

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def _words() -> TypeEngine[str]:
    return sa.Text().with_variant(sa.Text(collation="C"), "postgresql")


def upgrade() -> None:
    """Create both tables, and the counter of changes at 0."""
    op.create_table(
        "releases",
        sa.Column("role", _words(), primary_key=True),
        sa.Column("version", _words(), nullable=False),
        sa.Column("url", _words(), nullable=False),
        sa.Column("checksum", _words(), nullable=False),
        sa.Column("share", sa.Double, nullable=False),
        sa.Column("since", sa.BigInteger, nullable=False),
        sa.Column("changed", sa.BigInteger, nullable=False),
        sa.Column("encoder", _words(), nullable=False),
    )
    op.create_table(
        "rebuilds",
        sa.Column("version", _words(), primary_key=True),
        sa.Column("changed", sa.BigInteger, nullable=False),
        sa.Column("after", _words(), nullable=False),
        sa.Column("seen", sa.BigInteger, nullable=False),
        sa.Column("rebuilt", sa.BigInteger, nullable=False),
        sa.Column("done", sa.BigInteger, nullable=False),
    )
    op.execute("INSERT INTO counters (name, value) VALUES ('releases', 0)")


def downgrade() -> None:
    """Drop both tables and the counter."""
    op.drop_table("rebuilds")
    op.drop_table("releases")
    op.execute("DELETE FROM counters WHERE name = 'releases'")
