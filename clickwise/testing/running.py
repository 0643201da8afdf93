"""A running server, started as a user starts it, and a client of it.

It has the encoder without a model, so that it starts in a second or two.
"""

import os
import signal
import ssl
import sys
from collections.abc import Iterable, Mapping
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Self
from urllib.parse import quote

import httpx

from clickwise.codec import JsonObject
from clickwise.testing.kafka import free_ports
from clickwise.testing.processes import Program, wait_until

COMMAND = (sys.executable, "-m", "clickwise.cli")
START_SECONDS = 90.0
HASHING = {"CLICKWISE_ENCODER_MODEL": "hashing:64", "CLICKWISE_EXPLORATION": "0"}


class RunningSite:
    """One server on one home; a context manager. It can be stopped and started again."""

    def __init__(
        self,
        home: Path,
        *,
        command: str = "up",
        workers: int = 1,
        environment: Mapping[str, str] | None = None,
        certificates: str = "",
    ) -> None:
        """`command` is `up`, or `serve` with an environment that names its services.

        `certificates` are whom its client trusts, where the environment gives it TLS.
        """
        self.home = home
        (self.port,) = free_ports(1)
        scheme = "https" if certificates else "http"
        self.address = f"{scheme}://127.0.0.1:{self.port}"
        home.mkdir(parents=True, exist_ok=True)
        self.program = Program(
            [*COMMAND, command, "--home", str(home), "--port", str(self.port)],
            environment={
                **HASHING,
                "CLICKWISE_WORKERS": str(workers),
                "CLICKWISE_LOG_FORMAT": "json",
                **(environment or {}),
            },
            log=home.parent / f"{home.name}.log",
        )
        self._client = httpx.Client(
            base_url=self.address,
            timeout=30.0,
            trust_env=False,
            verify=ssl.create_default_context(cafile=certificates) if certificates else True,
        )

    def start(self) -> None:
        """Start it and wait until it is ready.

        Raises:
            TimeoutError: it was not in time; quotes what it wrote.
            RuntimeError: it ended.
        """
        self.program.start()
        try:
            wait_until(self._ready_or_ended, seconds=START_SECONDS, what="ready")
        except TimeoutError as error:
            raise TimeoutError(f"{error}\n{self.program.output[-3000:]}") from error
        if not self.program.running:
            raise RuntimeError(f"it ended:\n{self.program.output[-3000:]}")

    def stop(self) -> int:
        """SIGTERM; the exit code."""
        return self.program.terminate()

    def crash(self) -> None:
        """SIGKILL to every process of it at once, as when the machine dies."""
        with suppress(ProcessLookupError):
            os.killpg(self.program.pid, signal.SIGKILL)
        self.program.wait()

    def get(self, path: str) -> JsonObject:
        """The JSON of a GET."""
        return _json(self._client.get(path))

    def list_of(self, user: str, **parameters: str | int) -> JsonObject:
        """A user's recommendations."""
        path = f"/v1/users/{quote(user, safe='')}/recommendations"
        return _json(self._client.get(path, params=parameters))

    def shown_to(self, user: str, **parameters: str | int) -> list[str]:
        """The ids of a user's list."""
        return [one["item"] for one in self.list_of(user, **parameters)["items"]]

    def put(self, items: Iterable[JsonObject]) -> list[str]:
        """Put items; their verdicts."""
        return self._sent("/v1/items", {"items": list(items)})

    def send(self, *events: JsonObject) -> list[str]:
        """Send events; their verdicts."""
        return self._sent("/v1/events", {"events": list(events)})

    def _sent(self, path: str, body: JsonObject) -> list[str]:
        return [one["verdict"] for one in _json(self._client.post(path, json=body))["results"]]

    def _ready_or_ended(self) -> bool:
        if not self.program.running:
            return True
        try:
            return self._client.get("/readyz", timeout=2.0).is_success
        except httpx.HTTPError:
            return False

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._client.close()
        self.crash()


def _json(answer: httpx.Response) -> JsonObject:
    answer.raise_for_status()
    data: JsonObject = answer.json()
    return data
