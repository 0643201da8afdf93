"""HTTP/1.1 requests as bytes, ready to send."""

from urllib.parse import quote

POSITION = b'"position":'  # once in each item of an answer
WHOLE = b'"degraded":[]'  # in an answer of which no stage fell back
APPLIED = b'"verdict":"applied"'  # once for each event or item that took effect


def get(path: str) -> bytes:
    """A GET of `path`, on a connection that stays."""
    return f"GET {path} HTTP/1.1\r\nhost: 127.0.0.1\r\n\r\n".encode()


def post(path: str, body: bytes) -> bytes:
    """A POST of JSON."""
    head = (
        f"POST {path} HTTP/1.1\r\nhost: 127.0.0.1\r\ncontent-type: application/json\r\n"
        f"content-length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


def recommendations(user: str, *, limit: int) -> bytes:
    """A GET of a user's list."""
    return get(f"/v1/users/{quote(user, safe='')}/recommendations?limit={limit}")
