"""Keeps processes running, as systemd or Kubernetes would, and remembers each life of them."""

import os
import signal
import threading
import time
from contextlib import suppress
from dataclasses import dataclass, field

from clickwise.bench.memory import descendants
from clickwise.testing.processes import Program

RESTART_SECONDS = 0.5
LOOK_SECONDS = 0.05
SAID_CHARACTERS = 50_000  # of a life that is over


@dataclass
class Life:
    """From a start to its end. Moments are monotonic seconds. `signals`: what was sent to the
    process itself while it ran; `said`: the last of what it wrote, known when it has ended.
    """

    pid: int
    began: float
    ended: float | None = None
    code: int | None = None
    signals: list[signal.Signals] = field(default_factory=list)
    said: str = ""


@dataclass
class Supervised:
    """One process that is started again whenever it ends."""

    name: str
    program: Program
    lives: list[Life] = field(default_factory=list)
    _said_before: int = 0

    @property
    def output(self) -> str:
        """What it has said in its present life."""
        return self.program.output[self._said_before :]

    @property
    def running(self) -> bool:
        return self.program.running

    def start(self) -> None:
        self._said_before = len(self.program.output)
        self.program.start()
        self.lives.append(Life(self.program.pid, time.monotonic()))

    def send(self, what: signal.Signals) -> None:
        """To the process itself."""
        self._note(what)
        self.program.send(what)

    def send_all(self, what: signal.Signals) -> None:
        """To it and everything that it started."""
        self._note(what)
        with suppress(ProcessLookupError):
            os.killpg(self.program.pid, what)

    def children(self) -> list[int]:
        return descendants(self.program.pid)[1:]

    def end(self, code: int) -> None:
        """Its present life is over."""
        life = self.lives[-1]
        life.ended = time.monotonic()
        life.code = code
        life.said = self.output[-SAID_CHARACTERS:]

    def _note(self, what: signal.Signals) -> None:
        """Before it is sent: the end that it brings may be seen at once."""
        if self.lives and self.lives[-1].ended is None and self.running:
            self.lives[-1].signals.append(what)


class Supervisor:
    """Looks after processes in a thread; used as a context."""

    def __init__(self, processes: list[Supervised]) -> None:
        self.processes = {one.name: one for one in processes}
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self):
        for one in self.processes.values():
            one.start()
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop_watching()
        for one in self.processes.values():
            one.send_all(signal.SIGKILL)

    def stop_watching(self) -> None:
        """From now on what ends stays ended."""
        self._over.set()
        self._thread.join()

    def end_all(self, *, seconds: float) -> None:
        """SIGTERM to all at once, and wait until they have ended."""
        self.stop_watching()
        for one in self.processes.values():
            one.send(signal.SIGTERM)
        for one in self.processes.values():
            code = one.program.wait(seconds=seconds)
            if one.lives[-1].ended is None:
                one.end(code)

    def _run(self) -> None:
        while not self._over.wait(LOOK_SECONDS):
            for one in self.processes.values():
                life = one.lives[-1]
                if life.ended is None and not one.running:
                    one.end(one.program.wait())
                    one.send_all(signal.SIGKILL)  # whatever it left behind holds its port
                elif life.ended is not None and time.monotonic() > life.ended + RESTART_SECONDS:
                    one.start()
