"""Which of a user's events a merge took from a guest, and when."""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the column; of earlier merges nobody knows."""
    op.add_column("aliases", sa.Column("moved", sa.LargeBinary, nullable=True))


def downgrade() -> None:
    """Drop it: lists from before a merge cannot be explained by events any more."""
    op.drop_column("aliases", "moved")
