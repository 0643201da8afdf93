"""Request bodies: JSON only, bounded in bytes and in time while they are read."""

import asyncio

from starlette.requests import ClientDisconnect
from starlette.types import Receive, Scope

from clickwise.errors import TooLargeError
from clickwise.limits import shown
from serving.errors import MediaTypeError, SlowBodyError

BODY_SECONDS = 30.0


async def read_body(
    scope: Scope, receive: Receive, *, limit: int, seconds: float = BODY_SECONDS
) -> bytes:
    """The whole body, at most `limit` bytes, within `seconds` from now.

    Raises:
        MediaTypeError: not declared as JSON in UTF-8, or compressed.
        TooLargeError: declared or found to be longer than `limit`; the rest is not read.
        SlowBodyError: not complete in time, however steadily it comes.
        ClientDisconnect: the client went away.
    """
    _check_headers(scope, limit)
    try:
        async with asyncio.timeout(seconds):
            return await _read(receive, limit)
    except TimeoutError as error:
        raise SlowBodyError(f"the body was not complete after {seconds:g} s") from error


async def _read(receive: Receive, limit: int) -> bytes:
    chunks: list[bytes] = []
    size = 0
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise ClientDisconnect
        chunk = message.get("body", b"")
        size += len(chunk)
        if size > limit:
            raise TooLargeError(f"expected a body of at most {limit} bytes")
        chunks.append(chunk)
        if not message.get("more_body", False):
            return chunks[0] if len(chunks) == 1 else b"".join(chunks)


def _check_headers(scope: Scope, limit: int) -> None:
    typed = False
    for name, value in scope["headers"]:
        if name == b"content-type":
            typed = True
            _check_type(value.decode("latin-1"))
        elif name == b"content-encoding" and value.lower() != b"identity":
            raise MediaTypeError("compressed bodies are not taken")
        elif name == b"content-length" and value.isdigit() and int(value) > limit:
            raise TooLargeError(f"expected a body of at most {limit} bytes, got {int(value)}")
    if not typed:  # a page of another site can send such a body without asking first
        raise MediaTypeError("expected the header Content-Type: application/json")


def _check_type(declared: str) -> None:
    kind, *parameters = (part.strip().lower() for part in declared.split(";"))
    if kind != "application/json" and not kind.endswith("+json"):
        raise MediaTypeError(f"expected application/json, got {shown(kind)}")
    for parameter in parameters:
        name, _, value = parameter.partition("=")
        if name == "charset" and value.strip('"') not in ("utf-8", "utf8"):
            raise MediaTypeError(f"expected UTF-8, got {shown(value)}")
