"""The SQL state: profiles, offsets, items, activity, events, dead letters, exposures.

`SqlState` (SQLAlchemy Core, synchronous) is the one implementation; SQLite and PostgreSQL are
its two databases, run by one contract suite (`tests/contracts/test_state.py`).

A *write* is a transaction: all of it is durable when the `with` block ends, or none of it.
Reads outside it see committed data. Every call raises UnavailableError when the database does
not answer, ConflictError when a conditional write lost.
"""

from collections.abc import Collection, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime
from typing import Literal, Protocol

from clickwise.state.alias_port import Alias, Aliases
from clickwise.state.lease_port import Leases
from clickwise.state.people_port import People
from clickwise.state.text_port import Texts
from clickwise.state.understandings import UnderstandingStore
from clickwise.types import EventKey, ItemId, ItemKey, ModelVersion, UserId

LogName = Literal["events", "exposures"]
Role = Literal["live", "previous", "candidate", "canary", "shadow"]
ROLES: tuple[Role, ...] = ("live", "previous", "candidate", "canary", "shadow")


@dataclass(frozen=True, slots=True)
class StoredProfile:
    """A profile as it is kept: `version` counts its writes from 1, `body` is opaque here."""

    version: int
    body: bytes


@dataclass(frozen=True, slots=True)
class ProfileWrite:
    """Store `body` if the stored version is still `expected` (0: no row yet)."""

    user: UserId
    expected: int
    body: bytes


@dataclass(frozen=True, slots=True)
class EventRow:
    """One accepted event. `body` is its JSON where this database is the log, else its place
    (`partition:offset`), so that a redelivered event is told from a repeated id.
    """

    key: EventKey
    received: datetime
    body: bytes | None


@dataclass(frozen=True, slots=True)
class Partition:
    """Whose offsets: a consumer's on a topic's partition.

    `source` tells upstream partitions apart where one partition carries several of them;
    `consumer` is then the group that read them upstream. Of the topic `recommendations`, which no
    worker reads, it is the mark of that partition of events (`streams.handover`).
    """

    consumer: str
    topic: str
    partition: int
    source: int = -1


@dataclass(frozen=True, slots=True)
class ItemRow:
    """An item as stored. `body` is its JSON, None once deleted.

    `change` is the row's place in the order of commits: strictly increasing, never visible
    out of order. `vector` is float32 little-endian of `model`'s dimension.
    """

    key: ItemKey
    id: ItemId
    body: bytes | None
    change: int
    model: ModelVersion
    vector: bytes | None


@dataclass(frozen=True, slots=True)
class ItemWrite:
    """Put (`body` and `vector` given) or delete (both None) one item.

    `others`: its vectors of other text encoders in use. Those that it had before are forgotten.
    """

    key: ItemKey
    id: ItemId
    body: bytes | None
    model: ModelVersion
    vector: bytes | None
    others: tuple[tuple[ModelVersion, bytes], ...] = ()


@dataclass(frozen=True, slots=True)
class StoredActivity:
    """What readers did with one item. `log_score` orders items by decayed counts (forward
    decay in log space, so the order does not depend on when it is read).
    """

    log_score: float
    body: bytes


@dataclass(frozen=True, slots=True)
class LogRow:
    """One message of the embedded log: its sequence number, when it was received, its JSON."""

    number: int
    received: datetime
    body: bytes


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """A message that could not be applied: where it was, what it was, why. `id` 0 until stored."""

    topic: str
    partition: int
    offset: int
    key: bytes | None
    value: bytes | None
    reason: str
    detail: str
    at: datetime
    id: int = 0
    replayed: datetime | None = None


@dataclass(frozen=True, slots=True)
class NamedRelease:
    """The model that a role names.

    `url` is where its bundle can be had, `checksum` that of its manifest (empty: a bundle that
    each home makes for itself). `encoder` is what CLICKWISE_ENCODER_MODEL would be to give the
    text vectors that it needs (empty: what it is). `share` of users (canary) or of requests
    (shadow) get it. `since` is the newest item `change` when it was first named.
    """

    role: Role
    version: ModelVersion
    url: str
    checksum: str
    share: float
    since: int
    changed: datetime
    encoder: str = ""


@dataclass(frozen=True, slots=True)
class Pointer:
    """Which models are in use; `sequence` counts the changes, 0 before the first."""

    sequence: int
    named: tuple[NamedRelease, ...]

    def role(self, role: Role) -> NamedRelease | None:
        """What this role names, if anything."""
        return next((one for one in self.named if one.role == role), None)


@dataclass(frozen=True, slots=True)
class Rebuild:
    """How far the profiles are rebuilt for a model that is live since `changed`.

    Users up to `after` were looked at: `seen` of them, `rebuilt` of those were another model's.
    """

    version: ModelVersion
    changed: datetime
    after: str
    seen: int
    rebuilt: int
    done: bool


class Write(Protocol):
    """One transaction."""

    def add_events(self, rows: Sequence[EventRow]) -> set[EventKey]:
        """Append events to the log; the keys that are new (a repeated key has no effect)."""
        ...

    def event_bodies(self, keys: Collection[EventKey]) -> dict[EventKey, bytes | None]:
        """Stored bodies of those events that are in the log."""
        ...

    def profiles(self, users: Collection[UserId]) -> dict[UserId, StoredProfile]:
        """Profiles of those users that have one."""
        ...

    def put_profiles(self, writes: Sequence[ProfileWrite]) -> None:
        """Conditional writes, all or none: ConflictError if any stored version differs."""
        ...

    def drop_profile(self, user: UserId, *, expected: int) -> None:
        """Delete a profile; ConflictError if its stored version is not `expected`."""
        ...

    def drop_unchanged(self, profiles: Mapping[UserId, StoredProfile]) -> set[UserId]:
        """Delete those of the profiles that are still these, byte for byte; whose they were.

        Whoever writes one of them meanwhile waits until the transaction ends, and has a conflict.
        """
        ...

    def owners(self, users: Collection[UserId]) -> dict[UserId, UserId]:
        """Whose the events of those of `users` are who are somebody else."""
        ...

    def pair(self, alias: Alias) -> str:
        """Note that the guest is the user; empty, or why that cannot be (and nothing is noted).

        Others who note one wait until the transaction ends.
        """
        ...

    def note_moved(self, guest: UserId, events: Collection[EventKey], *, applied: datetime) -> None:
        """Note that a merge, `applied` now, takes these events from the guest, who is paired. Of
        those that are noted already the first moment stands.
        """
        ...

    def offsets(self, partitions: Collection[Partition]) -> dict[Partition, int]:
        """The next offset to apply, for partitions that have one.

        Holds all of them until the transaction ends: a second owner of a partition (there is
        one for a moment when partitions move), or another consumer of it, waits here and then
        sees what the first applied.
        """
        ...

    def put_offsets(self, offsets: Mapping[Partition, int]) -> None:
        """Store next offsets; a smaller one than stored raises ConflictError (a late owner)."""
        ...

    def put_items(self, writes: Sequence[ItemWrite]) -> int:
        """Put and delete items in this order; the `change` of the last one.

        ConflictError when a key is taken by another id.
        """
        ...

    def add_vectors(self, rows: Sequence[ItemRow]) -> int:
        """Add the vectors of `rows` to items that are as the rows say by their `change`; how many.

        The items' own `change` stays: indexes that hold the item already do not hear of it.
        """
        ...

    def put_bodies(self, rows: Sequence[ItemRow]) -> dict[ItemKey, int]:
        """Store the `body` of items that are as the rows say by their `change`; their new changes.

        For what is derived of an item: its text, and so its vectors and what is understood of it,
        are as they were.
        """
        ...

    def activity(self, keys: Collection[ItemKey]) -> dict[ItemKey, StoredActivity]:
        """Activity of those items that have any."""
        ...

    def put_activity(self, rows: Mapping[ItemKey, StoredActivity]) -> None:
        """Store activity (insert or replace)."""
        ...

    def add_dead_letters(self, letters: Sequence[DeadLetter]) -> None:
        """Append; the same topic, partition and offset is stored once."""
        ...

    def add_exposures(self, bodies: Sequence[bytes], *, received: datetime) -> None:
        """Append exposure messages (embedded log)."""
        ...

    def forgotten(self, users: Collection[UserId]) -> dict[UserId, datetime]:
        """Up to when those of `users` are forgotten who are: nothing of theirs that is as old as
        that may be stored again.
        """
        ...

    def put_pointer(self, named: Sequence[NamedRelease], *, expected: int) -> None:
        """Replace all of the pointer; ConflictError if its sequence is not `expected` by now."""
        ...

    def put_rebuild(self, rebuild: Rebuild, *, expected: Rebuild | None) -> None:
        """Note progress, in place of `expected`; ConflictError if something else stands there."""
        ...


class State(Protocol):
    """Port to the database."""

    @property
    def understandings(self) -> UnderstandingStore:
        """What was understood of items."""
        ...

    @property
    def people(self) -> People:
        """Whom the site was told to forget."""
        ...

    @property
    def aliases(self) -> Aliases:
        """Which guests turned out to be which users."""
        ...

    @property
    def texts(self) -> Texts:
        """What was written about items."""
        ...

    @property
    def leases(self) -> Leases:
        """Which process does what only one should."""
        ...

    def write(self) -> AbstractContextManager[Write]:
        """A transaction; commits at the end of the block, rolls back when it raises."""
        ...

    def profile(self, user: UserId) -> tuple[StoredProfile | None, int]:
        """A user's profile and the newest item `change`, in one round trip (the hot path)."""
        ...

    def profile_versions(self, users: Collection[UserId]) -> dict[UserId, int]:
        """Versions of those users that have a profile."""
        ...

    def profile_beginnings(
        self, *, after: str = "", limit: int, length: int
    ) -> list[tuple[UserId, StoredProfile]]:
        """Profiles in the order of their users, each with the first `length` bytes of its body
        alone: for what walks over all of them.
        """
        ...

    def users(self, *, after: str = "", limit: int = 1000) -> list[UserId]:
        """User ids in order, for tools that walk over all of them."""
        ...

    def item(self, item: ItemId, model: ModelVersion | None = None) -> ItemRow | None:
        """One item, None when unknown or deleted; with its vector of `model`, see below."""
        ...

    def item_bodies(self, keys: Collection[ItemKey]) -> dict[ItemKey, tuple[ItemId, bytes]]:
        """Id and JSON of items, by key; unknown and deleted ones are left out."""
        ...

    def items_changed(
        self, *, after: int, limit: int, model: ModelVersion | None = None
    ) -> list[ItemRow]:
        """Items (deleted ones too) with `change` greater than `after`, in order of change.

        With their vectors of `model` (None where there is none); without `model`, of the one that
        each was stored with.
        """
        ...

    def items_without(
        self, model: ModelVersion, *, after: ItemKey | None = None, limit: int
    ) -> list[ItemRow]:
        """Items that have no vector of `model`, in order of their keys from `after` on."""
        ...

    def clock_skew_seconds(self) -> float:
        """The database's clock less this machine's; 0 in a file of this machine."""
        ...

    def newest_change(self) -> int:
        """The greatest `change`; 0 when there are no items."""
        ...

    def count_items(self) -> int:
        """Number of items that are not deleted."""
        ...

    def activity(self, keys: Collection[ItemKey]) -> dict[ItemKey, StoredActivity]:
        """As in Write, outside a transaction."""
        ...

    def trending(self, limit: int) -> list[tuple[ItemKey, float]]:
        """Items with the greatest `log_score`, greatest first."""
        ...

    def offsets(self, consumer: str) -> dict[Partition, int]:
        """All stored offsets of a consumer."""
        ...

    def events(self, *, after: int = 0, limit: int = 1000) -> list[tuple[int, bytes]]:
        """The embedded log from sequence number `after` on: (sequence number, JSON)."""
        ...

    def exposures(self, *, after: int = 0, limit: int = 1000) -> list[tuple[int, bytes]]:
        """The embedded exposure log, likewise."""
        ...

    def log_rows(self, log: LogName, *, after: int, limit: int) -> list[LogRow]:
        """The embedded log of events or exposures from sequence number `after` on."""
        ...

    def exposures_received(
        self, begin: datetime, end: datetime, *, after: int, limit: int
    ) -> list[LogRow]:
        """Rows of the embedded exposure log received from `begin` on and before `end`, in order
        of their numbers, from number `after` on.
        """
        ...

    def forgotten(self, log: LogName) -> int:
        """The greatest sequence number that pruning took from that log; 0 when it took none."""
        ...

    def dead_letters(
        self, *, limit: int = 100, before: int | None = None, pending_only: bool = False
    ) -> list[DeadLetter]:
        """Newest first; `before` is an id to page on from."""
        ...

    def dead_letter(self, letter: int) -> DeadLetter | None:
        """One dead letter by its id."""
        ...

    def mark_replayed(self, letter: int, at: datetime) -> None:
        """Note that a dead letter went back into its topic."""
        ...

    def prune(self, *, events_before: datetime) -> int:
        """Forget event ids (and embedded bodies) received before then; how many."""
        ...

    def prune_exposures(self, *, before: datetime) -> int:
        """Forget exposures of the embedded log received before then; how many."""
        ...

    def prune_letters(self, *, before: datetime) -> int:
        """Forget dead letters that were set aside before then, put back or not; how many."""
        ...

    def pointer(self) -> Pointer:
        """The models in use, in one round trip."""
        ...

    def rebuild(self) -> Rebuild | None:
        """How far profiles are rebuilt; None before the first time."""
        ...

    def ping(self) -> None:
        """Return when the database answers."""
        ...

    def migrate(self) -> None:
        """Bring the schema to this program's version (safe to call from several processes)."""
        ...

    def close(self) -> None:
        """Close every connection."""
        ...
