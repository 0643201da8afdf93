"""How many requests a day a key may make, and how many it made."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.types import TypeEngine

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def _words() -> TypeEngine[str]:
    return sa.Text().with_variant(sa.Text(collation="C"), "postgresql")


def upgrade() -> None:
    """Add the column, 0 for no bound, and the table."""
    op.add_column(
        "api_keys", sa.Column("quota", sa.BigInteger, nullable=False, server_default=sa.text("0"))
    )
    op.create_table(
        "key_usage",
        sa.Column("key", _words(), primary_key=True),
        sa.Column("day", sa.BigInteger, primary_key=True),
        sa.Column("requests", sa.BigInteger, nullable=False),
    )


def downgrade() -> None:
    """Drop both: keys have no quota any more."""
    op.drop_table("key_usage")
    op.drop_column("api_keys", "quota")
