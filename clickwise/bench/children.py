"""Our own programs as child processes: servers, stream workers, probes."""

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TypeVar

import msgspec

from clickwise.bench.connection import Connection
from clickwise.settings import Settings, environment_of
from clickwise.testing.kafka import free_ports
from clickwise.testing.processes import Program

READY_SECONDS = 120.0
T = TypeVar("T", bound=msgspec.Struct)

_COMMAND = (sys.executable, "-c", "from clickwise.cli import main; main()")


def clickwise(settings: Settings, *arguments: str, name: str = "") -> Program:
    """A `clickwise` command with these settings, logging into their home under its name."""
    log = settings.folder / f"{name or arguments[0]}.log"
    return Program([*_COMMAND, *arguments], environment=environment_of(settings), log=log)


def run_clickwise(settings: Settings, *arguments: str, seconds: float = 60.0) -> None:
    """Run a command to its end.

    Raises:
        RuntimeError: it ended with another code than 0; the message quotes it.
    """
    with clickwise(settings, *arguments) as program:
        code = program.wait(seconds=seconds)
        if code:
            raise RuntimeError(
                f"clickwise {arguments[0]} ended with {code}:\n{program.output[-2000:]}"
            )


@contextmanager
def serving(settings: Settings, command: str, *, workers: int) -> Iterator[int]:
    """A server that runs until the end of the block, ready to answer; its port.

    Raises:
        RuntimeError: it ended, or was not ready in time; the message quotes its log.
    """
    (port,) = free_ports(1)
    chosen = msgspec.structs.replace(settings, port=port, workers=workers)
    with clickwise(chosen, command) as program:
        _wait_ready(program, port)
        try:
            yield port
        finally:
            program.terminate()


def _wait_ready(program: Program, port: int) -> None:
    deadline = time.monotonic() + READY_SECONDS
    while program.running and time.monotonic() < deadline:
        try:
            with Connection("127.0.0.1", port) as connection:
                if connection.get("/readyz").status == 200:
                    return
        except OSError:
            pass
        time.sleep(0.05)
    raise RuntimeError(f"the server is not ready:\n{program.output[-3000:]}")


def probed(settings: Settings, module: str, plan: msgspec.Struct, answer: type[T]) -> T:
    """What one of our probes says, in its last line, when it is given `plan`.

    Raises:
        RuntimeError: it failed; the message quotes it.
    """
    done = subprocess.run(  # noqa: S603  # our own module
        [sys.executable, "-m", module],
        input=msgspec.json.encode(plan),
        capture_output=True,
        env={**_inherited(), **environment_of(settings), "OMP_NUM_THREADS": "1"},
        check=False,
    )
    if done.returncode:
        told = done.stderr.decode(errors="replace")[-3000:]
        raise RuntimeError(f"{module} ended with {done.returncode}:\n{told}")
    said = done.stdout.splitlines() or [b""]
    try:
        return msgspec.json.decode(said[-1], type=answer)
    except msgspec.DecodeError as error:
        raise RuntimeError(f"{module} said {done.stdout[-500:]!r}") from error


def _inherited() -> dict[str, str]:
    return {k: v for k, v in os.environ.items() if not k.startswith("CLICKWISE_")}
