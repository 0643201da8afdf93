"""Freshness as it is served: from a user's newest event to the first answer that rests on it."""

from collections import OrderedDict
from typing import Protocol

from clickwise import metrics
from clickwise.clock import Clock
from clickwise.recommend.reader import Reader

JUST_NOW_SECONDS = 5.0
REMEMBERED = 10_000  # users whose last answered profile version is kept


class Observer(Protocol):
    """Told of each answer before it is given."""

    def observe(self, user: str | None, reader: Reader) -> None:
        """A list for `user` rests on `reader`."""
        ...


class Freshness:
    """Knows what was answered to whom last (bounded), and observes what is new."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._answered: OrderedDict[str, tuple[int, int]] = OrderedDict()

    def observe(self, user: str | None, reader: Reader) -> None:
        """From the newest event to the first answer of this process that rests on it."""
        if user is None or not reader.version:
            return
        now = self._clock.now().timestamp()
        event = reader.profile.time
        known = self._answered.pop(user, None)
        self._answered[user] = (reader.version, event)
        if len(self._answered) > REMEMBERED:
            self._answered.popitem(last=False)
        if known is None:  # another process may have answered before: only what just came is sure
            if now - reader.received > JUST_NOW_SECONDS:
                return
        elif known[0] >= reader.version or known[1] == event:
            return  # nothing new, or only impressions, which leave the profile's time alone
        own = now - reader.profile.time / 1e6
        metrics.event_to_recommendation.labels("event").observe(max(0.0, own))
        metrics.event_to_recommendation.labels("receipt").observe(max(0.0, now - reader.received))


class Unobserved:
    """For lists that nobody sees."""

    def observe(self, user: str | None, reader: Reader) -> None:
        """See Freshness; nothing."""
