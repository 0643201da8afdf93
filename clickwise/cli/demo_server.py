"""`clickwise up` as a child of the demo: started, waited for, stopped."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Self

import msgspec

from clickwise.cli.server import address_of, claimable_port, wait_until_ready
from clickwise.errors import UnavailableError
from clickwise.settings import Settings, environment_of

START_SECONDS = 300.0
STOP_SECONDS = 20.0
QUOTED = 1_500
_PROGRESS = (" s  encoder: ", "starting the server")
# Stopped by the demo; should that be killed, it stops by itself.
_UP = (
    "from clickwise.cli.parents import end_with_parent; end_with_parent();"
    " from clickwise.cli import main; main()"
)


class DemoServer:
    """A server on a home of its own; its log is `server.log` there.

    A free port is chosen here, so that the address is known before it is up.
    """

    def __init__(self, home: Path, *, port: int) -> None:
        chosen = _settings(home, port)
        self.settings = chosen
        self.address = address_of(chosen)
        self._log = home / "server.log"
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        inherited = {k: v for k, v in os.environ.items() if not k.startswith("CLICKWISE_")}
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(  # noqa: S603  # our own command
                [sys.executable, "-c", _UP, "up"],
                env=inherited | environment_of(self.settings),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,  # the terminal's Ctrl-C is for the demo, which stops it
            )
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._process is None:
            return
        self._process.terminate()
        try:
            self._process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()

    def wait_until_ready(self, told: Callable[[str], None] = lambda _: None) -> None:
        """Return once it answers; `told` hears how far its start is.

        Raises:
            UnavailableError: it ended, or took too long; quotes its log.
        """
        with self._log.open(errors="replace") as written:

            def pass_on() -> None:
                for line in written:
                    if any(mark in line for mark in _PROGRESS):
                        told(line.rstrip())

            ready = wait_until_ready(
                self.address, seconds=START_SECONDS, alive=self._alive, meanwhile=pass_on
            )
            pass_on()
        if not ready:
            log = self._log.read_text(errors="replace")[-QUOTED:]
            raise UnavailableError(f"the server did not start; {self._log} ends with: {log}")

    def wait_until_stopped(self) -> None:
        """Return when it has ended, or at Ctrl-C."""
        if self._process is not None:
            try:
                self._process.wait()
            except KeyboardInterrupt:
                return

    def _alive(self) -> bool:
        return self._process is not None and self._process.poll() is None


def _settings(home: Path, port: int) -> Settings:
    """The environment's settings as far as they fit a demo: no services, loopback, no keys."""
    from clickwise.cli.options import settings_from

    given = settings_from()
    default = Settings()
    return msgspec.structs.replace(
        given,
        home=str(home),
        host=default.host,
        port=claimable_port(default.host, port),
        workers=1,
        api_keys=default.api_keys,
        access=default.access,
        tls_certificate="",
        tls_key="",
        database_url=default.database_url,
        kafka_bootstrap="",
        qdrant_url="",
    )
