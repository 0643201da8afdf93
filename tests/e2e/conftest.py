"""Services that are killed have to keep what they acknowledged: here PostgreSQL waits for it."""

from collections.abc import Iterator

import pytest

from clickwise.testing.postgres import PostgresMissingError, PostgresServer
from clickwise.testing.services import missing


@pytest.fixture(scope="session")
def _durable_postgres_or_reason() -> Iterator[PostgresServer | str]:
    try:
        server = PostgresServer(durable=True)
    except PostgresMissingError as error:
        yield str(error)
        return
    with server:
        yield server


@pytest.fixture
def postgres(_durable_postgres_or_reason: PostgresServer | str) -> PostgresServer:
    """A PostgreSQL that can be killed. A test that stops it starts it again."""
    if isinstance(_durable_postgres_or_reason, str):
        missing(_durable_postgres_or_reason)
    return _durable_postgres_or_reason
