"""Which guests turned out to be which users."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.types import TypeEngine

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def _words() -> TypeEngine[str]:
    return sa.Text().with_variant(sa.Text(collation="C"), "postgresql")


def upgrade() -> None:
    """Create the table."""
    op.create_table(
        "aliases",
        sa.Column("guest", _words(), primary_key=True),
        sa.Column("user", _words(), nullable=False),
        sa.Column("merge", _words(), nullable=False),
        sa.Column("at", sa.BigInteger, nullable=False),
    )
    op.create_index("aliases_user", "aliases", ["user"])
    op.create_index("aliases_merge", "aliases", ["merge"], unique=True)


def downgrade() -> None:
    """Drop the table: later events of a guest are the guest's again."""
    op.drop_table("aliases")
