"""One person in every store: erased, told, or looked for again."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from itertools import chain

import msgspec

from clickwise import codec
from clickwise.clock import Clock
from clickwise.errors import NotFoundError
from clickwise.privacy.port import Erased, PersonalStore, together
from clickwise.privacy.receipt import Receipt, receipt_of, sealed
from clickwise.privacy.telling import Titles, about
from clickwise.state.port import State
from clickwise.types import UserId


class Verification(msgspec.Struct, frozen=True, kw_only=True):
    """What a second look found: records in each store that still has some."""

    receipt: Receipt
    found: dict[str, int]


class People:
    """Every place that keeps people's data. The first of them notes who is forgotten."""

    def __init__(self, state: State, stores: Sequence[PersonalStore], *, clock: Clock) -> None:
        self._state = state
        self._stores = tuple(stores)
        self._clock = clock

    def forget(self, user: UserId) -> Receipt:
        """Erase everything of the person up to now, under whatever id: guests who were merged
        into `user`, or the user whom `user` was merged into. A fault half-way leaves work for a
        repetition.

        Raises:
            UnavailableError: a store does not answer.
        """
        until = self._clock.now()
        people = self._state.people
        ids = self._state.aliases.ids_of(user)
        stores = tuple(
            together([store.erase(one, until=until) for one in ids]) for store in self._stores
        )
        people.scrub()
        name, *also = map(people.name_of, ids)
        receipt = Receipt(user=name, also=tuple(also), forgotten=until, stores=stores)
        return sealed(receipt, people)

    def again(self, notes: Mapping[str, datetime]) -> list[Receipt]:
        """Erase once more whoever has one of these hashes, each up to its moment: a backup was
        put back that is older. What the log delivers of them later has no effect either.

        Raises:
            UnavailableError: a store does not answer.
        """
        people = self._state.people
        for name, until in notes.items():
            people.note(name, until)
        done: dict[str, list[Erased]] = {name: [] for name in notes}
        for store in self._stores if notes else ():
            for user, name in self._seen_in(store, notes):
                until = notes[name]
                if store.holds(user.__eq__, until=until):
                    done[name].append(store.erase(user, until=until))
        if any(done.values()):
            people.scrub()
        return [
            sealed(Receipt(user=name, forgotten=notes[name], stores=tuple(stores)), people)
            for name, stores in done.items()
        ]

    def _seen_in(
        self, store: PersonalStore, notes: Mapping[str, datetime]
    ) -> list[tuple[UserId, str]]:
        """The ids in a store, of whatever age, that have one of these hashes, with the hash."""
        people = self._state.people
        seen: dict[UserId, str] = {}

        def whose(user: str) -> bool:
            name = user if user in notes else people.name_of(user)
            if name in notes:
                seen[UserId(user)] = name
            return name in notes

        store.holds(whose, until=max(notes.values()))
        return list(seen.items())

    def export(self, user: UserId) -> Iterator[bytes]:
        """Everything that is known of the person, under whatever id; a JSON line for each record,
        after one that says what the lines are.

        Raises:
            NotFoundError: before the first line, when there is nothing.
        """
        records = (
            {"store": store.name, **record}
            for store in self._stores
            for one in self._state.aliases.ids_of(user)
            for record in store.export(one)
        )
        first = next(records, None)
        if first is None:
            raise NotFoundError(f"nothing is known of user {user!a}")
        titles = Titles(self._state)
        yield codec.encode(about(user, {s.name: s.tells for s in self._stores if s.tells})) + b"\n"
        for record in chain([first], records):
            yield codec.encode(titles.beside(record)) + b"\n"

    def read(self, data: bytes) -> Receipt:
        """A receipt that this site gave.

        Raises:
            InvalidInputError: it is none, or not this site's.
        """
        return receipt_of(data, self._state.people)

    def verify(self, data: bytes) -> Verification:
        """Look again in every store for whom a receipt is about.

        Raises:
            InvalidInputError: it is no receipt of this site.
        """
        people = self._state.people
        receipt = receipt_of(data, people)
        meant = {receipt.user, *receipt.also}
        known: dict[str, bool] = {}

        def whose(user: str) -> bool:
            if user not in known:
                if len(known) > 1_000_000:
                    known.clear()
                known[user] = user in meant or people.name_of(user) in meant
            return known[user]

        found = {s.name: s.holds(whose, until=receipt.forgotten) for s in self._stores}
        return Verification(
            receipt=receipt, found={name: number for name, number in found.items() if number}
        )
