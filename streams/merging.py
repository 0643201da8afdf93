"""A guest becomes a user: one transaction moves the profile and notes whose later events are.

The message came through the guest's partition, after what the guest did before. The user's
profile is written from here although another worker folds that user's events: each write is
conditional on the version read, and whoever is second tries again. A profile is a fold over a
set of events, so it does not matter which of the user's events were folded first.
"""

import time
from dataclasses import dataclass
from datetime import datetime

from clickwise import codec, metrics
from clickwise.clock import Clock
from clickwise.merges import Merge
from clickwise.profile import Profile, from_stored, stored_body, united
from clickwise.releases import Releases
from clickwise.state.alias_port import Alias
from clickwise.state.port import EventRow, Partition, ProfileWrite, State, StoredProfile, Write
from clickwise.types import EventKey, UserId, event_key
from streams.effects import place
from streams.records import RefusedError
from streams.retrying import retried

APPLIED, DUPLICATE, REDELIVERED, FORGOTTEN = "applied", "duplicate", "redelivered", "forgotten"


@dataclass(frozen=True, slots=True)
class MergeArrival:
    """A valid merge and where it came from; `partition` None: the HTTP door, no offset."""

    merge: Merge
    received: datetime
    partition: Partition | None = None
    offset: int = -1


@dataclass(frozen=True, slots=True)
class Merged:
    """What a merge did.

    Outcomes: applied, duplicate (it had been before), redelivered (its offset had been applied),
    forgotten (of a person who was erased since). `gone` has no profile any more, and what was
    published for it has to go too.
    """

    outcome: str
    user: UserId
    gone: UserId


class MergeHandler:
    """Moves guests' profiles into users'."""

    def __init__(
        self, *, state: State, releases: Releases, clock: Clock, keep_bodies: bool
    ) -> None:
        """`keep_bodies`: this database is the log (embedded)."""
        self._state = state
        self._releases = releases
        self._clock = clock
        self._keep_bodies = keep_bodies

    def apply(self, arrival: MergeArrival) -> Merged:
        """Merge; again from the start when somebody else wrote first.

        Raises:
            RefusedError: another merge stands against it.
            ConflictError: others wrote first several times; nothing is applied.
            UnavailableError: the database does not answer; nothing is applied.
        """
        started = time.perf_counter()
        try:
            outcome = retried(lambda: self._attempt(arrival), "merges")
        except RefusedError:
            metrics.merges.labels("refused").inc()
            raise
        finally:
            self._releases.rest()
        metrics.batch_seconds.labels("merges").observe(time.perf_counter() - started)
        metrics.merges.labels(outcome).inc()
        return Merged(outcome, arrival.merge.into, arrival.merge.user)

    def _attempt(self, arrival: MergeArrival) -> str:
        merge = arrival.merge
        self._releases.refresh()
        self._releases.of(merge.into).catalog.refresh(self._state.newest_change())
        with self._state.write() as write:
            if arrival.partition is not None:
                following = write.offsets({arrival.partition}).get(arrival.partition, 0)
                if arrival.offset < following:
                    return REDELIVERED
                write.put_offsets({arrival.partition: arrival.offset + 1})
            notes = write.forgotten({merge.user, merge.into})
            if any(min(merge.time, arrival.received) <= until for until in notes.values()):
                return FORGOTTEN
            why = write.pair(Alias(merge.user, merge.into, merge.id, merge.time))
            if why:
                raise RefusedError("conflict", why)
            key = EventKey(event_key(merge.id))
            row = EventRow(key=key, received=arrival.received, body=self._body(arrival))
            new = bool(write.add_events([row]))
            moved = self._move(write, merge.user, merge.into)
        return APPLIED if new or moved else DUPLICATE

    def _body(self, arrival: MergeArrival) -> bytes:
        if self._keep_bodies:
            return codec.encode(arrival.merge)
        number = arrival.partition.partition if arrival.partition is not None else -1
        return place(number, arrival.offset)

    def _move(self, write: Write, guest: UserId, user: UserId) -> bool:
        """Put what the guest did into the user's profile; False where there was nothing."""
        stored = write.profiles([guest, user])
        if guest not in stored:
            return False
        version, body, events = self._joined(stored[guest], stored.get(user), user)
        put = ProfileWrite(user=user, expected=version, body=body)
        # In one order for all, so that two transactions do not wait for each other.
        if guest < user:
            write.drop_profile(guest, expected=stored[guest].version)
            write.put_profiles([put])
        else:
            write.put_profiles([put])
            write.drop_profile(guest, expected=stored[guest].version)
        # Last, since each statement before may have waited: lists until then knew nothing of it.
        write.note_moved(guest, events, applied=self._clock.now())
        return True

    def _joined(
        self, guest: StoredProfile, user: StoredProfile | None, owner: UserId
    ) -> tuple[int, bytes, list[EventKey]]:
        """The version that the user's profile has now, what is to stand there, and the events that
        the guest's keeps.
        """
        release = self._releases.of(owner)
        theirs, received = from_stored(guest.body)
        own: Profile = release.bundle.empty_profile()
        version = 0
        if user is not None:
            own, since = from_stored(user.body)
            version, received = user.version, max(received, since)
        both = united(own, theirs, release.bundle.manifest.rules)
        events = [EventKey(key) for key in theirs.history["event"].tolist()]
        return version, stored_body(release.rebuilt(both), received=received), events
