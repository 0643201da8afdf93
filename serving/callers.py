"""Who asks: by an API key, or by a token of the issuer where one is set."""

from clickwise.clock import Clock
from serving.auth import Headers, Identity, presented_key
from serving.issuer import IssuerKeys
from serving.keyring import KeyRing
from serving.tokens import TokenRules, check_token, is_token, key_id_of


class Tokens:
    """Checks tokens with the keys that the issuer has now."""

    def __init__(self, rules: TokenRules, keys: IssuerKeys, *, clock: Clock) -> None:
        self.keys = keys
        self._rules = rules
        self._clock = clock

    async def identify(self, token: str) -> Identity:
        """Whose token it is.

        Raises:
            UnknownKeyError: it does not open; `reason` says why.
            UnavailableError: the keys of the issuer are not known.
        """
        key = await self.keys.key(key_id_of(token))
        return check_token(token, key, self._rules, now=self._clock.now())

    def hold(self, identity: Identity) -> bool:
        """Whether a token that was good still is."""
        return identity.until is not None and self._clock.now() < identity.until


class Callers:
    """Keys and, where an issuer is set, tokens."""

    def __init__(self, keys: KeyRing, tokens: Tokens | None) -> None:
        self.keys = keys
        self._tokens = tokens

    @property
    def asked(self) -> bool:
        """Whether anybody is asked who they are."""
        return self.keys.asked

    async def identify(self, headers: Headers) -> Identity:
        """Who asks; see `KeyRing.identify` and `Tokens.identify`. Keys wait for nothing."""
        if self._tokens is not None:
            presented = presented_key(headers)
            if presented is not None and is_token(presented):
                return await self._tokens.identify(presented)
        return self.keys.identify(headers)

    def holds(self, identity: Identity) -> bool:
        """Whether somebody who was let in still would be, for what goes on for long."""
        if identity.until is not None and self._tokens is not None:
            return self._tokens.hold(identity)
        return self.keys.holds(identity)

    def start(self) -> None:
        """Follow what changes, in threads."""
        self.keys.start()
        if self._tokens is not None:
            self._tokens.keys.start()

    def stop(self) -> None:
        """End the threads."""
        if self._tokens is not None:
            self._tokens.keys.stop()
        self.keys.stop()
