"""Who asks, and what they may do."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from clickwise.access import ALL_SCOPES, Scope
from serving.errors import ForbiddenScopeError

Headers = Sequence[tuple[bytes, bytes]]


@dataclass(frozen=True, slots=True)
class Identity:
    """Whose request it is: the id of the key (never the key), and its scopes.

    `rate` is how many requests a second it may make of this process, 0 for what the settings say,
    and `quota` how many a day of all processes, 0 for any number.
    `until` is when a token ends; None for keys, whose end the key ring knows.
    """

    key: str
    scopes: frozenset[Scope]
    rate: float = 0.0
    quota: int = 0
    until: datetime | None = None

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


def presented_key(headers: Headers) -> str | None:
    """The key or token in the headers: `Authorization: Bearer KEY` or `X-API-Key: KEY`."""
    for name, value in headers:
        if name == b"x-api-key":
            return value.decode("latin-1").strip()
        if name == b"authorization" and (key := _bearer(value)) is not None:
            return key
    return None


def _bearer(value: bytes) -> str | None:
    scheme, _, key = value.decode("latin-1").partition(" ")
    return key.strip() if scheme.lower() == "bearer" else None
