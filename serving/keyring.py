"""The keys that open the door: those of the settings, and those of the database, followed.

Keys are compared in constant time and never logged. A thread asks the database once a second
whether its keys changed, so a request waits for no look-up, and what is created or revoked counts a
moment later. While the database is away, the keys that were known stay as they were. Where there
are no keys at all everything is open, which the settings allow on loopback only; a key that expired
or is revoked is one, so that the last one to go leaves the door closed.
"""

import hmac
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from clickwise.access import METRICS_SCOPES, SETTING_SCOPES, digest_of, id_of
from clickwise.clock import Clock
from clickwise.secret import Secret
from clickwise.state.key_port import KeyReader, StoredKey
from serving.auth import LOCAL, Headers, Identity, presented_key
from serving.errors import UnknownKeyError
from serving.following import Following

REFRESH_SECONDS = 1.0


@dataclass(frozen=True, slots=True)
class _Held:
    stored: StoredKey
    identity: Identity

    def fault(self, now: datetime) -> UnknownKeyError | None:
        """Why it opens nothing."""
        if self.stored.revoked is not None:
            return UnknownKeyError("this key is revoked", reason="revoked", key=self.stored.id)
        if self.stored.expired(now):
            return UnknownKeyError("this key has expired", reason="expired", key=self.stored.id)
        return None


class KeyRing:
    """See the module. `always`: a key is asked for even while there is none.

    `metrics_keys` open figures alone, also where one is among `settings_keys` too.

    `identify` is called by the event loop's thread, `refresh` by its own. Until the first
    `refresh` keys are asked for, and none of the database opens.
    """

    def __init__(
        self,
        settings_keys: Sequence[Secret],
        store: KeyReader,
        *,
        metrics_keys: Sequence[Secret] = (),
        clock: Clock,
        always: bool,
    ) -> None:
        self._settings_keys = tuple(
            (key, Identity(f"{name}-{number}", scopes))
            for name, scopes, keys in (
                ("setting", SETTING_SCOPES, settings_keys),
                ("metrics", METRICS_SCOPES, metrics_keys),  # last: the narrower one holds
            )
            for number, key in enumerate(keys, 1)
        )
        self._store = store
        self._clock = clock
        self._always = always
        self._stored: Mapping[str, _Held] = {}
        self._number: int | None = None
        self._following = Following(
            self.refresh, seconds=REFRESH_SECONDS, where="keys", told="keys cannot be read"
        )

    @property
    def asked(self) -> bool:
        """Whether a key is asked for."""
        return bool(self._always or self._settings_keys or self._stored or self._number is None)

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
        held = self._stored.get(id_of(presented) or "")
        if held is not None and hmac.compare_digest(held.stored.digest, digest_of(presented)):
            fault = held.fault(self._clock.now())
            if fault is not None:
                raise fault
            return held.identity
        known = None
        for key, identity in self._settings_keys:  # all: the time does not tell which was near
            if key.matches(presented):
                known = identity
        if known is None:
            raise UnknownKeyError("this key is not known", reason="unknown_key")
        return known

    def holds(self, identity: Identity) -> bool:
        """Whether somebody who was let in still would be, for what goes on for long."""
        held = self._stored.get(identity.key)
        if held is not None:
            return held.identity == identity and held.fault(self._clock.now()) is None
        if identity is LOCAL:
            return not self.asked
        return any(identity is known for _, known in self._settings_keys)

    def refresh(self) -> None:
        """Read the database's keys if they changed.

        Raises:
            UnavailableError: the database does not answer; what is known stays.
        """
        number = self._store.number()
        if number == self._number:
            return
        # Read after the number: what changes in between is read once more.
        self._stored = {
            key.id: _Held(key, Identity(key.id, frozenset(key.scopes), key.rate, key.quota))
            for key in self._store.every()
        }
        self._number = number

    def start(self) -> None:
        """Follow the database in a thread from now on."""
        self._following.start()

    def stop(self) -> None:
        """End the thread."""
        self._following.stop()
