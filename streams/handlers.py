"""What happens to a batch: the same handlers behind both engines.

Each `apply` is one transaction: all of the batch's effect and the offsets that it rests on, or
nothing. Handlers are synchronous and owned by one thread.
"""

import time
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from clickwise import codec, metrics, tracing
from clickwise.activity import Activity, Increment
from clickwise.clock import Clock
from clickwise.events import Event
from clickwise.influence import BOUNDED, Influence
from clickwise.profile import (
    Interaction,
    ItemFacts,
    Profile,
    from_stored,
    interaction_of,
    stored_body,
    weight_of,
)
from clickwise.releases import Release, Releases
from clickwise.state.port import EventRow, Partition, ProfileWrite, State, Write
from clickwise.types import EventKey, ItemKey, ModelVersion, UserId
from streams.effects import Counted, effects, place
from streams.merging import MergeHandler
from streams.retrying import retried

REDELIVERED = "redelivered"
FORGOTTEN = "forgotten"
_SINCE_EVENT = metrics.event_to_profile.labels("event")
_SINCE_RECEIPT = metrics.event_to_profile.labels("receipt")


@dataclass(frozen=True, slots=True)
class Arrival:
    """A valid event and where it came from; `partition` None: the HTTP door, no offset."""

    event: Event
    received: datetime
    partition: Partition | None = None
    offset: int = -1


class _OtherModelsError(Exception):
    """Profiles of the batch have to be folded anew first; each with its stored version."""

    def __init__(self, profiles: Mapping[UserId, tuple[int, Profile]]) -> None:
        super().__init__(f"{len(profiles)} profiles are of another model")
        self.profiles = profiles


@dataclass(frozen=True, slots=True)
class Applied:
    """What a batch did: an outcome per arrival, effects on items, users whose profile changed
    or may have: those of redelivered arrivals, of whom nobody may have been told.

    Outcomes: applied, duplicate (known event id), stale (older than the window), redelivered
    (its offset had been applied), forgotten (of a user who was erased since). Redelivered ones
    yield their increments again, since a crash may have come between the commit and the sending;
    the receiver knows them by their offset. `written`: when profiles and offsets were stored.
    """

    outcomes: tuple[str, ...]
    activity: tuple[Increment, ...]
    users: tuple[UserId, ...]
    written: tracing.Step | None = None


class EventHandler:
    """Folds events into profiles."""

    def __init__(
        self,
        *,
        state: State,
        releases: Releases,
        clock: Clock,
        keep_bodies: bool,
        activity: "ActivityHandler | None" = None,
        influence: Influence = BOUNDED,
    ) -> None:
        """`keep_bodies`: this database is the log (embedded). `activity`: apply increments in
        the same transaction (embedded); None: the caller sends them on. `influence`: bounds of
        what one user's events do to items.
        """
        self._state = state
        self._releases = releases
        self._clock = clock
        self._keep_bodies = keep_bodies
        self._activity = activity
        self._influence = influence
        self.merges = MergeHandler(
            state=state, releases=releases, clock=clock, keep_bodies=keep_bodies
        )

    def apply(self, batch: Sequence[Arrival]) -> Applied:
        """Apply a batch, in order; again from the start when somebody else wrote first.

        Raises:
            ConflictError: still so after several attempts; nothing is applied.
            UnavailableError: the database does not answer; nothing is applied.
        """
        started = time.perf_counter()
        try:
            moved: dict[UserId, tuple[int, Profile]] = {}
            applied = retried(lambda: self._settled(batch, moved), "events")
            metrics.batch_seconds.labels("events").observe(time.perf_counter() - started)
            metrics.batch_messages.labels("events").observe(len(batch))
            self._report(batch, applied)
        finally:
            self._releases.rest()
        return applied

    def _settled(
        self, batch: Sequence[Arrival], moved: dict[UserId, tuple[int, Profile]]
    ) -> Applied:
        """One attempt, once no profile of the batch is another model's.

        After a promotion every profile is. Folding them anew takes long, and every other writer
        would wait for it: so it is done between two transactions, and is in `moved` afterwards.
        """
        while True:
            try:
                return self._attempt(batch, moved)
            except _OtherModelsError as found:
                for user, (version, profile) in found.profiles.items():
                    moved[user] = version, self._releases.of(user).rebuilt(profile)

    def _attempt(
        self, batch: Sequence[Arrival], moved: Mapping[UserId, tuple[int, Profile]]
    ) -> Applied:
        self._releases.refresh()
        newest = self._state.newest_change()
        # Of those that answer these users: one that answers nobody must not hold up events.
        used = {one.version: one for one in (self._releases.of(a.event.user) for a in batch)}
        for release in used.values():
            release.catalog.refresh(newest)
        interactions = [interaction_of(arrival.event) for arrival in batch]
        with self._state.write() as write:
            offsets = write.offsets({a.partition for a in batch if a.partition is not None})
            outcomes = _redelivered(batch, offsets)
            _leave_out_forgotten(batch, outcomes, write)
            owners = self._owners(batch, write, used, newest)
            fresh = [i for i, outcome in enumerate(outcomes) if not outcome]
            new = write.add_events(
                [
                    EventRow(
                        key=EventKey(interactions[i].event),
                        received=batch[i].received,
                        body=self._body(batch[i]),
                    )
                    for i in fresh
                ]
            )
            by_user: dict[UserId, list[int]] = {}
            for i in fresh:
                if EventKey(interactions[i].event) in new:
                    new.discard(EventKey(interactions[i].event))
                    by_user.setdefault(owners[i], []).append(i)
                else:
                    outcomes[i] = "duplicate"
            resent = self._resent(write, batch, interactions, outcomes)
            profiles = self._load(write, by_user.keys() | {owners[i] for i in resent})
            before = {user: profile for user, (_, profile) in profiles.items()}
            self._move(profiles, by_user, moved)
            sources: dict[ModelVersion, _BatchItems] = {}
            writes = []
            for user, indices in by_user.items():
                version, profile = profiles[user]
                release = self._releases.of(user)
                source = sources.get(release.version)
                if source is None:
                    source = sources[release.version] = _BatchItems(release, interactions)
                if before[user].model != release.version:
                    metrics.rebuilt_profiles.labels("event").inc()
                folded = release.fold(profile, [interactions[i] for i in indices], source)
                profiles[user] = (version, folded.profile)
                for i, outcome in zip(indices, folded.outcomes, strict=True):
                    outcomes[i] = outcome
                received = batch[indices[-1]].received.timestamp()
                body = stored_body(folded.profile, received=received)
                writes.append(ProfileWrite(user=user, expected=version, body=body))
            storing = time.time_ns()
            write.put_profiles(writes)
            done = tuple(
                effects(
                    _counted(batch, owners, interactions, outcomes, resent), before, write,
                    kept=self._releases.live.bundle.manifest.rules.history,
                    influence=self._influence,
                )
            )  # fmt: skip
            if self._activity is not None:
                self._activity.add(write, done)
            write.put_offsets(_advanced(batch, offsets))
        told_again = [u for u, o in zip(owners, outcomes, strict=True) if o == REDELIVERED]
        users = tuple(dict.fromkeys([*by_user, *told_again]))
        written = tracing.Step("write profiles", storing, time.time_ns())
        return Applied(tuple(outcomes), done, users, written)

    def _owners(
        self,
        batch: Sequence[Arrival],
        write: Write,
        used: Collection[ModelVersion],
        newest: int,
    ) -> list[UserId]:
        """Whose profile each event belongs to: a guest's who was merged is the user's."""
        found = write.owners({arrival.event.user for arrival in batch})
        for user in found.values():
            release = self._releases.of(user)
            if release.version not in used:  # a trial, of which only one of the two is part
                release.catalog.refresh(newest)
        return [found.get(arrival.event.user, arrival.event.user) for arrival in batch]

    def _body(self, arrival: Arrival) -> bytes:
        return codec.encode(arrival.event) if self._keep_bodies else _place(arrival)

    def _resent(
        self,
        write: Write,
        batch: Sequence[Arrival],
        interactions: Sequence[Interaction],
        outcomes: Sequence[str],
    ) -> set[int]:
        """Indices of redelivered events that counted the first time (were no repeated id)."""
        redelivered = [i for i, outcome in enumerate(outcomes) if outcome == REDELIVERED]
        if not redelivered:
            return set()
        first = write.event_bodies({EventKey(interactions[i].event) for i in redelivered})
        return {
            i for i in redelivered if first.get(EventKey(interactions[i].event)) == _place(batch[i])
        }

    def _load(self, write: Write, users: Iterable[UserId]) -> dict[UserId, tuple[int, Profile]]:
        wanted = sorted(set(users))
        stored = write.profiles(wanted)
        loaded: dict[UserId, tuple[int, Profile]] = {}
        for user in wanted:
            row = stored.get(user)
            if row is None:
                loaded[user] = (0, self._releases.of(user).bundle.empty_profile())
            else:
                loaded[user] = (row.version, from_stored(row.body)[0])
        return loaded

    def _move(
        self,
        profiles: dict[UserId, tuple[int, Profile]],
        users: Iterable[UserId],
        moved: Mapping[UserId, tuple[int, Profile]],
    ) -> None:
        """Put what was folded anew in the place of what is stored, where that is as it was.

        Raises:
            _OtherModelsError: some are another model's, and were not folded anew yet.
        """
        missing: dict[UserId, tuple[int, Profile]] = {}
        for user in users:
            version, profile = profiles[user]
            wanted = self._releases.of(user).version
            if not version or profile.model == wanted:
                continue
            known = moved.get(user)
            if known is None:
                missing[user] = version, profile
            elif known[0] == version and known[1].model == wanted:
                profiles[user] = known
        if missing:
            raise _OtherModelsError(missing)

    def _report(self, batch: Sequence[Arrival], applied: Applied) -> None:
        now = self._clock.now()
        counted: dict[tuple[str, str], int] = {}
        for arrival, outcome in zip(batch, applied.outcomes, strict=True):
            key = (arrival.event.type.value, outcome)
            counted[key] = counted.get(key, 0) + 1
            if outcome == "applied":
                _SINCE_EVENT.observe(max(0.0, (now - arrival.event.time).total_seconds()))
                _SINCE_RECEIPT.observe(max(0.0, (now - arrival.received).total_seconds()))
                if arrival.event.request is not None and weight_of(arrival.event) > 0.0:
                    metrics.followed_events.labels(arrival.event.type.value).inc()
        for (kind, outcome), number in counted.items():
            metrics.events.labels(kind, outcome).inc(number)
        if self._releases.on_trial:
            self._report_trial(batch, applied)

    def _report_trial(self, batch: Sequence[Arrival], applied: Applied) -> None:
        live = self._releases.live
        for arrival, outcome in zip(batch, applied.outcomes, strict=True):
            if outcome == "applied" and weight_of(arrival.event) > 0.0:
                role = "live" if self._releases.of(arrival.event.user) is live else "canary"
                metrics.trial_events.labels(role).inc()


class ActivityHandler:
    """Adds events to the rows of their items."""

    def __init__(self, *, state: State, half_life_seconds: float) -> None:
        self._state = state
        self._half_life_seconds = half_life_seconds

    def apply(
        self, increments: Sequence[Increment], *, consumer: str, topic: str, partition: int
    ) -> int:
        """Apply increments that came through one partition; how many were new.

        Each source partition's increments come in the order of their offsets, all those of one
        event in one message; what is below the stored mark has been applied before.
        """
        started = time.perf_counter()
        new = retried(lambda: self._attempt(increments, consumer, topic, partition), "activity")
        metrics.batch_seconds.labels("activity").observe(time.perf_counter() - started)
        metrics.batch_messages.labels("activity").observe(len(increments))
        return new

    def _attempt(
        self, increments: Sequence[Increment], consumer: str, topic: str, partition: int
    ) -> int:
        marks = {
            source: Partition(consumer, topic, partition, source)
            for source in {one.partition for one in increments}
        }
        with self._state.write() as write:
            stored = write.offsets(marks.values())
            seen = {source: stored.get(mark, 0) for source, mark in marks.items()}
            new = [one for one in increments if one.offset >= seen[one.partition]]
            self.add(write, new)
            ahead = dict(seen)
            for one in new:
                ahead[one.partition] = max(ahead[one.partition], one.offset + 1)
            write.put_offsets({marks[s]: offset for s, offset in ahead.items() if offset > seen[s]})
        return len(new)

    def add(self, write: Write, increments: Sequence[Increment]) -> None:
        """Add increments within a transaction."""
        keys = sorted({ItemKey(one.item) for one in increments})
        if not keys:
            return
        rows = {key: Activity.stored(row) for key, row in write.activity(keys).items()}
        for one in increments:
            row = rows.get(ItemKey(one.item))
            if row is None:
                row = rows[ItemKey(one.item)] = Activity()
            row.add(one, half_life_seconds=self._half_life_seconds)
        write.put_activity({key: rows[key].store() for key in keys})


class _BatchItems:
    """Facts of a batch's items, looked up once; the windows of single users on demand."""

    def __init__(self, release: Release, interactions: Sequence[Interaction]) -> None:
        self._catalog = release.catalog
        self._known = dict(self._catalog.facts(sorted({one.item for one in interactions})))
        self._asked = {one.item for one in interactions}

    def facts(self, keys: Sequence[int]) -> Mapping[int, ItemFacts]:
        """See ItemSource."""
        missing = [key for key in keys if key not in self._asked]
        if missing:
            self._known.update(self._catalog.facts(missing))
            self._asked.update(missing)
        known = self._known
        return {key: known[key] for key in keys if key in known}


def _leave_out_forgotten(batch: Sequence[Arrival], outcomes: list[str], write: Write) -> None:
    """Give events that are older than their user's erasure the outcome `forgotten`."""
    notes = write.forgotten({arrival.event.user for arrival in batch})
    for i, arrival in enumerate(batch):
        until = notes.get(arrival.event.user)
        if until is not None and min(arrival.event.time, arrival.received) <= until:
            outcomes[i] = FORGOTTEN


def _redelivered(batch: Sequence[Arrival], offsets: Mapping[Partition, int]) -> list[str]:
    """`redelivered` for arrivals whose offset has been applied, else an empty text."""
    outcomes = []
    for arrival in batch:
        known = arrival.partition is not None and arrival.offset < offsets.get(arrival.partition, 0)
        outcomes.append(REDELIVERED if known else "")
    return outcomes


def _advanced(batch: Sequence[Arrival], offsets: Mapping[Partition, int]) -> dict[Partition, int]:
    ahead: dict[Partition, int] = {}
    for arrival in batch:
        if arrival.partition is not None:
            ahead[arrival.partition] = max(ahead.get(arrival.partition, 0), arrival.offset + 1)
    return {p: offset for p, offset in ahead.items() if offset > offsets.get(p, 0)}


def _place(arrival: Arrival) -> bytes:
    number = arrival.partition.partition if arrival.partition is not None else -1
    return place(number, arrival.offset)


def _counted(
    batch: Sequence[Arrival],
    owners: Sequence[UserId],
    interactions: Sequence[Interaction],
    outcomes: Sequence[str],
    resent: Collection[int],
) -> list[Counted]:
    """The distinct events of the batch, redelivered ones included."""
    return [
        Counted(
            user=owners[i],
            interaction=interactions[i],
            partition=arrival.partition.partition if arrival.partition is not None else -1,
            offset=arrival.offset,
            again=i in resent,
        )
        for i, (arrival, outcome) in enumerate(zip(batch, outcomes, strict=True))
        if outcome in ("applied", "stale") or i in resent
    ]
