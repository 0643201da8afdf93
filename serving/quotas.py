"""How many requests a day each key may make, of all serving processes together.

Each process counts by itself, and once a second adds to the database what it counted and learns
what the others did. So a request waits for no look-up, and a key may go beyond its quota by what it
asks of the other processes within that second. While the database is away each goes on with what
it knew. A process that is killed loses the counts of its last second.

A day is one of UTC. Holders of tokens have no quota: they are the issuer's to bound.
"""

import threading
from collections.abc import Mapping
from datetime import UTC, date, datetime, time, timedelta

from clickwise.clock import Clock
from clickwise.state.key_port import Usage
from serving.auth import Identity
from serving.errors import QuotaError
from serving.following import Following

EXCHANGE_SECONDS = 1.0


class Quotas:
    """See the module. `take` is called by the event loop's thread, `exchange` by its own."""

    def __init__(self, usage: Usage, *, clock: Clock) -> None:
        self._usage = usage
        self._clock = clock
        self._lock = threading.Lock()
        self._day = clock.now().astimezone(UTC).date()
        self._made: dict[str, int] = {}  # today's requests, as far as they are known here
        self._unsent: dict[tuple[date, str], int] = {}
        self._following = Following(
            self.exchange, seconds=EXCHANGE_SECONDS, where="quotas",
            told="quotas cannot be counted together",
        )  # fmt: skip

    def take(self, identity: Identity) -> None:
        """Count one request of a key that has a quota.

        Raises:
            QuotaError: the day's requests are made.
        """
        if not identity.quota:
            return
        now = self._clock.now().astimezone(UTC)
        with self._lock:
            self._turn(now.date())
            made = self._made.get(identity.key, 0)
            if made >= identity.quota:
                raise QuotaError(
                    f"this key may ask {identity.quota} times a day (UTC)",
                    retry_after_seconds=(_midnight(now) - now).total_seconds(),
                )
            self._made[identity.key] = made + 1
            place = (self._day, identity.key)
            self._unsent[place] = self._unsent.get(place, 0) + 1

    def exchange(self) -> None:
        """Add to the database what was counted, and learn what the others did.

        Raises:
            UnavailableError: the database does not answer; the counts are kept for the next time.
        """
        with self._lock:
            sent, self._unsent = self._unsent, {}
        by_day: dict[date, dict[str, int]] = {}
        for (day, key), number in sent.items():
            by_day.setdefault(day, {})[key] = number
        for day, counts in sorted(by_day.items()):
            try:
                totals = self._usage.spend(counts, day=day)
            except BaseException:
                self._put_back(by_day)
                raise
            del by_day[day]
            self._learn(day, totals)

    def start(self) -> None:
        """Exchange in a thread from now on."""
        self._following.start()

    def stop(self) -> None:
        """End the thread; what was counted is added once more."""
        self._following.stop()
        self._following.once()

    def _learn(self, day: date, totals: Mapping[str, int]) -> None:
        """All that was made of these keys, and what was counted here meanwhile."""
        with self._lock:
            if day == self._day:
                for key, total in totals.items():
                    self._made[key] = total + self._unsent.get((day, key), 0)

    def _put_back(self, by_day: Mapping[date, Mapping[str, int]]) -> None:
        with self._lock:
            for day, counts in by_day.items():
                for key, number in counts.items():
                    self._unsent[day, key] = self._unsent.get((day, key), 0) + number

    def _turn(self, day: date) -> None:
        """Begin anew on another day; the lock is held."""
        if day != self._day:
            self._day = day
            self._made = {}


def _midnight(now: datetime) -> datetime:
    """The end of the day that `now` is in."""
    return datetime.combine(now.date() + timedelta(days=1), time(), tzinfo=UTC)
