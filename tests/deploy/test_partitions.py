"""PostgreSQL's tables in parts: what partitions.sql makes of a database that is in use."""

import psycopg
import pytest

from clickwise.state.port import ProfileWrite
from clickwise.state.sql import open_state
from clickwise.types import UserId
from tests.deploy.files import DEPLOY

SQL = (DEPLOY / "postgresql" / "partitions.sql").read_text()
USERS = [UserId(f"user-{number}") for number in range(200)]


@pytest.fixture
def state(postgres_url):
    opened = open_state(postgres_url, timeout_seconds=30.0, pool_size=2)
    opened.migrate()
    yield opened
    opened.close()


@pytest.fixture
def connection(postgres_url):
    with psycopg.connect(postgres_url.replace("+psycopg", ""), autocommit=True) as opened:
        yield opened


def put(state, version):
    writes = [ProfileWrite(user, version - 1, b"of %d" % version) for user in USERS]
    with state.write() as write:
        write.put_profiles(writes)


def parts_with_rows(connection):
    return connection.execute("SELECT count(DISTINCT tableoid) FROM profiles").fetchone()[0]


def test_what_was_there_is_kept_and_goes_on_being_written(state, connection):
    put(state, 1)

    connection.execute(SQL)
    put(state, 2)

    assert parts_with_rows(connection) == 16
    assert state.profile_versions(USERS) == dict.fromkeys(USERS, 2)


def test_done_again_it_does_nothing(state, connection):
    put(state, 1)
    connection.execute(SQL)

    connection.execute(SQL)

    assert state.profile_versions(USERS) == dict.fromkeys(USERS, 1)


def test_a_database_in_parts_is_migrated_as_any_other(state, connection):
    connection.execute(SQL)

    state.migrate()

    put(state, 1)
    assert parts_with_rows(connection) == 16
