"""A child process that is started again when it ends, with a growing pause between tries."""

import subprocess
import sys
import threading
import time
from collections.abc import Mapping, Sequence

from clickwise import logs, metrics

FIRST_PAUSE_SECONDS = 1.0
LONGEST_PAUSE_SECONDS = 60.0
GOOD_RUN_SECONDS = 120.0  # after a run this long the pause starts small again
STOP_SECONDS = 10.0

log = logs.get(__name__)


class Child:
    """Runs `python -m <module> <arguments>` until `stop`."""

    def __init__(
        self, module: str, arguments: Sequence[str], *, environment: Mapping[str, str]
    ) -> None:
        self._module = module
        self._command = [sys.executable, "-m", module, *arguments]
        self._environment = dict(environment)
        self._stopping = threading.Event()
        self._process: subprocess.Popen[bytes] | None = None
        self._thread = threading.Thread(target=self._watch, name=module, daemon=True)

    def start(self) -> None:
        """Start it, and the thread that starts it again."""
        self._process = self._spawn()
        self._thread.start()

    def stop(self) -> None:
        """SIGTERM, then SIGKILL after ten seconds; returns when it has ended."""
        self._stopping.set()
        process = self._process
        if process is not None:
            process.terminate()
            try:
                process.wait(STOP_SECONDS)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        if self._thread.is_alive():
            self._thread.join()

    def _spawn(self) -> subprocess.Popen[bytes]:
        return subprocess.Popen(self._command, env=self._environment, stdin=subprocess.DEVNULL)  # noqa: S603  # our own module

    def _watch(self) -> None:
        pause = FIRST_PAUSE_SECONDS
        while self._process is not None:
            started = time.monotonic()
            code = self._process.wait()
            metrics.forget(self._process.pid)
            if self._stopping.is_set():
                return
            if time.monotonic() - started > GOOD_RUN_SECONDS:
                pause = FIRST_PAUSE_SECONDS
            log.warning("child_ended", child=self._module, code=code, again_in_seconds=pause)
            if self._stopping.wait(pause):
                return
            pause = min(pause * 2, LONGEST_PAUSE_SECONDS)
            self._process = self._spawn()
            if self._stopping.is_set():  # stop() saw the process before this one
                self._process.terminate()
