"""One client's keep-alive connection: asks, waits, checks; for figures of single requests."""

from dataclasses import dataclass
from types import TracebackType
from typing import Self

from clickwise.bench.load import Exchange
from clickwise.bench.requests import get, post


@dataclass(frozen=True, slots=True)
class Reply:
    """Status and body."""

    status: int
    body: bytes


class Connection:
    """Opened at once, closed at the end of the `with` block."""

    def __init__(self, host: str, port: int) -> None:
        self._exchange = Exchange(host, port)

    def ask(self, request: bytes) -> Reply:
        """Send a whole request and wait for its answer.

        Raises:
            OSError: the server closed the connection or did not answer in time.
        """
        exchange = self._exchange
        exchange.send(request)
        answer = None
        while answer is None:
            answer = exchange.receive()
        return Reply(int(answer[9:12]), answer[answer.find(b"\r\n\r\n") + 4 :])

    def get(self, path: str) -> Reply:
        """GET a path."""
        return self.ask(get(path))

    def post(self, path: str, body: bytes) -> Reply:
        """POST JSON."""
        return self.ask(post(path, body))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._exchange.connection.close()
