"""Commands that change a site, or take something out of it, are in the audit log."""

import json
import os
import pwd
from collections.abc import Iterator
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path

import pytest
import typer

from clickwise.cli import run
from clickwise.cli.app import app
from clickwise.cli.audited import audited
from clickwise.cli.exits import Exit
from clickwise.cli.wiring import state_of
from clickwise.errors import (
    ClickwiseError,
    ConflictError,
    InvalidInputError,
    NotFoundError,
    UnavailableError,
)
from clickwise.settings import load
from clickwise.state.port import DeadLetter

ACCESS = Path(__file__).parents[2] / "docs" / "access.md"
# Every command is in one of these: one that is new has to be put where it belongs.
NOTED = {
    "keys create", "keys rotate", "keys revoke", "forget", "export", "merge", "import", "backup",
    "restore", "migrate", "topics create", "dead-letters replay", "models promote",
    "models rollback", "models canary", "models shadow", "models withdraw", "models prune",
    "texts edit", "texts block", "texts pin", "texts unblock",
}  # fmt: skip
LOOKING = {
    "keys list", "check", "version", "recommend", "understand", "topics check", "topics show",
    "events tail", "dead-letters list", "dead-letters show", "models list", "models show",
    "models diff", "models status", "texts list", "texts show", "texts rejections",
    "texts compare", "texts try", "docs show", "evaluate", "bench",
}  # fmt: skip
MADE_AGAIN = {"archive", "index build", "train once", "train loop", "train search", "docs write"}
RUNNING = {"up", "serve", "stream", "demo"}  # what they are told, they note themselves

MARK = "vermilion"


@pytest.fixture(autouse=True)
def files(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A place for an embedded site; an item and a click to import, with a mark in their ids."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("CLICKWISE_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("CLICKWISE_ENCODER_MODEL", "hashing:64")
    monkeypatch.setenv("CLICKWISE_LOG_FORMAT", "json")
    monkeypatch.setenv("CLICKWISE_LOG_LEVEL", "error")
    (tmp_path / "items.jsonl").write_text(
        json.dumps({"id": f"item-{MARK}", "kind": "news", "title": f"{MARK} story"}) + "\n"
    )
    (tmp_path / "events.jsonl").write_text(
        json.dumps(
            {
                "id": f"e-{MARK}", "user": f"ann-{MARK}", "item": f"item-{MARK}", "type": "click",
                "time": datetime.now(UTC).isoformat(),
            }
        )
        + "\n"
    )  # fmt: skip


def commands(group: typer.Typer = app, above: str = "") -> Iterator[str]:
    """Every command as it is typed."""
    for one in group.registered_commands:
        function = one.callback
        assert function is not None
        yield f"{above}{one.name or function.__name__.rstrip('_').replace('_', '-')}"
    for group_in in group.registered_groups:
        assert group_in.typer_instance is not None
        yield from commands(group_in.typer_instance, f"{group_in.name} ")


def noted(said: str) -> list[dict[str, object]]:
    return [json.loads(line) for line in said.splitlines() if '"stream": "audit"' in line]


def test_of_each_command_it_is_known_whether_it_is_noted() -> None:
    tuning = {one for one in commands() if one.startswith("tune ")}

    assert set(commands()) - tuning == NOTED | LOOKING | MADE_AGAIN | RUNNING


def test_the_documentation_names_those_that_are() -> None:
    told = ACCESS.read_text().partition("Commands write their lines")[2].partition("\n- ")[0]

    assert all(f"`{name}" in told for name in NOTED)


def test_each_is_noted_once_by_who_ran_it_and_without_ids_or_words(
    capsys: pytest.CaptureFixture[str],
) -> None:
    user, item = f"ann-{MARK}", f"item-{MARK}"
    done = [
        ("import", ["import", "items.jsonl"]),
        ("import", ["import", "events.jsonl"]),
        ("merge", ["merge", f"guest-{MARK}", user]),
        ("texts edit", ["texts", "edit", item, f"Another {MARK} title"]),
        ("texts unblock", ["texts", "unblock", item]),
        ("texts block", ["texts", "block", item]),
        ("export", ["export", user]),
        ("backup", ["backup", f"copy-{MARK}"]),
        ("forget", ["forget", user, "--receipt", f"{MARK}.json"]),
        ("forget --again", ["forget", "--again", f"{MARK}.json"]),
        ("restore", ["restore", f"copy-{MARK}", "--home", f"new-{MARK}"]),
        ("migrate --back-to", ["migrate", "--back-to", "0007"]),
    ]
    somebody = pwd.getpwuid(os.getuid()).pw_name

    for action, arguments in done:
        code, told = run(arguments), capsys.readouterr()

        assert code == Exit.DONE, told
        (line,) = noted(told.err)
        said = {name: line.get(name) for name in ("key", "action", "outcome", "by", "subject")}
        assert said == {
            "key": "command", "action": action, "outcome": "done", "by": somebody, "subject": None,
        }  # fmt: skip
        assert MARK not in json.dumps(line)


def test_what_something_stands_against_is_noted_too(capsys: pytest.CaptureFixture[str]) -> None:
    run(["import", "items.jsonl"])
    run(["merge", "guest", "ann"])
    capsys.readouterr()

    assert run(["merge", "guest", "bob"]) == Exit.FAILED

    (line,) = noted(capsys.readouterr().err)
    assert (line["action"], line["outcome"], line["reason"]) == ("merge", "refused", "conflict")


def test_an_import_that_refuses_rows_has_not_done_all(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    with (tmp_path / "items.jsonl").open("a") as rows:
        rows.write('{"id": "b"}\n')

    assert run(["import", "items.jsonl"]) == Exit.FAILED

    (line,) = noted(capsys.readouterr().err)
    assert (line["outcome"], line["reason"]) == ("failed", "refused_rows")


@pytest.mark.parametrize(
    ("fault", "outcome", "reason"),
    [
        (ConflictError("x"), "refused", "conflict"),
        (UnavailableError("x"), "failed", "unavailable"),
        (KeyboardInterrupt(), "failed", "interrupted"),
        (ZeroDivisionError(), "failed", "internal"),
    ],
)
def test_however_it_ends(
    capsys: pytest.CaptureFixture[str], fault: BaseException, outcome: str, reason: str
) -> None:
    settings = load({}, log_format="json")

    with pytest.raises(type(fault)), audited(settings, "fly"):
        raise fault

    (line,) = noted(capsys.readouterr().err)
    assert (line["action"], line["outcome"], line["reason"]) == ("fly", outcome, reason)


@pytest.mark.parametrize(
    ("fault", "reason"),
    [
        (NotFoundError("x"), "not_found"),
        (InvalidInputError("x"), "invalid"),
        (ConflictError("x"), "conflict"),
    ],
)
def test_what_had_begun_has_failed_whatever_stood_against_it(
    capsys: pytest.CaptureFixture[str], fault: ClickwiseError, reason: str
) -> None:
    def begin_and_fail() -> None:
        with audited(load({}, log_format="json"), "fly") as ending:
            ending.begun = True
            raise fault

    with pytest.raises(type(fault)):
        begin_and_fail()

    (line,) = noted(capsys.readouterr().err)
    assert (line["outcome"], line["reason"]) == ("failed", reason)


def test_a_replay_of_which_some_could_not_be_done_has_failed(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("CLICKWISE_DATABASE_URL", f"sqlite:///{tmp_path}/letters.db")
    monkeypatch.setenv("CLICKWISE_KAFKA_BOOTSTRAP", "127.0.0.1:9")
    letter = DeadLetter("strange", 0, 0, b"k", b"v", "invalid", "", datetime.now(UTC))
    with ExitStack() as stack:
        state = state_of(load(os.environ), stack)
        state.migrate()
        with state.write() as write:
            write.add_dead_letters([letter])

    assert run(["dead-letters", "replay", "--all"]) == Exit.FAILED

    (line,) = noted(capsys.readouterr().err)
    assert (line["outcome"], line["reason"]) == ("failed", "incomplete")


def test_what_names_nothing_that_is_there_has_no_line(capsys: pytest.CaptureFixture[str]) -> None:
    fault: ClickwiseError = NotFoundError("x")

    with pytest.raises(NotFoundError), audited(load({}, log_format="json"), "fly"):
        raise fault

    assert noted(capsys.readouterr().err) == []
