"""One transaction on the state: what a batch writes together."""

import dataclasses
from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from hashlib import blake2b
from operator import itemgetter
from typing import Any

from sqlalchemy import Connection, CursorResult, Row, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.sql.base import Executable
from sqlalchemy.sql.dml import UpdateBase

from clickwise.errors import ClickwiseError, ConflictError
from clickwise.state import statements
from clickwise.state.alias_port import Alias
from clickwise.state.aliases import LOCK, SqlAliases
from clickwise.state.bulk import chunks
from clickwise.state.faults import translate
from clickwise.state.people import SqlPeople
from clickwise.state.port import (
    DeadLetter,
    EventRow,
    ItemRow,
    ItemWrite,
    LogName,
    NamedRelease,
    Partition,
    ProfileWrite,
    Rebuild,
    StoredActivity,
    StoredProfile,
)
from clickwise.state.statements import BulkStatements
from clickwise.types import EventKey, ItemKey, UserId

Values = dict[str, Any]
Result = CursorResult[*tuple[Any, ...]]


# Only a log is read in order of its sequence numbers; where bodies are places, writers need not
# wait for each other.
_JSON = b"{"


class SqlWrite:
    """See `clickwise.state.port.Write`.

    Once a call has failed, `failure` holds why and the transaction cannot commit any more,
    whether or not the caller lets the error through.
    """

    def __init__(
        self,
        connection: Connection,
        many: BulkStatements,
        people: SqlPeople,
        aliases: SqlAliases,
    ) -> None:
        self._connection = connection
        self._many = many
        self._people = people
        self._aliases = aliases
        self._keys = many.bulk.keys
        self.failure: ClickwiseError | None = None

    def add_events(self, rows: Sequence[EventRow]) -> set[EventKey]:
        """See Write."""
        if not self._many.bulk.one_writer and any(
            row.body is not None and row.body.startswith(_JSON) for row in rows
        ):
            self._run(statements.hold_events)
        new: dict[EventKey, Values] = {}
        for row in rows:
            new.setdefault(row.key, {"key": row.key, "received": row.received, "body": row.body})
        for keys in chunks(list(new)):
            for (key,) in self._run(self._many.known_events, {"keys": self._keys(keys)}):
                del new[key]
        if self._run_many(self._many.add_event, list(new.values())) != len(new):
            raise self._conflict("another transaction stored one of these events first")
        return set(new)

    def event_bodies(self, keys: Collection[EventKey]) -> dict[EventKey, bytes | None]:
        """See Write."""
        return {
            key: body
            for some in chunks(list(keys))
            for key, body in self._run(self._many.event_bodies, {"keys": self._keys(some)})
        }

    def profiles(self, users: Collection[UserId]) -> dict[UserId, StoredProfile]:
        """See Write."""
        return {
            user: StoredProfile(version, body)
            for some in chunks(list(users))
            for user, version, body in self._run(self._many.profiles, {"keys": self._keys(some)})
        }

    def put_profiles(self, writes: Sequence[ProfileWrite]) -> None:
        """See Write."""
        if len({write.user for write in writes}) != len(writes):
            raise ValueError("expected one write per user")
        first, later = [], []
        # In one order for all, so that two transactions do not wait for each other.
        for write in sorted(writes, key=lambda write: write.user):
            version = write.expected + 1
            if write.expected:
                later.append(
                    {
                        "user": write.user,
                        "expected": write.expected,
                        "version": version,
                        "body": write.body,
                    }
                )
            else:
                first.append({"user": write.user, "version": version, "body": write.body})
        written = self._run_many(self._many.add_profile, first)
        written += self._run_many(self._many.replace_profile, later)
        if written != len(writes):
            raise self._conflict(
                f"{len(writes) - written} of {len(writes)} profiles have another version by now"
            )

    def drop_profile(self, user: UserId, *, expected: int) -> None:
        """See Write."""
        result = self._run(statements.drop_profile, {"of_user": user, "expected": expected})
        if result.rowcount != 1:
            raise self._conflict("the profile has another version by now")

    def drop_unchanged(self, profiles: Mapping[UserId, StoredProfile]) -> set[UserId]:
        """See Write."""
        return {
            user
            # In one order for all, so that two transactions do not wait for each other.
            for user, stored in sorted(profiles.items(), key=itemgetter(0))
            if self._run(
                statements.drop_unchanged,
                {"of_user": user, "expected": stored.version, "body": stored.body},
            ).rowcount
        }

    def owners(self, users: Collection[UserId]) -> dict[UserId, UserId]:
        """See Write."""
        return self._aliases.owned(users, self._run)

    def pair(self, alias: Alias) -> str:
        """See Write."""
        if not self._many.bulk.one_writer:
            self._run(text(LOCK))
        _, why = self._aliases.paired(alias, self._run)
        return why

    def note_moved(self, guest: UserId, events: Collection[EventKey], *, applied: datetime) -> None:
        """See Write."""
        self._aliases.note_moved(guest, events, applied, self._run)

    def offsets(self, partitions: Collection[Partition]) -> dict[Partition, int]:
        """See Write."""
        # Whoever's offsets: consumers of one partition must not write the same rows at once.
        places = {(place.topic, place.partition) for place in partitions}
        if places:
            self._hold([_lock_number(*place) for place in places])
        stored: dict[Partition, int] = {}
        for consumer in {partition.consumer for partition in partitions}:
            for *place, following in self._run(statements.offsets_of, {"consumer": consumer}):
                stored[Partition(*place)] = following
        return {place: stored[place] for place in partitions if place in stored}

    def put_offsets(self, offsets: Mapping[Partition, int]) -> None:
        """See Write."""
        rows = [
            {
                "consumer": place.consumer,
                "topic": place.topic,
                "partition": place.partition,
                "source": place.source,
                "next": following,
            }
            for place, following in offsets.items()
        ]
        rows.sort(key=lambda row: (row["consumer"], row["topic"], row["partition"], row["source"]))
        if self._run_many(self._many.put_offset, rows) != len(rows):
            raise self._conflict("a later offset is stored: this partition has another owner")

    def put_items(self, writes: Sequence[ItemWrite]) -> int:
        """See Write."""
        last: dict[ItemKey, ItemWrite] = {}
        for write in writes:
            known = last.pop(write.key, write)
            if known.id != write.id:
                raise self._taken_key()
            last[write.key] = write
        # The counter first: its row orders all writers of items.
        self._run(statements.advance_counter, {"of_name": "change", "by": len(last)})
        newest = int(self._run(statements.newest_change).scalar_one())
        live = sum(write.body is not None for write in last.values())
        for keys in chunks(list(last)):
            live -= self._run(self._many.count_live, {"keys": self._keys(keys)}).scalar_one()
        self._run(statements.advance_counter, {"of_name": "items", "by": live})
        start = newest - len(last) + 1
        rows = [
            {"key": w.key, "id": w.id, "body": w.body, "change": change, "model": w.model}
            for change, w in enumerate(last.values(), start)
        ]
        if self._run_many(self._many.put_item, rows) != len(rows):
            raise self._taken_key()
        self._put_vectors(list(last.values()))
        for keys in chunks([write.key for write in last.values() if write.body is None]):
            for statement in self._many.forget_understandings:
                self._run(statement, {"keys": self._keys(keys)})
        return newest

    def add_vectors(self, rows: Sequence[ItemRow]) -> int:
        """See Write."""
        values = [
            {"key": row.key, "model": row.model, "vector": row.vector, "change": row.change}
            for row in sorted(rows, key=lambda row: row.key)
            if row.vector is not None
        ]
        return self._run_many(self._many.add_vector, values)

    def put_bodies(self, rows: Sequence[ItemRow]) -> dict[ItemKey, int]:
        """See Write."""
        by_key = {row.key: row for row in rows}
        # As in put_items: nobody else changes an item from here on.
        self._run(statements.hold_changes)
        stored = {
            key: change
            for some in chunks(list(by_key))
            for key, change in self._run(self._many.changes, {"keys": self._keys(some)})
        }
        current = [row for key, row in by_key.items() if stored.get(key) == row.change]
        if not current:
            return {}
        current.sort(key=lambda row: row.change)  # among them the order stays
        self._run(statements.advance_counter, {"of_name": "change", "by": len(current)})
        newest = int(self._run(statements.newest_change).scalar_one())
        start = newest - len(current) + 1
        values = [
            {"key": row.key, "body": row.body, "change": change}
            for change, row in enumerate(current, start)
        ]
        self._run_many(self._many.replace_body, values)
        moves = [
            {"key": row.key, "expected": row.change, "change": change}
            for change, row in enumerate(current, start)
        ]
        self._run_many(self._many.move_understanding, moves)
        return {row.key: change for change, row in enumerate(current, start)}

    def activity(self, keys: Collection[ItemKey]) -> dict[ItemKey, StoredActivity]:
        """See Write."""
        return {
            key: StoredActivity(log_score, body)
            for some in chunks(list(keys))
            for key, log_score, body in self._run(self._many.activity, {"keys": self._keys(some)})
        }

    def put_activity(self, rows: Mapping[ItemKey, StoredActivity]) -> None:
        """See Write."""
        values = [
            {"key": key, "log_score": row.log_score, "body": row.body}
            for key, row in sorted(rows.items())
        ]
        self._run_many(self._many.put_activity, values)

    def add_dead_letters(self, letters: Sequence[DeadLetter]) -> None:
        """See Write."""
        values = [
            {
                "topic": letter.topic,
                "partition": letter.partition,
                "offset": letter.offset,
                "key": letter.key,
                "value": letter.value,
                "reason": _storable(letter.reason),
                "detail": _storable(letter.detail),
                "at": letter.at,
                "replayed": letter.replayed,
            }
            for letter in letters
        ]
        self._run_many(self._many.add_dead_letter, values)

    def add_exposures(self, bodies: Sequence[bytes], *, received: datetime) -> None:
        """See Write."""
        self._run(statements.hold_exposures)
        rows = [{"received": received, "body": body} for body in bodies]
        self._run_many(self._many.add_exposure, rows)

    def forgotten(self, users: Collection[UserId]) -> dict[UserId, datetime]:
        """See Write."""
        return self._people.found(users, self._run)

    def put_pointer(self, named: Sequence[NamedRelease], *, expected: int) -> None:
        """See Write."""
        if len({one.role for one in named}) != len(named):
            raise ValueError("expected one model per role")
        # Held to the end of the transaction: of two that change it at once the second sees this.
        if int(self._run(statements.hold_releases).scalar_one()) != expected:
            raise self._conflict("another process has changed the models in use")
        self._run(statements.advance_counter, {"of_name": "releases", "by": 1})
        self._run(statements.delete_releases)
        self._run_many(self._many.add_release, [dataclasses.asdict(one) for one in named])

    def put_rebuild(self, rebuild: Rebuild, *, expected: Rebuild | None) -> None:
        """See Write."""
        self._run(statements.hold_releases)
        stored = [rebuild_of(row) for row in self._run(statements.rebuild)]
        if stored != ([] if expected is None else [expected]):
            raise self._conflict("another process rebuilds the profiles too")
        self._run(statements.delete_rebuilds)
        self._run_many(
            self._many.add_rebuild, [{**dataclasses.asdict(rebuild), "done": int(rebuild.done)}]
        )

    def mark_replayed(self, letter: int, at: datetime) -> bool:
        """Note when a dead letter went back into its topic; False when there is none."""
        values = {"of_id": letter, "replayed": at}
        return self._run(statements.mark_replayed, values).rowcount == 1

    def forget_logged(self, log: LogName, before: datetime, limit: int) -> int:
        """Delete at most `limit` rows of a log, received before then; how many."""
        self._run(statements.hold_log[log])
        rows = self._run(statements.forget_logged[log], {"before": before, "limit": limit})
        numbers = [number for (number,) in rows]
        if numbers:
            self._run(statements.raise_counter, {"of_name": log, "to": max(numbers)})
        return len(numbers)

    def forget_letters(self, before: datetime, limit: int) -> int:
        """Delete at most `limit` dead letters replayed before then; how many."""
        values = {"before": before, "limit": limit}
        return len(self._run(statements.forget_letters, values).all())

    def _put_vectors(self, writes: Sequence[ItemWrite]) -> None:
        # All that an item had: vectors of what it was before must not outlive it.
        for keys in chunks([write.key for write in writes]):
            self._run(self._many.delete_vectors, {"keys": self._keys(keys)})
        values = [
            {"key": write.key, "model": model, "vector": vector}
            for write in writes
            for model, vector in ((write.model, write.vector), *write.others)
            if vector is not None
        ]
        self._run_many(self._many.put_vector, values)

    def _run(self, statement: Executable, values: Values | None = None) -> Result:
        try:
            return self._connection.execute(statement, values)
        except DBAPIError as error:
            self.failure = translate(error)
            raise self.failure from error

    def _run_many(self, statement: UpdateBase, rows: Sequence[Values]) -> int:
        """Run the statement for each row; how many rows it changed in all."""
        changed = 0
        for some in chunks(rows):
            try:
                changed += self._many.bulk.run(self._connection, statement, some)
            except DBAPIError as error:
                self.failure = translate(error)
                raise self.failure from error
        return changed

    def _hold(self, numbers: Sequence[int]) -> None:
        try:
            self._many.bulk.hold(self._connection, numbers)
        except DBAPIError as error:
            self.failure = translate(error)
            raise self.failure from error

    def _conflict(self, message: str) -> ConflictError:
        self.failure = ConflictError(message)
        return self.failure

    def _taken_key(self) -> ConflictError:
        return self._conflict("an item's key is taken by another item id")


def _lock_number(topic: str, partition: int) -> int:
    """63 bits for one partition, the same in every process."""
    name = "\0".join((topic, str(partition))).encode()
    return int.from_bytes(blake2b(name, digest_size=8, person=b"offsets").digest()) >> 1


def rebuild_of(row: Row[*tuple[Any, ...]]) -> Rebuild:
    """The progress in a row of `rebuilds`."""
    return Rebuild(row.version, row.changed, row.after, row.seen, row.rebuilt, bool(row.done))


def _storable(text: str) -> str:
    """Text that every database takes: a dead letter must never be refused itself."""
    return text.encode(errors="backslashreplace").decode().replace("\0", "\\x00")
