"""A broker and a database to try it with: what is told can be used, and both end together."""

import threading
from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from clickwise.cli.wiring import state_of
from clickwise.settings import load
from clickwise.testing import borrowed
from clickwise.testing.kafka import KafkaServer
from clickwise.testing.postgres import PostgresServer
from clickwise.testing.processes import wait_until
from streams import topics_admin


@pytest.fixture
def told(
    kafka: KafkaServer, postgres: PostgresServer, capsys: pytest.CaptureFixture[str]
) -> Iterator[list[str]]:
    """Its lines, while it runs."""
    del kafka, postgres  # it is skipped where there are none
    ended, lines = threading.Event(), list[str]()

    def has_told() -> bool:
        lines.extend(capsys.readouterr().out.splitlines())
        return len(lines) == 2 or not running.is_alive()

    running = threading.Thread(target=borrowed.main, args=(ended,))
    running.start()
    try:
        wait_until(has_told, seconds=120.0, what="both are told")
        yield lines
    finally:
        ended.set()
        running.join(60.0)


def test_what_it_says_to_export_is_a_site_to_try(told: list[str]) -> None:
    variables = dict(line.removeprefix("export ").split("=", 1) for line in told)
    settings = load(variables)

    created = topics_admin.create_topics(settings)
    with ExitStack() as stack:
        state = state_of(settings, stack)
        state.migrate()
        items = state.count_items()

    assert {report.outcome for report in created} == {"created"}
    assert items == 0
    assert settings.database_url.reveal().startswith("postgresql+psycopg://")


def test_what_is_missing_is_one_line_and_exit_1(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("PATH", "")

    assert borrowed.main(threading.Event()) == 1

    assert capsys.readouterr().err.count("\n") == 1
