"""Schema migrations (alembic), run by `clickwise.state.schema.migrate`."""
