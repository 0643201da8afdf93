"""Who may come in: API keys, compared in constant time, never logged.

A key arrives as `Authorization: Bearer KEY` or `X-API-Key: KEY`. With no keys set everything
is open, which the settings allow on loopback only.
"""

from collections.abc import Sequence

from clickwise.errors import UnauthorizedError
from clickwise.secret import Secret

Headers = Sequence[tuple[bytes, bytes]]


class Keys:
    """The keys that open the door."""

    def __init__(self, keys: Sequence[Secret]) -> None:
        self._keys = tuple(keys)

    def __bool__(self) -> bool:
        return bool(self._keys)

    def check(self, headers: Headers) -> None:
        """Return when `headers` hold a known key, or when none is asked for.

        Raises:
            UnauthorizedError: without saying how close the key was.
        """
        if not self._keys:
            return
        presented = _presented(headers)
        if presented is None:
            raise UnauthorizedError("send a key: Authorization: Bearer KEY, or X-API-Key: KEY")
        known = False
        for key in self._keys:  # all of them: the time does not tell which one was near
            known |= key.matches(presented)
        if not known:
            raise UnauthorizedError("this key is not known")


def _presented(headers: Headers) -> str | None:
    for name, value in headers:
        if name == b"x-api-key":
            return value.decode("latin-1").strip()
        if name == b"authorization":
            scheme, _, key = value.decode("latin-1").partition(" ")
            if scheme.lower() == "bearer":
                return key.strip()
    return None
