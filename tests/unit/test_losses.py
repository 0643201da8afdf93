"""Going back to an older schema: what is lost is written down, and said before it is done."""

import sqlite3
from contextlib import ExitStack
from pathlib import Path

import pytest
from alembic.script import ScriptDirectory

from clickwise.cli import run
from clickwise.cli.exits import Exit
from clickwise.cli.homes import make_home
from clickwise.cli.wiring import state_of
from clickwise.settings import load
from clickwise.state.migrations.losses import LOST, lost_between
from clickwise.state.tables import SCHEMA_VERSION

ROOT = Path(__file__).parents[2]
CARE = ROOT / "docs" / "care.md"


@pytest.fixture
def database(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """Of an embedded site, with the newest tables."""
    settings = load({}, home=str(tmp_path / "home"))
    monkeypatch.setenv("CLICKWISE_HOME", settings.home)
    make_home(settings)
    with ExitStack() as stack:
        state_of(settings, stack).migrate()
    (found,) = settings.folder.glob("*.sqlite*")
    return found


def test_every_schema_that_can_be_gone_back_to_has_its_row() -> None:
    scripts = ScriptDirectory(str(ROOT / "clickwise" / "state" / "migrations"))
    known = {one.revision for one in scripts.walk_revisions()}

    assert LOST.keys() == known - {SCHEMA_VERSION}


def test_the_documentation_has_the_same_rows() -> None:
    table = CARE.read_text().partition("| back to | lost |")[2].partition("\n\n")[0]

    rows = [line.strip("|").split("|", 1) for line in table.splitlines() if "---" not in line]
    written = {back.strip(): lost.strip() for back, lost in (row for row in rows if len(row) == 2)}
    assert written == LOST


def test_going_back_over_several_takes_what_each_of_them_takes() -> None:
    assert lost_between("0008", "0005") == [LOST["0007"], LOST["0006"], LOST["0005"]]
    assert lost_between("0007", "0006") == [LOST["0006"]]


def test_the_command_says_what_it_takes(database: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["migrate", "--back-to", "0005"]) == Exit.DONE

    said = [line for line in capsys.readouterr().err.splitlines() if line.startswith("lost: ")]
    assert said == [f"lost: {one}" for one in lost_between(SCHEMA_VERSION, "0005")]
    with sqlite3.connect(database) as opened:
        assert opened.execute("SELECT version_num FROM alembic_version").fetchone() == ("0005",)
    opened.close()
