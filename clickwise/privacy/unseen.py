"""Profiles of people who have not been seen for long go (`CLICKWISE_PROFILE_DAYS`).

Seen is whoever did something, or of whom something was received. It is no erasure: nothing is
noted, merges stay (what a guest does later is still the user's), and the next event begins a new
profile.

A profile goes only if it still is the one that was looked at. What is published for it is withdrawn
before the transaction ends, which whoever folds that person's events waits for: their new profile,
and the list made of it, come after. (Should the database be lost just then, the profile stays
without a list, until the next hour or the person's next event.)
"""

from collections.abc import Callable, Iterator, Sequence
from datetime import datetime

from clickwise import metrics
from clickwise.errors import BundleError
from clickwise.profile import MICROSECONDS, RECEIVED_BYTES, from_stored, received_in
from clickwise.state.port import State, StoredProfile
from clickwise.types import UserId

LOOKED_AT_ONCE = 1_000
DROPPED_AT_ONCE = 20  # in a transaction, whose rows nobody can write meanwhile

Withdraw = Callable[[Sequence[UserId]], None]


def drop_unseen(
    state: State,
    *,
    before: datetime,
    withdraw: Withdraw = lambda _: None,
    stopped: Callable[[], bool] = lambda: False,
) -> int:
    """Drop the profiles of whoever was not seen since then; how many.

    `withdraw` takes back what other stores have of these people, and raises where it cannot: then
    their profiles stay. `stopped` is asked before each transaction.

    Raises:
        UnavailableError: the database does not answer, or what is published cannot be withdrawn;
            what was dropped before is.
    """
    dropped = 0
    for page in _pages(state):
        old = [user for user, stored in page if received_in(stored.body) < before.timestamp()]
        for begin in range(0, len(old), DROPPED_AT_ONCE):
            if stopped():
                return dropped
            dropped += _drop(state, old[begin : begin + DROPPED_AT_ONCE], before, withdraw)
    return dropped


def _pages(state: State) -> Iterator[Sequence[tuple[UserId, StoredProfile]]]:
    """All profiles, of each the first bytes alone."""
    after = ""
    while page := state.profile_beginnings(
        after=after, limit=LOOKED_AT_ONCE, length=RECEIVED_BYTES
    ):
        yield page
        after = page[-1][0]


def _drop(state: State, users: Sequence[UserId], before: datetime, withdraw: Withdraw) -> int:
    with state.write() as write:
        unseen = {u: one for u, one in write.profiles(users).items() if _unseen(one, before)}
        gone = write.drop_unchanged(unseen) if unseen else ()
        if gone:
            withdraw(sorted(gone))
    metrics.count(metrics.profiles_expired, len(gone))
    return len(gone)


def _unseen(stored: StoredProfile, before: datetime) -> bool:
    """False too of a profile that cannot be read: `clickwise check --deep` names it."""
    try:
        profile, received = from_stored(stored.body)
    except BundleError:
        return False
    return max(received, profile.time / MICROSECONDS) < before.timestamp()
