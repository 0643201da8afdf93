"""A real Kafka broker and a real PostgreSQL for the length of a measurement."""

import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import msgspec
from rich.progress import Progress

from clickwise.bench.children import clickwise, run_clickwise
from clickwise.bench.site import settings_for
from clickwise.settings import Settings
from clickwise.testing.kafka import KafkaServer
from clickwise.testing.postgres import PostgresServer
from clickwise.testing.processes import Program

ASSIGNED = "partitions assigned"
ATTEMPTS = 3


@dataclass(frozen=True, slots=True)
class Services:
    """Both services, and a folder for homes."""

    kafka: KafkaServer
    postgres: PostgresServer
    folder: Path

    def settings(self, *, dimension: int, name: str = "site") -> Settings:
        """Settings of a new site on an empty database of its own."""
        return settings_for(
            self.folder / name,
            dimension=dimension,
            database_url=self.postgres.create_database(name),
            kafka_bootstrap=self.kafka.bootstrap,
        )

    def create_topics(self, settings: Settings) -> None:
        """Create the topics of a site."""
        run_clickwise(settings, "topics", "create")


@contextmanager
def distributed(bar: Progress) -> Iterator[Services]:
    """Start both; stop them at the end of the block. PostgreSQL waits for the disk at commits.

    Raises:
        KafkaMissingError, PostgresMissingError: not installed; the message says what to do.
    """
    with ExitStack() as stack:
        task = bar.add_task("start Kafka and PostgreSQL", total=None)
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="clickwise-bench-")))
        postgres = stack.enter_context(PostgresServer(durable=True))
        kafka = _broker(folder, stack)
        bar.remove_task(task)
        yield Services(kafka, postgres, folder)


def _broker(folder: Path, stack: ExitStack) -> KafkaServer:
    """A broker that runs; with other ports when somebody was faster to take one."""
    for attempt in range(ATTEMPTS):
        broker = KafkaServer(folder / f"kafka-{attempt}")
        try:
            broker.start()
        except RuntimeError as error:
            if attempt + 1 == ATTEMPTS or "Address already in use" not in str(error):
                raise
        else:
            stack.callback(broker.stop)
            return broker
    raise AssertionError


@contextmanager
def streaming(settings: Settings) -> Iterator[Program]:
    """A stream worker that runs until the end of the block and has its partitions."""
    told = msgspec.structs.replace(settings, log_level="info")
    with clickwise(told, "stream") as worker:
        worker.wait_for(ASSIGNED, seconds=60.0)
        try:
            yield worker
        finally:
            worker.terminate()
