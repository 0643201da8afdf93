"""The database's tables as places that keep people's data.

The log of events and that of exposures are here only where this database is the log (embedded);
elsewhere it keeps hashes of event ids, which say nothing of a user once the profile is gone, and
go by age.
"""

from collections.abc import Iterator
from datetime import datetime, timedelta

import msgspec

from clickwise.codec import JsonObject
from clickwise.privacy.mentions import mentions
from clickwise.privacy.port import Erased, PersonalStore, Whose
from clickwise.privacy.telling import told_profile
from clickwise.profile import from_stored
from clickwise.state.port import DeadLetter, LogName, LogRow, State
from clickwise.types import EventKey, UserId

ROWS_AT_ONCE = 5_000
LETTERS_AT_ONCE = 100


class _Owned(msgspec.Struct):
    """The part of an event or an exposure that says whose it is."""

    user: str | None = None


_owned = msgspec.json.Decoder(_Owned)


_TELLS: dict[LogName, str] = {
    "events": (
        "what the site sent of what the person did: `value` is the seconds of a view or the stars"
        " of a rating, `received` when it came"
    ),
    "exposures": (
        "lists that were shown: for each item its place, its score by the model, the chance that it"
        " had of being shown there (`propensity`), where it was found (`sources`) and the code of"
        " the reason that was given"
    ),
}


class ProfileTable:
    """Profiles, and what stands in place of one that is erased. See PersonalStore.

    It comes first: with its note nothing older can be stored any more.
    """

    name = "profiles"
    tells = "what was made of the events to choose lists; see `fields of profiles`"

    def __init__(self, state: State, *, ids_kept: timedelta | None = None) -> None:
        """`ids_kept`: how long the ids of events are kept that are logged elsewhere; None where
        they go with the log.
        """
        self._state = state
        self._ids_kept = ids_kept

    def erase(self, user: UserId, *, until: datetime) -> Erased:
        """See PersonalStore. Also notes that the user is forgotten."""
        people = self._state.people
        if self._ids_kept is None:
            gone = people.forget(user, until=until, events_of=lambda _: ())
            return Erased(store=self.name, records=gone.profiles)
        gone = people.forget(user, until=until, events_of=_events_of)
        return Erased(
            store=self.name,
            records=gone.profiles + gone.events,
            left="hashes of the ids of events that were older than the profile's history",
            left_until=until + self._ids_kept,
        )

    def export(self, user: UserId) -> Iterator[JsonObject]:
        """See PersonalStore."""
        stored, _ = self._state.profile(user)
        if stored is not None:
            yield told_profile(self._state, from_stored(stored.body)[0], stored.version)

    def holds(self, whose: Whose, *, until: datetime) -> int:
        """See PersonalStore. A profile that was begun since does not count."""
        found, after = 0, ""
        moment = until.timestamp() * 1e6
        while users := self._state.users(after=after, limit=ROWS_AT_ONCE):
            after = users[-1]
            for user in filter(whose, users):
                stored, _ = self._state.profile(user)
                if stored is None:
                    continue
                history = from_stored(stored.body)[0].history
                found += not len(history) or int(history["time"].min()) <= moment
        return found


class LogTable:
    """The embedded log of events, or of exposures. See PersonalStore."""

    def __init__(self, state: State, log: LogName) -> None:
        self.name = log
        self.tells = _TELLS.get(log, "")
        self._log: LogName = log
        self._state = state

    def erase(self, user: UserId, *, until: datetime) -> Erased:
        """See PersonalStore."""
        numbers = [row.number for row in self._rows(user.__eq__) if row.received <= until]
        return Erased(store=self.name, records=self._state.people.erase_rows(self._log, numbers))

    def export(self, user: UserId) -> Iterator[JsonObject]:
        """See PersonalStore."""
        for row in self._rows(user.__eq__):
            message: JsonObject = msgspec.json.decode(row.body)
            yield {"received": row.received, **message}

    def holds(self, whose: Whose, *, until: datetime) -> int:
        """See PersonalStore."""
        return sum(row.received <= until for row in self._rows(whose))

    def _rows(self, whose: Whose) -> Iterator[LogRow]:
        after = 0
        while rows := self._state.log_rows(self._log, after=after, limit=ROWS_AT_ONCE):
            after = rows[-1].number
            yield from (row for row in rows if _is_of(row.body, whose))


class DeadLetterTable:
    """Refused messages: their bytes are whatever somebody sent. See PersonalStore."""

    name = "dead letters"
    tells = "messages that could not be taken in and hold the person's id, with the reason"

    def __init__(self, state: State) -> None:
        self._state = state

    def erase(self, user: UserId, *, until: datetime) -> Erased:
        """See PersonalStore."""
        ids = [one.id for one in self._letters(user.__eq__) if one.at <= until and one.id]
        erased = self._state.people.erase_rows("dead_letters", ids)
        return Erased(store=self.name, records=erased)

    def export(self, user: UserId) -> Iterator[JsonObject]:
        """See PersonalStore."""
        for one in self._letters(user.__eq__):
            yield {
                "at": one.at,
                "topic": one.topic,
                "reason": one.reason,
                "detail": one.detail,
                "value": (one.value or b"").decode(errors="backslashreplace"),
            }

    def holds(self, whose: Whose, *, until: datetime) -> int:
        """See PersonalStore."""
        return sum(one.at <= until for one in self._letters(whose))

    def _letters(self, whose: Whose) -> Iterator[DeadLetter]:
        before: int | None = None
        while page := self._state.dead_letters(limit=LETTERS_AT_ONCE, before=before):
            before = page[-1].id
            yield from (one for one in page if _speaks_of(one, whose))


class AliasTable:
    """Which guests are which users. See PersonalStore."""

    name = "merges"
    tells = "ids of guests that turned out to be this person"

    def __init__(self, state: State) -> None:
        self._state = state

    def erase(self, user: UserId, *, until: datetime) -> Erased:
        """See PersonalStore."""
        del until
        aliases = self._state.aliases
        others = [one for one in aliases.ids_of(user) if one != user]
        return Erased(store=self.name, records=aliases.part([user, *others]))

    def export(self, user: UserId) -> Iterator[JsonObject]:
        """See PersonalStore. Told once for a person: beside the guest's other records."""
        found = self._state.aliases.owners([user])
        for guest, owner in found.items():
            yield {"guest": guest, "user": owner}

    def holds(self, whose: Whose, *, until: datetime) -> int:
        """See PersonalStore."""
        found, after = 0, ""
        while page := self._state.aliases.all(after=after, limit=ROWS_AT_ONCE):
            after = page[-1].guest
            found += sum(one.at <= until and (whose(one.guest) or whose(one.user)) for one in page)
        return found


def embedded_tables(state: State) -> list[PersonalStore]:
    """The tables where this database is the log, in the order of their erasure."""
    logs = LogTable(state, "events"), LogTable(state, "exposures")
    return [ProfileTable(state), *logs, DeadLetterTable(state)]


def shared_tables(state: State, *, ids_kept: timedelta) -> list[PersonalStore]:
    """The tables where Kafka is the log; `ids_kept`: how long event ids are remembered."""
    return [ProfileTable(state, ids_kept=ids_kept), DeadLetterTable(state)]


def _events_of(body: bytes) -> list[EventKey]:
    return [EventKey(key) for key in from_stored(body)[0].history["event"].tolist()]


def _is_of(body: bytes, whose: Whose) -> bool:
    try:
        owner = _owned.decode(body).user
    except (msgspec.MsgspecError, UnicodeDecodeError):
        return False  # a place in another log
    return owner is not None and whose(owner)


def _speaks_of(letter: DeadLetter, whose: Whose) -> bool:
    parts = (letter.key, letter.value, letter.detail.encode())
    return any(part is not None and mentions(part, whose) for part in parts)
