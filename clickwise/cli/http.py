"""A client of Clickwise's own HTTP interface: retries what may be retried, in time."""

import time
from collections.abc import Iterable
from types import TracebackType
from typing import Self

import httpx

from clickwise.codec import JsonObject, encode
from clickwise.errors import ClickwiseError, InvalidInputError, NotFoundError, UnavailableError
from clickwise.settings import Settings

RETRY_SECONDS = 60.0
LONGEST_PAUSE_SECONDS = 5.0
_BUSY = (429, 502, 503, 504)


class HttpSite:
    """A running server; a context manager."""

    def __init__(self, address: str, settings: Settings, *, timeout_seconds: float = 60.0) -> None:
        keys = settings.keys
        headers = {"content-type": "application/json"}
        if keys:
            headers["authorization"] = f"Bearer {keys[0].reveal()}"
        self.address = address.rstrip("/")
        self._client = httpx.Client(
            base_url=self.address, headers=headers, timeout=timeout_seconds, trust_env=False
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._client.close()

    def get(self, path: str, **parameters: str | int | bool) -> JsonObject:
        """The JSON that a GET answers."""
        return self._asked("GET", path, parameters=parameters)

    def post(self, path: str, name: str, rows: Iterable[JsonObject]) -> list[JsonObject]:
        """Send many; a result (`id`, `verdict`, `reason`, `field`) for each, in order.

        Safe to repeat: ids make a second sending have no effect.
        """
        body = encode({name: list(rows)})
        answer = self._asked("POST", path, body=body)
        results: list[JsonObject] = answer["results"]
        return results

    def _asked(
        self,
        method: str,
        path: str,
        *,
        body: bytes | None = None,
        parameters: dict[str, str | int | bool] | None = None,
    ) -> JsonObject:
        deadline = time.monotonic() + RETRY_SECONDS
        pause = 0.1
        while True:
            fault = ""
            try:
                answer = self._client.request(method, path, content=body, params=parameters)
            except httpx.InvalidURL as error:
                raise InvalidInputError(f"{self.address}: {error}") from error
            except httpx.HTTPError as error:
                fault = f"{type(error).__name__} {error}".strip()
            else:
                if answer.status_code not in _BUSY:
                    return _checked(answer, path)
                fault = f"status {answer.status_code}"
                pause = max(pause, float(answer.headers.get("retry-after", 0.0)))
            if time.monotonic() + pause > deadline:
                raise UnavailableError(f"{self.address} did not answer: {fault}")
            time.sleep(min(pause, LONGEST_PAUSE_SECONDS))
            pause *= 2


def _checked(answer: httpx.Response, path: str) -> JsonObject:
    try:
        data = answer.json()
    except ValueError as error:
        raise ClickwiseError(f"{path}: status {answer.status_code}, and no JSON") from error
    # 422 with results: everything was refused, each with its reason.
    if answer.is_success or (isinstance(data, dict) and data.get("results")):
        answered: JsonObject = data
        return answered
    message = str(data.get("message", answer.status_code)) if isinstance(data, dict) else "?"
    if answer.status_code == httpx.codes.NOT_FOUND:
        raise NotFoundError(message)
    raise InvalidInputError(f"{path}: status {answer.status_code}: {message}")
