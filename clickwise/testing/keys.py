"""Stored API keys in memory, for tests of what stands before them."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import date, datetime

from clickwise.access import Scope, digest_of, new_key
from clickwise.errors import ClickwiseError
from clickwise.state.key_port import StoredKey


class MemoryKeys:
    """See KeyReader. Setting `fault` makes the next calls raise it."""

    def __init__(self) -> None:
        self.fault: ClickwiseError | None = None
        self.keys: dict[str, StoredKey] = {}
        self.spent: dict[tuple[date, str], int] = {}
        self._number = 0

    def make(
        self,
        *scopes: Scope,
        now: datetime,
        expires: datetime | None = None,
        rate: float = 0.0,
        quota: int = 0,
    ) -> str:
        """Keep a new key; the key itself."""
        key_id, key = new_key()
        self.keys[key_id] = StoredKey(
            id=key_id, digest=digest_of(key.reveal()), name="test", scopes=scopes, rate=rate,
            created=now, expires=expires, quota=quota,
        )  # fmt: skip
        self._number += 1
        return key.reveal()

    def revoke(self, key_id: str, *, at: datetime) -> None:
        """See KeyStore."""
        self.keys[key_id] = replace(self.keys[key_id], revoked=at)
        self._number += 1

    def number(self) -> int:
        """See KeyReader."""
        if self.fault is not None:
            raise self.fault
        return self._number

    def every(self) -> list[StoredKey]:
        """See KeyReader."""
        if self.fault is not None:
            raise self.fault
        return list(self.keys.values())

    def spend(self, counts: Mapping[str, int], *, day: date) -> dict[str, int]:
        """See Usage."""
        if self.fault is not None:
            raise self.fault
        for key, number in counts.items():
            self.spent[day, key] = self.spent.get((day, key), 0) + number
        return {key: self.spent[day, key] for key in counts}
