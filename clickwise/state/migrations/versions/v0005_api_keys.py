"""API keys: a digest of each, what it may do, and until when."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.types import TypeEngine

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def _words() -> TypeEngine[str]:
    return sa.Text().with_variant(sa.Text(collation="C"), "postgresql")


def upgrade() -> None:
    """Create the table, and its counter at 0."""
    op.create_table(
        "api_keys",
        sa.Column("id", _words(), primary_key=True),
        sa.Column("digest", sa.LargeBinary, nullable=False),
        sa.Column("name", _words(), nullable=False),
        sa.Column("scopes", _words(), nullable=False),
        sa.Column("rate", sa.Double, nullable=False),
        sa.Column("created", sa.BigInteger, nullable=False),
        sa.Column("expires", sa.BigInteger),
        sa.Column("revoked", sa.BigInteger),
        sa.Column("replaces", _words(), nullable=False),
    )
    op.execute("INSERT INTO counters (name, value) VALUES ('api_keys', 0)")


def downgrade() -> None:
    """Drop the table and the counter: keys that it holds open nothing any more."""
    op.drop_table("api_keys")
    op.execute("DELETE FROM counters WHERE name = 'api_keys'")
