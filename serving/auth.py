"""Who asks, and what they may do: API keys, compared in constant time, never logged.

A key arrives as `Authorization: Bearer KEY` or `X-API-Key: KEY`. With no keys at all everything
is open, which the settings allow on loopback only.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from clickwise.access import ALL_SCOPES, SETTING_SCOPES, Scope
from clickwise.secret import Secret
from serving.errors import ForbiddenScopeError, UnknownKeyError

Headers = Sequence[tuple[bytes, bytes]]


@dataclass(frozen=True, slots=True)
class Identity:
    """Whose request it is: the id of the key (never the key), and its scopes."""

    key: str
    scopes: frozenset[Scope]

    def need(self, scope: Scope) -> None:
        """Return when `scope` is among its own.

        Raises:
            ForbiddenScopeError: it is not.
        """
        if not self.may(scope):
            raise ForbiddenScopeError(f"this key lacks the scope {scope}")

    def may(self, scope: Scope) -> bool:
        """Whether `scope` is among its own."""
        return scope in self.scopes or Scope.ADMIN in self.scopes


# Whoever asks where no keys are asked for: this machine.
LOCAL = Identity("local", ALL_SCOPES)
# Whoever asks for what everybody may have.
NOBODY = Identity("none", frozenset())


class Keys:
    """The keys that open the door."""

    def __init__(self, keys: Sequence[Secret]) -> None:
        self._keys = tuple(keys)

    @property
    def asked(self) -> bool:
        """Whether a key is asked for."""
        return bool(self._keys)

    def identify(self, headers: Headers) -> Identity:
        """Whose key `headers` hold; `LOCAL` when none is asked for.

        Raises:
            UnknownKeyError: without saying how close the key was.
        """
        if not self.asked:
            return LOCAL
        presented = presented_key(headers)
        if presented is None:
            raise UnknownKeyError(
                "send a key: Authorization: Bearer KEY, or X-API-Key: KEY", reason="no_key"
            )
        known = None
        for number, key in enumerate(self._keys, 1):  # all: the time does not tell which was near
            if key.matches(presented):
                known = Identity(f"setting-{number}", SETTING_SCOPES)
        if known is None:
            raise UnknownKeyError("this key is not known", reason="unknown_key")
        return known


def presented_key(headers: Headers) -> str | None:
    """The key in the headers, whatever it is."""
    for name, value in headers:
        if name == b"x-api-key":
            return value.decode("latin-1").strip()
        if name == b"authorization":
            scheme, _, key = value.decode("latin-1").partition(" ")
            if scheme.lower() == "bearer":
                return key.strip()
    return None
