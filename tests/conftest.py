"""Fixtures that every kind of test shares: real services, started once a run when asked for."""

from collections.abc import Iterator
from uuid import uuid4

import pytest
from hypothesis import HealthCheck
from hypothesis import settings as of_hypothesis

from clickwise.testing.kafka import KafkaMissingError, KafkaServer, libraries
from clickwise.testing.postgres import PostgresMissingError, PostgresServer
from clickwise.testing.services import missing

# Machines are shared: how long an example takes says nothing about it.
of_hypothesis.register_profile(
    "shared", deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
of_hypothesis.load_profile("shared")


@pytest.fixture(scope="session")
def _postgres_or_reason() -> Iterator[PostgresServer | str]:
    try:
        server = PostgresServer()
    except PostgresMissingError as error:
        yield str(error)
        return
    with server:
        yield server


@pytest.fixture(scope="session")
def postgres(_postgres_or_reason: PostgresServer | str) -> PostgresServer:
    """The run's PostgreSQL. A test that stops it starts it again."""
    if isinstance(_postgres_or_reason, str):
        missing(_postgres_or_reason)
    return _postgres_or_reason


@pytest.fixture
def postgres_url(postgres: PostgresServer) -> Iterator[str]:
    """A fresh, empty database."""
    name = f"test_{uuid4().hex}"
    yield postgres.create_database(name)
    postgres.drop_database(name)


@pytest.fixture(scope="session")
def _kafka_or_reason(tmp_path_factory: pytest.TempPathFactory) -> Iterator[KafkaServer | str]:
    try:
        libraries()
    except KafkaMissingError as error:
        yield str(error)
        return
    with KafkaServer(tmp_path_factory.mktemp("kafka")) as broker:
        yield broker


@pytest.fixture(scope="session")
def kafka(_kafka_or_reason: KafkaServer | str) -> KafkaServer:
    """The run's Kafka broker. A test that stops it starts it again."""
    if isinstance(_kafka_or_reason, str):
        missing(_kafka_or_reason)
    return _kafka_or_reason


@pytest.fixture
def topic_prefix() -> str:
    """Topics of this test alone begin with it."""
    return f"t{uuid4().hex[:12]}"
