"""How often each key may ask: a bucket of tokens for each, in this process alone.

A bucket holds what comes in within a second, and one token at least: so a page that asks five times
at once is let through at five a second, and a loop is not.
"""

from collections.abc import Callable
from dataclasses import dataclass

from serving.auth import LOCAL, Identity
from serving.errors import RateError

MAX_BUCKETS = 10_000


@dataclass(slots=True)
class _Bucket:
    tokens: float
    at: float
    rate: float

    def at_time(self, now: float) -> float:
        """What is in it then."""
        return min(max(1.0, self.rate), self.tokens + (now - self.at) * self.rate)


class Rates:
    """Counts requests by key. `rate`: requests a second of keys without their own, 0 for any.

    Holders of tokens are as many as the issuer has people: beyond `MAX_BUCKETS` those that are full
    again, which say nothing, are thrown away, and then the oldest. Not for several threads.
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
        bucket = self._buckets.get(identity.key)
        if bucket is None:
            self._make_room(now)
            bucket = self._buckets[identity.key] = _Bucket(max(1.0, rate), now, rate)
        bucket.rate = rate
        tokens = bucket.at_time(now)
        bucket.at = now
        if tokens < 1.0:
            bucket.tokens = tokens
            raise RateError(
                f"this key may ask {rate:g} times a second", retry_after_seconds=(1 - tokens) / rate
            )
        bucket.tokens = tokens - 1.0

    def _make_room(self, now: float) -> None:
        if len(self._buckets) < MAX_BUCKETS:
            return
        self._buckets = {
            key: bucket
            for key, bucket in self._buckets.items()
            if bucket.at_time(now) < max(1.0, bucket.rate)
        }
        while len(self._buckets) >= MAX_BUCKETS:
            del self._buckets[next(iter(self._buckets))]
