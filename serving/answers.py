"""Responses: bodies that are JSON already, and headers that cost one list append."""

from starlette.responses import Response

_JSON = (b"content-type", b"application/json")


class JsonResponse(Response):
    """A body of JSON bytes; nothing is rendered twice."""

    def __init__(self, body: bytes, status_code: int = 200) -> None:
        self.status_code = status_code
        self.background = None
        self.body = body
        self.raw_headers = [(b"content-length", str(len(body)).encode()), _JSON]

    def add(self, name: bytes, value: str) -> None:
        """Append a header; `name` in lower case, both in ASCII."""
        self.raw_headers.append((name, value.encode("ascii")))
