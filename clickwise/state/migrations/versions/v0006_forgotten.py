"""Whom the site was told to forget, and the key of the hashes that say so."""

import secrets

import sqlalchemy as sa
from alembic import op
from sqlalchemy.types import TypeEngine

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

KEY_BYTES = 32


def _words() -> TypeEngine[str]:
    return sa.Text().with_variant(sa.Text(collation="C"), "postgresql")


def upgrade() -> None:
    """Create both tables, and the key."""
    op.create_table(
        "forgotten",
        sa.Column("user", _words(), primary_key=True),
        sa.Column("at", sa.BigInteger, nullable=False),
    )
    keys = op.create_table(
        "hash_keys",
        sa.Column("name", _words(), primary_key=True),
        sa.Column("value", sa.LargeBinary, nullable=False),
    )
    op.bulk_insert(keys, [{"name": "people", "value": secrets.token_bytes(KEY_BYTES)}])


def downgrade() -> None:
    """Drop both tables."""
    op.drop_table("hash_keys")
    op.drop_table("forgotten")
