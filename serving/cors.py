"""Which sites' pages a browser may let ask here: those of `CLICKWISE_CORS_ORIGINS`, else none.

Not a layer where none is set: without these headers a browser refuses by itself. A page has its
key or token in a header of its own, so cookies and other credentials are never allowed (`*` and
`Access-Control-Allow-Credentials` do not exist here). To other origins everything is as if this
were not there: their preflight has no key, and is refused, counted and noted as such.
"""

from collections.abc import Sequence

from starlette.types import ASGIApp, Message, Receive, Scope, Send

_METHODS = b"GET, POST, PUT, DELETE"
_HEADERS = b"authorization, content-type, x-api-key, x-request-id"
_EXPOSED = b"retry-after, x-request-id"
_PREFLIGHT_SECONDS = b"600"


class AllowedOrigins:
    """Answers preflights of these origins, and marks answers to them; no key is asked for one."""

    def __init__(self, app: ASGIApp, origins: Sequence[str]) -> None:
        self._app = app
        self._origins = frozenset(origin.encode() for origin in origins)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """See the ASGI specification."""
        origin = _header(scope, b"origin") if scope["type"] == "http" else None
        if origin is None or origin not in self._origins:
            await self._app(scope, receive, _varied(send) if scope["type"] == "http" else send)
        elif scope["method"] == "OPTIONS" and _header(scope, b"access-control-request-method"):
            await _answer_preflight(origin, send)
        else:
            await self._app(scope, receive, _marked(send, origin))


def _header(scope: Scope, wanted: bytes) -> bytes | None:
    found: bytes | None = next((value for name, value in scope["headers"] if name == wanted), None)
    return found


def _varied(send: Send) -> Send:
    """A cache must not give one origin's answer to another."""
    return _with_headers(send, ((b"vary", b"origin"),))


def _marked(send: Send, origin: bytes) -> Send:
    return _with_headers(
        send,
        (
            (b"access-control-allow-origin", origin),
            (b"access-control-expose-headers", _EXPOSED),
            (b"vary", b"origin"),
        ),
    )


def _with_headers(send: Send, headers: tuple[tuple[bytes, bytes], ...]) -> Send:
    async def marked(message: Message) -> None:
        if message["type"] == "http.response.start":
            message = {**message, "headers": [*message["headers"], *headers]}
        await send(message)

    return marked


async def _answer_preflight(origin: bytes, send: Send) -> None:
    headers = [
        (b"access-control-allow-origin", origin),
        (b"access-control-allow-methods", _METHODS),
        (b"access-control-allow-headers", _HEADERS),
        (b"access-control-max-age", _PREFLIGHT_SECONDS),
        (b"vary", b"origin"),
    ]
    await send({"type": "http.response.start", "status": 204, "headers": headers})
    await send({"type": "http.response.body", "body": b""})
