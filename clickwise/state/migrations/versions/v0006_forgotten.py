"""Whom the site was told to forget, and the key of the hashes that say so.

Going back leaves both tables, which an older program does not look at. The names of people in the
archive and in receipts are made by the key (ADR 15): with another one in its place, forward again,
the archive would be another database's for ever.
"""

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
    """Create both tables, and the key, unless they are there from before a way back."""
    there = sa.inspect(op.get_bind()).get_table_names()
    if "forgotten" not in there:
        op.create_table(
            "forgotten",
            sa.Column("user", _words(), primary_key=True),
            sa.Column("at", sa.BigInteger, nullable=False),
        )
    if "hash_keys" not in there:
        keys = op.create_table(
            "hash_keys",
            sa.Column("name", _words(), primary_key=True),
            sa.Column("value", sa.LargeBinary, nullable=False),
        )
        op.bulk_insert(keys, [{"name": "people", "value": secrets.token_bytes(KEY_BYTES)}])


def downgrade() -> None:
    """Leave both tables: see above."""
