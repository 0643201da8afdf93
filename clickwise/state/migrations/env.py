"""What alembic runs: migrations on the connection that `clickwise.state.schema` hands over.

The connection is inside a transaction that holds the migration lock; its owner commits.
"""

from alembic import context

from clickwise.state.tables import metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
)
with context.begin_transaction():
    context.run_migrations()
