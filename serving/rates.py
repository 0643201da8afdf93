"""How often each key may ask: a bucket of tokens for each, in this process alone.

A bucket holds what comes in within a second, and one token at least: so a page that asks five times
at once is let through at five a second, and a loop is not.
"""

from collections.abc import Callable
from dataclasses import dataclass

from serving.auth import LOCAL, Identity
from serving.errors import RateError


@dataclass(slots=True)
class _Bucket:
    tokens: float
    at: float


class Rates:
    """Counts requests by key. `rate`: requests a second of keys without their own, 0 for any.

    As many buckets as there are keys; not for several threads.
    """

    def __init__(self, rate: float, *, monotonic: Callable[[], float]) -> None:
        self._rate = rate
        self._monotonic = monotonic
        self._buckets: dict[str, _Bucket] = {}

    def take(self, identity: Identity) -> None:
        """Count one request of a key.

        Raises:
            RateError: its bucket is empty.
        """
        rate = identity.rate or self._rate
        if not rate or identity is LOCAL:
            return
        now = self._monotonic()
        room = max(1.0, rate)
        bucket = self._buckets.setdefault(identity.key, _Bucket(room, now))
        tokens = min(room, bucket.tokens + (now - bucket.at) * rate)
        bucket.at = now
        if tokens < 1.0:
            bucket.tokens = tokens
            raise RateError(
                f"this key may ask {rate:g} times a second", retry_after_seconds=(1 - tokens) / rate
            )
        bucket.tokens = tokens - 1.0
