"""A client of Clickwise's own HTTP interface: retries what may be retried, in time."""

import time
from collections.abc import Iterable
from types import TracebackType
from typing import Self

import httpx

from clickwise.codec import JsonObject, encode
from clickwise.errors import (
    ConfigurationError,
    InvalidInputError,
    NotFoundError,
    TooLargeError,
    UnauthorizedError,
    UnavailableError,
)
from clickwise.settings import Settings

RETRY_SECONDS = 60.0
LONGEST_PAUSE_SECONDS = 5.0
_BUSY = (429, 502, 503, 504)


class HttpSite:
    """A running server; a context manager.

    A server that never answered is not waited for: more likely its address is wrong.
    """

    def __init__(self, address: str, settings: Settings, *, timeout_seconds: float = 60.0) -> None:
        keys = settings.keys
        headers = {"content-type": "application/json"}
        if keys:
            headers["authorization"] = f"Bearer {keys[0].reveal()}"
        self.address = address.rstrip("/")
        if not self.address.startswith(("http://", "https://")):
            raise ConfigurationError(
                f"{address}: expected an address such as http://127.0.0.1:8000"
            )
        try:
            self._client = httpx.Client(
                base_url=self.address, headers=headers, timeout=timeout_seconds, trust_env=False
            )
        except httpx.InvalidURL as error:
            raise ConfigurationError(f"{address}: {error}") from error
        self._met = False

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
        results: object = answer.get("results")
        if not isinstance(results, list):
            raise InvalidInputError(f"{self.address}{path} is not of Clickwise: no results")
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
                raise ConfigurationError(f"{self.address}: {error}") from error
            except httpx.HTTPError as error:
                fault = f"{type(error).__name__} {error}".strip()
                if isinstance(error, httpx.ConnectError) and not self._met:
                    raise UnavailableError(
                        f"no server answers at {self.address}: {error}"
                    ) from error
            else:
                self._met = True
                if answer.status_code not in _BUSY:
                    return _checked(answer, path)
                fault = f"status {answer.status_code}"
                pause = max(pause, _seconds(answer.headers.get("retry-after", "")))
            if time.monotonic() + pause > deadline:
                raise UnavailableError(f"{self.address} did not answer: {fault}")
            time.sleep(min(pause, LONGEST_PAUSE_SECONDS))
            pause *= 2


def _seconds(retry_after: str) -> float:
    """0 for a date, which is the header's other form."""
    return float(retry_after) if retry_after.isdecimal() else 0.0


def _checked(answer: httpx.Response, path: str) -> JsonObject:
    try:
        data = answer.json()
    except ValueError:
        data = None
    # 422 with results: everything was refused, each with its reason.
    if isinstance(data, dict) and (answer.is_success or data.get("results")):
        return data
    message = str(data.get("message", "")) if isinstance(data, dict) else "no JSON object"
    told = f"{path}: status {answer.status_code}: {message}"
    if answer.status_code == httpx.codes.REQUEST_ENTITY_TOO_LARGE:
        raise TooLargeError(message)
    if answer.status_code == httpx.codes.NOT_FOUND:
        raise NotFoundError(message)
    if answer.status_code == httpx.codes.UNAUTHORIZED:
        raise UnauthorizedError(
            f"{told}: set CLICKWISE_API_KEYS to a key of the server, for this command alone; an"
            " import needs the scopes items and events (`clickwise keys create import --scope"
            " items --scope events`)"
        )
    if answer.is_server_error:
        raise UnavailableError(told)
    raise InvalidInputError(told)
