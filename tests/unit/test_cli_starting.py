"""What a start says before it does anything that takes long."""

import json
import subprocess
import sys

import pytest

from clickwise.cli import run
from clickwise.cli.exits import Exit
from clickwise.cli.starting import say_first_start
from clickwise.cli.up import prepare
from clickwise.settings import Settings
from clickwise.testing.tiny_bert import write_tiny_bert


def test_the_first_start_of_a_home_says_at_once_what_takes_long(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("CLICKWISE_KAFKA_BOOTSTRAP", "localhost:9")  # which `up` refuses at once
    monkeypatch.setenv("CLICKWISE_DATABASE_URL", "sqlite:///x.sqlite")

    code = run(["up", "--home", str(tmp_path / "home")])

    first, *_ = capsys.readouterr().err.splitlines()
    assert code == Exit.USAGE
    assert first.startswith(f"first start on {tmp_path / 'home'}: making its text encoder")


def test_what_says_it_waits_for_no_heavy_imports():
    program = (
        "import sys; import clickwise.cli.app, clickwise.cli.starting;"
        "print({'numpy', 'sqlalchemy', 'polars', 'onnx', 'httpx'} & sys.modules.keys())"
    )

    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )

    assert done.stdout == "set()\n"


def test_each_part_of_the_making_of_the_encoder_is_told_without_a_terminal(tmp_path, capsys):
    model = str(write_tiny_bert(tmp_path / "tiny"))
    settings = Settings(home=str(tmp_path / "home"), encoder_model=model, encoder_device="cpu")
    settings.folder.mkdir()

    prepare(settings)

    told = [line.split(" s  ")[1] for line in capsys.readouterr().err.splitlines()]
    assert [line.partition(" (")[0] for line in told] == [
        "encoder: reading weights",
        "encoder: building the graph",
        "encoder: comparing languages",
        "encoder: checking against the weights",
        "encoder: writing",
        "encoder: done",
    ]
    say_first_start(settings, settings.folder)
    prepare(settings)
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize("model", ["default", "hashing:64"])
def test_a_log_collector_gets_records_and_an_encoder_without_weights_no_word(
    tmp_path, capsys, model
):
    settings = Settings(home=str(tmp_path), encoder_model=model, log_format="json")

    say_first_start(settings, tmp_path)

    lines = capsys.readouterr().err.splitlines()
    assert [json.loads(line)["event"] for line in lines] == ["starting"] * (model == "default")
