"""API keys as they are kept: what they may do and for how long, and a digest in place of the key.

A counter goes up with every change, so that a process that follows them asks for one number.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import Protocol

from clickwise.access import Scope

USAGE_DAYS = 31


@dataclass(frozen=True, slots=True)
class StoredKey:
    """A key. `digest`: see `clickwise.access.digest_of`. `name` is for people alone.

    `rate` is how many requests a second it may make of each serving process, 0 for what the
    settings say, and `quota` how many a day (UTC) of all together, 0 for any number. `replaces` is
    the id of the key that it was made for when that was rotated.
    """

    id: str
    digest: bytes
    name: str
    scopes: tuple[Scope, ...]
    rate: float
    created: datetime
    expires: datetime | None = None
    revoked: datetime | None = None
    replaces: str = ""
    quota: int = 0

    def expired(self, now: datetime) -> bool:
        """Whether its time is over at `now`."""
        return self.expires is not None and now >= self.expires


class Usage(Protocol):
    """How many requests keys made on a day, counted by all serving processes together."""

    def spend(self, counts: Mapping[str, int], *, day: date) -> dict[str, int]:
        """Add these requests, by key; all that each of the keys made on that day. Each call is a
        transaction. Days more than `USAGE_DAYS` before are forgotten.
        """
        ...


class KeyReader(Usage, Protocol):
    """The part that serving processes follow."""

    def number(self) -> int:
        """Grows with every change; 0 before the first key."""
        ...

    def every(self) -> list[StoredKey]:
        """All keys, also those that open nothing any more, oldest first."""
        ...


class KeyStore(KeyReader, Protocol):
    """Where keys are kept. Each call is a transaction.

    Calls raise UnavailableError when the database does not answer.
    """

    def add(self, key: StoredKey) -> None:
        """Keep a new key; ConflictError when there is one with this id."""
        ...

    def rotate(self, key: StoredKey, *, until: datetime) -> None:
        """Keep `key` in place of `key.replaces`, which opens no longer than `until`.

        NotFoundError when that is not there, ConflictError when it is revoked or was replaced.
        """
        ...

    def revoke(self, key_id: str, *, at: datetime) -> None:
        """Let a key open nothing from now on; NotFoundError when there is none.

        A key that is revoked stays as it is.
        """
        ...


class NoKeys:
    """See KeyReader: none are stored."""

    def number(self) -> int:
        """See KeyReader."""
        return 0

    def every(self) -> list[StoredKey]:
        """See KeyReader."""
        return []

    def spend(self, counts: Mapping[str, int], *, day: date) -> dict[str, int]:
        """See Usage."""
        del day
        return dict(counts)


NO_KEYS = NoKeys()
