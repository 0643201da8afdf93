"""Deployments of processes: topics, a database, workers.

Services that are killed have to keep what they acknowledged, so here PostgreSQL waits for it.
"""

import sys
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Protocol

import pytest

from clickwise.settings import Settings, environment_of, load
from clickwise.state.port import State
from clickwise.state.sql import open_state
from clickwise.testing.kafka import KafkaServer
from clickwise.testing.postgres import PostgresMissingError, PostgresServer
from clickwise.testing.processes import Program
from clickwise.testing.services import missing
from streams import topics_admin

WORKER = Path(__file__).with_name("worker_entry.py")


@pytest.fixture(scope="session")
def _durable_postgres_or_reason() -> Iterator[PostgresServer | str]:
    try:
        server = PostgresServer(durable=True)
    except PostgresMissingError as error:
        yield str(error)
        return
    with server:
        yield server


@pytest.fixture(scope="session")
def postgres(_durable_postgres_or_reason: PostgresServer | str) -> PostgresServer:
    """A PostgreSQL that can be killed. A test that stops it starts it again."""
    if isinstance(_durable_postgres_or_reason, str):
        missing(_durable_postgres_or_reason)
    return _durable_postgres_or_reason


class StartWorker(Protocol):
    def __call__(self, name: str, settings: Settings | None = None, **extra: str) -> Program: ...


@pytest.fixture
def stream_settings(
    kafka: KafkaServer, postgres_url: str, topic_prefix: str, tmp_path: Path
) -> Settings:
    """A deployment of its own; its topics exist."""
    settings = load(
        {},
        kafka_bootstrap=kafka.bootstrap,
        kafka_topic_prefix=topic_prefix,
        kafka_group=topic_prefix,
        kafka_session_timeout_seconds=2.0,
        database_url=postgres_url,
        home=str(tmp_path / "home"),
        stream_batch=64,
        log_format="json",
    )
    topics_admin.create_topics(settings)
    return settings


@pytest.fixture
def start_worker(stream_settings: Settings, tmp_path: Path) -> Iterator[StartWorker]:
    """Starts workers, each with a log of its own; ends those that still run."""
    with ExitStack() as stack:

        def start(name: str, settings: Settings | None = None, **extra: str) -> Program:
            program = Program(
                [sys.executable, str(WORKER)],
                environment={**environment_of(settings or stream_settings), **extra},
                log=tmp_path / f"{name}.log",
            )
            return stack.enter_context(program)

        yield start


@pytest.fixture
def state(stream_settings: Settings) -> Iterator[State]:
    """The deployment's database, as another process sees it."""
    url = stream_settings.database_url.reveal()
    opened = open_state(url, timeout_seconds=10.0, pool_size=2)
    opened.migrate()
    yield opened
    opened.close()
