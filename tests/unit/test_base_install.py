"""The base install, without any extra, starts; what needs one names it."""

import os
import subprocess
import sys
import textwrap
import tomllib
from pathlib import Path

import pytest

from clickwise import installing
from clickwise.testing.kafka import free_ports

ROOT = Path(__file__).parents[2]
BLOCKED = """
import sys
from importlib.abc import MetaPathFinder

class Missing(MetaPathFinder):
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {
            "aiokafka", "faust", "fsspec", "mode", "openai", "opentelemetry", "psycopg", "pyarrow",
            "torch", "transformers", "xllamacpp"
        }:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)

sys.meta_path.insert(0, Missing())
from clickwise.cli import run
"""
KAFKA = {
    "CLICKWISE_KAFKA_BOOTSTRAP": "127.0.0.1:1",
    "CLICKWISE_DATABASE_URL": "sqlite:///never-made",
}


def without_extras(program, folder, **environment):
    return subprocess.run(
        [sys.executable, "-c", BLOCKED + textwrap.dedent(program)],
        env={**os.environ, **environment},
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_workers_and_command_load(tmp_path):
    done = without_extras(
        """
        import clickwise.cli.asgi, clickwise.cli.processes, serving.app
        sys.exit(run(["--help"]))
        """,
        tmp_path,
    )

    assert done.returncode == 0, done.stderr
    assert "Usage" in done.stdout


def test_a_folder_is_archived_to_and_a_url_names_the_extra(tmp_path):
    done = without_extras(
        """
        import os
        print(run(["archive", "--once", "--home", "site"]))
        os.environ["CLICKWISE_ARCHIVE_URL"] = "s3://bucket/archive"
        print(run(["archive", "--once", "--home", "site"]))
        """,
        tmp_path,
    )

    assert done.stdout.splitlines()[1:] == ["0", "2"], done.stdout + done.stderr
    assert installing.with_extra("train") in done.stderr


def test_what_needs_kafkas_client_names_the_extra(tmp_path):
    done = without_extras(
        """
        for line in ("stream", "serve", "topics create", "topics check", "events tail",
                     "dead-letters replay --all", "archive --once"):
            print(line, run(line.split()))
        """,
        tmp_path,
        CLICKWISE_PORT=str(free_ports(1)[0]),
        **KAFKA,
    )

    lines = done.stdout.splitlines()
    assert len(lines) == 7, done.stderr
    assert all(line.endswith(" 2") for line in lines), done.stdout + done.stderr
    assert done.stderr.count(installing.with_extra("kafka")) == 7, done.stderr
    assert "Traceback" not in done.stderr


def test_what_needs_postgresqls_client_names_the_extra(tmp_path):
    done = without_extras(
        'sys.exit(run(["dead-letters", "list"]))',
        tmp_path,
        CLICKWISE_DATABASE_URL="postgresql+psycopg://u:hunter2@127.0.0.1:1/d",
    )

    assert done.returncode == 2
    assert installing.with_extra("kafka") in done.stderr
    assert "hunter2" not in done.stderr


def test_what_writes_texts_names_the_extra(tmp_path):
    done = without_extras(
        """
        print(run(["up", "--home", "site"]))
        """,
        tmp_path,
        CLICKWISE_PORT=str(free_ports(1)[0]),
        CLICKWISE_TEXTS="embedded",
    )

    assert done.stdout.splitlines()[-1] == "2", done.stdout + done.stderr
    assert installing.with_extra("texts") in done.stderr


def test_what_is_traced_names_the_extra(tmp_path):
    done = without_extras(
        """
        import os
        from clickwise import settings, tracing
        tracing.start(settings.load(os.environ), service="serve")
        """,
        tmp_path,
        CLICKWISE_TRACE_ENDPOINT="http://127.0.0.1:1/v1/traces",
    )

    assert installing.with_extra("trace") in done.stderr


@pytest.mark.parametrize("name", ["kafka", "train", "texts", "trace"])
def test_the_command_that_adds_an_extra_is_that_of_the_readme(name):
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    command = installing.with_extra(name).partition(": ")[2]

    assert name in project["optional-dependencies"]
    assert command.replace(name, "train") in (ROOT / "README.md").read_text()
    assert (ROOT / "constraints.txt").is_file()


def test_nobody_is_sent_to_an_index_where_clickwise_is_not():
    told = [
        path
        for folder in ("clickwise", "streams", "serving", "training", "docs")
        for path in (ROOT / folder).rglob("*")
        if path.suffix in {".py", ".md"} and "install 'clickwise" in path.read_text()
    ]

    assert told == []
