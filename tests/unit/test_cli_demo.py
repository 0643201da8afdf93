"""The demo's folder and its server: what is emptied, and what ends with what."""

import asyncio
import io
import os
import signal
import stat
import subprocess
import sys
from contextlib import ExitStack
from datetime import UTC, datetime

import pytest
from rich.console import Console

from clickwise.bench.report import check_writable
from clickwise.cli.demo import (
    LETTERS_AT_ONCE,
    MARK,
    DemoOptions,
    count_letters,
    empty_home,
    port_of,
)
from clickwise.cli.demo_server import DemoServer
from clickwise.cli.demo_view import DemoView
from clickwise.cli.homes import ServerLock, make_folder
from clickwise.cli.stopping import run_unwinding, signals_unwind
from clickwise.cli.tally import Tally
from clickwise.cli.wiring import state_of
from clickwise.errors import ConfigurationError, ConflictError
from clickwise.settings import Settings
from clickwise.state.port import DeadLetter
from clickwise.testing.processes import wait_until


def mode_of(folder):
    return stat.S_IMODE(folder.stat().st_mode)


def test_a_demo_folder_is_for_its_owner_alone_and_so_are_its_parents(tmp_path):
    empty_home(tmp_path / "site" / "demo")

    assert mode_of(tmp_path / "site") == 0o700
    assert mode_of(tmp_path / "site" / "demo") == 0o700


def test_a_folder_that_is_there_keeps_its_mode(tmp_path):
    tmp_path.chmod(0o755)

    make_folder(tmp_path)

    assert mode_of(tmp_path) == 0o755


def test_an_earlier_demo_is_emptied_and_its_encoder_kept(tmp_path):
    for name in (MARK, "clickwise.sqlite"):
        (tmp_path / name).touch()
    (tmp_path / "models" / "encoders").mkdir(parents=True)
    (tmp_path / "vectors").mkdir()

    empty_home(tmp_path)

    assert {path.name for path in tmp_path.iterdir()} == {MARK, "models"}
    assert (tmp_path / "models" / "encoders").is_dir()


def test_a_folder_on_which_a_server_runs_is_left_alone(tmp_path):
    (tmp_path / MARK).touch()
    (tmp_path / "clickwise.sqlite").touch()
    lock = ServerLock(Settings(home=str(tmp_path)))
    lock.take("http://127.0.0.1:1")

    with pytest.raises(ConflictError, match=r"127\.0\.0\.1:1.*--home"):
        empty_home(tmp_path)

    assert (tmp_path / "clickwise.sqlite").exists()
    lock.release()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_signals_to_stop_unwind_like_an_interrupt(number):
    before = signal.getsignal(number)

    with pytest.raises(KeyboardInterrupt), signals_unwind():
        signal.raise_signal(number)

    assert signal.getsignal(number) is before


def test_a_signal_cancels_async_work_and_then_unwinds():
    ended = []

    async def lane(first):
        try:
            if first:
                signal.raise_signal(signal.SIGTERM)
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            ended.append(first)
            raise

    async def work():
        async with asyncio.TaskGroup() as group:
            group.create_task(lane(False))
            group.create_task(lane(True))

    with pytest.raises(KeyboardInterrupt), signals_unwind():
        run_unwinding(work())

    assert sorted(ended) == [False, True]


def options(*, port, once):
    return DemoOptions(
        once=once, json=None, port=port, home=None, people=0, lanes=1, events=0, history=0
    )


@pytest.mark.parametrize("once", [False, True])
def test_a_demo_listens_where_the_command_line_or_else_the_environment_says(once):
    settings = Settings(port=9110)

    assert port_of(options(port=None, once=once), settings) == 9110
    assert port_of(options(port=9120, once=once), settings) == 9120
    assert port_of(options(port=0, once=once), settings) == 0


def test_lines_to_try_are_apart_from_the_figures_and_living_is_announced():
    out = Console(file=io.StringIO(), width=160)
    view = DemoView({}, out=out)

    with view.following(Tally(["1"]), 10_000, {}):
        pass
    said = out.file.getvalue()
    view.lines_to_try({}, "http://127.0.0.1:1")

    assert said == "living 10,000 ratings through HTTP ...\n"
    assert "/docs" in out.file.getvalue()


def test_how_far_the_start_of_the_server_is_can_be_heard(tmp_path, monkeypatch):
    monkeypatch.setenv("CLICKWISE_ENCODER_MODEL", "hashing:64")
    said = []

    with DemoServer(tmp_path, port=0) as server:
        server.wait_until_ready(said.append)

    assert said == [f"starting the server on {server.address} ..."]


DEMO = """
import sys, time
from pathlib import Path
from clickwise.cli.demo_server import DemoServer
from clickwise.cli.stopping import signals_unwind

with signals_unwind(), DemoServer(Path(sys.argv[1]), port=0) as server:
    server.wait_until_ready()
    print(server.address, flush=True)
    server.wait_until_stopped()
"""


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP, signal.SIGKILL])
def test_the_server_ends_with_its_demo_however_that_ends(tmp_path, number):
    settings = Settings(home=str(tmp_path))
    inherited = {k: v for k, v in os.environ.items() if not k.startswith("CLICKWISE_")}
    with subprocess.Popen(
        [sys.executable, "-c", DEMO, str(tmp_path)],
        env={**inherited, "CLICKWISE_ENCODER_MODEL": "hashing:64"},
        stdout=subprocess.PIPE,
    ) as demo:
        assert demo.stdout is not None
        address = demo.stdout.readline().decode().strip()
        assert ServerLock(settings).address() == address

        demo.send_signal(number)
        demo.wait(60.0)

        wait_until(lambda: not ServerLock(settings).address(), seconds=60.0, what="server ended")


def test_a_file_for_figures_that_cannot_be_written_is_told_at_once(tmp_path):
    (tmp_path / "file").touch()

    check_writable(tmp_path / "new" / "figures.json")
    with pytest.raises(ConfigurationError, match="no file"):
        check_writable(tmp_path)
    with pytest.raises(ConfigurationError, match="cannot be written"):
        check_writable(tmp_path / "file" / "figures.json")
    assert not (tmp_path / "new" / "figures.json").exists()


def test_every_dead_letter_of_the_demo_is_counted(tmp_path):
    settings = Settings(home=str(tmp_path))
    letters = [
        DeadLetter("events", 0, number, None, b"{", "invalid", "no JSON", datetime.now(UTC))
        for number in range(LETTERS_AT_ONCE + 5)
    ]
    with ExitStack() as stack:
        state = state_of(settings, stack)
        state.migrate()
        with state.write() as write:
            write.add_dead_letters(letters)

    assert count_letters(settings) == LETTERS_AT_ONCE + 5
