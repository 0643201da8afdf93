"""A program as a user starts it: its own process, its environment, what it wrote, how it ended."""

import os
import signal
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Self

STOP_SECONDS = 30.0
GRACE_SECONDS = 5.0  # from SIGTERM to SIGKILL at the end of a `with` block


def wait_until(condition: Callable[[], bool], *, seconds: float, what: str) -> None:
    """Return once `condition` holds.

    Raises:
        TimeoutError: it did not within `seconds`; `what` says what was waited for.
    """
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            raise TimeoutError(f"not within {seconds:g} s: {what}")
        time.sleep(0.02)


class Program:
    """One run of a command; at the end of the `with` block it is ended where it still runs, and
    so is all that it started, whether it runs itself or not.
    """

    def __init__(
        self,
        command: Sequence[str],
        *,
        environment: Mapping[str, str],
        log: Path,
        grace_seconds: float = GRACE_SECONDS,
    ) -> None:
        """The environment is the caller's without its CLICKWISE_... variables, plus this.

        `grace_seconds`: what the end of the `with` block leaves between SIGTERM and SIGKILL.
        """
        self._command = list(command)
        inherited = {k: v for k, v in os.environ.items() if not k.startswith("CLICKWISE_")}
        self._environment = {**inherited, "OMP_NUM_THREADS": "1", **environment}
        self._log = log
        self._grace_seconds = grace_seconds
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it; what it writes goes to the end of the log file."""
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(  # noqa: S603  # the caller's command
                self._command,
                env=self._environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    @property
    def running(self) -> bool:
        """True until it has ended."""
        return self._process is not None and self._process.poll() is None

    @property
    def pid(self) -> int:
        """Its process id, which is also the id of its process group."""
        if self._process is None:
            raise RuntimeError("it was not started")
        return self._process.pid

    @property
    def output(self) -> str:
        """What it and its earlier runs wrote to the log file."""
        return self._log.read_text(errors="replace") if self._log.exists() else ""

    def wait_for(self, text: str, *, seconds: float = 60.0) -> None:
        """Return once it has written `text`; TimeoutError quotes what it wrote instead."""
        try:
            wait_until(lambda: text in self.output or not self.running, seconds=seconds, what=text)
        except TimeoutError as error:
            raise TimeoutError(f"{error}\n{self.output[-3000:]}") from error
        if text not in self.output:
            raise RuntimeError(f"ended without {text!r}:\n{self.output[-3000:]}")

    def wait(self, *, seconds: float = STOP_SECONDS) -> int:
        """Wait for its end; the exit code, or minus the signal that ended it."""
        if self._process is None:
            raise RuntimeError("it was not started")
        return self._process.wait(seconds)

    def terminate(self) -> int:
        """SIGTERM to it alone, and wait; the exit code."""
        return self._end(signal.SIGTERM)

    def kill(self) -> int:
        """SIGKILL to it alone, and wait: what it started may live on until `end_group`."""
        return self._end(signal.SIGKILL)

    def end_group(self) -> None:
        """SIGTERM to all of its process group, then SIGKILL to what still runs; returns once
        nothing does. What began a session of its own has left the group, and stays.

        Raises:
            TimeoutError: something does not end by SIGKILL.
        """
        group = self.pid
        self._send_group(signal.SIGTERM)
        with suppress(TimeoutError):
            wait_until(lambda: not _running_of(group), seconds=self._grace_seconds, what="SIGTERM")
        self._send_group(signal.SIGKILL)
        wait_until(lambda: not _running_of(group), seconds=STOP_SECONDS, what=f"{group} is killed")
        self.wait()

    def send(self, what: signal.Signals) -> None:
        """A signal to it, where it still runs."""
        if self._process is not None and self.running:
            self._process.send_signal(what)

    def _send_group(self, what: signal.Signals) -> None:
        if _running_of(self.pid):
            with suppress(ProcessLookupError):
                os.killpg(self.pid, what)

    def _end(self, how: signal.Signals) -> int:
        self.send(how)
        return self.wait()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.end_group()


def _running_of(group: int) -> list[int]:
    """The processes of a group that run; those that ended and wait for their parents do not."""
    found = []
    for path in Path("/proc").iterdir():
        if not path.name.isdecimal():
            continue
        try:
            state, _, own_group, *_ = (path / "stat").read_text().rpartition(")")[2].split()
        except OSError:
            continue  # it has just ended
        if int(own_group) == group and state not in "ZX":
            found.append(int(path.name))
    return found
