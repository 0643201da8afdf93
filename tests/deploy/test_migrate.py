"""`clickwise migrate`, which a hook runs before pods are replaced."""

import psycopg
import pytest

from clickwise.cli import run
from clickwise.cli.exits import Exit
from clickwise.state.tables import SCHEMA_VERSION


@pytest.fixture
def version(postgres_url, monkeypatch, tmp_path):
    """Reads the schema's version; the command is set to this database."""
    monkeypatch.setenv("CLICKWISE_DATABASE_URL", postgres_url)
    monkeypatch.setenv("CLICKWISE_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("CLICKWISE_STARTUP_TIMEOUT_SECONDS", "1")

    def execute(statement="SELECT version_num FROM alembic_version"):
        with psycopg.connect(postgres_url.replace("+psycopg", ""), autocommit=True) as opened:
            cursor = opened.execute(statement)
            return cursor.fetchone()[0] if cursor.description else None

    return execute


def test_an_empty_database_gets_the_tables_of_this_version(version):
    assert run(["migrate"]) == Exit.DONE

    assert version() == SCHEMA_VERSION


def test_done_again_it_changes_nothing(version):
    run(["migrate"])

    assert run(["migrate"]) == Exit.DONE

    assert version() == SCHEMA_VERSION


@pytest.mark.usefixtures("version")
def test_it_needs_no_kafka(monkeypatch):
    monkeypatch.setenv("CLICKWISE_KAFKA_BOOTSTRAP", "127.0.0.1:1")

    assert run(["migrate"]) == Exit.DONE


def test_tables_of_a_newer_version_are_left_alone(version, capsys):
    run(["migrate"])
    version("UPDATE alembic_version SET version_num = '9999'")

    assert run(["migrate"]) == Exit.USAGE

    assert "newer" in capsys.readouterr().err
    assert version() == "9999"


@pytest.mark.usefixtures("version")
def test_a_database_that_is_away_is_waited_for_and_then_told(monkeypatch, capsys):
    monkeypatch.setenv("CLICKWISE_DATABASE_URL", "postgresql+psycopg://one@127.0.0.1:1/one")

    assert run(["migrate"]) == Exit.UNAVAILABLE

    assert "CLICKWISE_STARTUP_TIMEOUT_SECONDS" in capsys.readouterr().err


def test_it_goes_back_for_an_older_version_and_forward_again(version, capsys):
    run(["migrate"])

    assert run(["migrate", "--back-to", "0005"]) == Exit.DONE

    assert "schema 0005" in capsys.readouterr().out
    assert version() == "0005"
    assert run(["migrate"]) == Exit.DONE
    assert version() == SCHEMA_VERSION


@pytest.mark.parametrize("wanted", ["0042", SCHEMA_VERSION, "head"])
def test_it_goes_back_to_nothing_but_an_older_version(version, capsys, wanted):
    run(["migrate"])

    assert run(["migrate", "--back-to", wanted]) == Exit.USAGE

    assert "schema" in capsys.readouterr().err
    assert version() == SCHEMA_VERSION
