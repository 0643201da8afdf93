"""docs/tuning.md tells of every option that `clickwise tune ...` has, and of none besides."""

import re
from pathlib import Path

import pytest
import typer

from clickwise.cli.app import app

PAGE = (Path(__file__).parents[2] / "docs" / "tuning.md").read_text()
TOLD = set(re.findall(r"`[^`\n]*`", PAGE)) | set(
    re.findall(r"^clickwise tune .*", PAGE, re.MULTILINE)
)
NAMED = {name for text in TOLD for name in re.findall(r"--[a-z-]+", text)}
OF_OTHERS = {"--encoder"}  # `clickwise train once`

_command = typer.main.get_command(app)
COMMANDS = _command.get_command(None, "tune").commands
OPTIONS = {
    name: {option for parameter in command.params for option in parameter.opts
           if option.startswith("--")} - {"--help"}
    for name, command in COMMANDS.items()
}  # fmt: skip


@pytest.mark.parametrize("name", OPTIONS)
def test_every_option_of_a_command_is_told(name: str) -> None:
    assert OPTIONS[name] <= NAMED


def test_no_option_is_told_that_there_is_not() -> None:
    assert set().union(*OPTIONS.values()) | OF_OTHERS >= NAMED
