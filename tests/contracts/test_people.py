"""What a database keeps of people and erases: the same on SQLite and PostgreSQL."""

import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from clickwise import codec
from clickwise.clock import SystemClock
from clickwise.errors import ConflictError, InvalidInputError
from clickwise.privacy import People
from clickwise.privacy.tables import AliasTable, DeadLetterTable, embedded_tables
from clickwise.state.alias_port import Alias, Move
from clickwise.state.port import DeadLetter, EventRow, ProfileWrite
from clickwise.state.sql import SqlState, open_state
from clickwise.types import UserId, event_key

NOW = datetime(2026, 11, 25, 8, 30, 0, 123456, tzinfo=UTC)
DAY = timedelta(days=1)
ANN, BOB = UserId("ann-of-the-test"), UserId("bob")


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'state.db'}"
    return str(request.getfixturevalue("postgres_url"))


@pytest.fixture
def state(url: str) -> Iterator[SqlState]:
    state = open_state(url, timeout_seconds=5.0, pool_size=6)
    state.migrate()
    yield state
    state.close()


def forget(state: SqlState, user: UserId, until: datetime = NOW) -> None:
    state.people.forget(user, until=until, events_of=lambda _: [event_key("kept")])


def letter(offset: int, value: bytes) -> DeadLetter:
    return DeadLetter(
        topic="events", partition=0, offset=offset, key=None, value=value,
        reason="invalid", detail="not valid JSON", at=NOW,
    )  # fmt: skip


def test_nobody_is_forgotten_at_first(state: SqlState) -> None:
    assert not state.people.any_forgotten()
    assert state.people.forgotten([ANN, BOB]) == {}


def test_a_transaction_sees_up_to_when_a_user_is_forgotten(state: SqlState) -> None:
    forget(state, ANN, NOW - timedelta(days=1))
    forget(state, ANN, NOW)

    with state.write() as write:
        assert write.forgotten([ANN, BOB]) == {ANN: NOW}
    assert state.people.any_forgotten()


def test_a_note_is_put_back_by_its_hash_and_never_moves_back(state: SqlState) -> None:
    name = state.people.name_of(ANN)

    state.people.note(name, NOW)
    state.people.note(name, NOW - timedelta(days=1))

    assert state.people.notes() == {name: NOW}
    assert state.people.forgotten([ANN, BOB]) == {ANN: NOW}


def test_whoever_is_found_again_by_the_hash_is_erased_and_nobody_else(state: SqlState) -> None:
    clock = SystemClock()
    people = People(state, embedded_tables(state), clock=clock)
    with state.write() as write:
        write.add_events(
            [
                EventRow(event_key("a"), NOW, b'{"id":"a","user":"ann-of-the-test"}'),
                EventRow(event_key("b"), NOW, b'{"id":"b","user":"bob"}'),
                EventRow(event_key("c"), NOW + DAY, b'{"id":"c","user":"ann-of-the-test"}'),
            ]
        )

    (receipt,) = people.again({state.people.name_of(ANN): NOW})

    assert [(one.store, one.records) for one in receipt.stores] == [("events", 1)]
    assert len(state.events()) == 2
    assert state.people.forgotten([ANN]) == {ANN: NOW}
    assert people.read(codec.encode(receipt)) == receipt


def test_the_profile_and_the_events_that_it_kept_go_and_others_stay(state: SqlState) -> None:
    with state.write() as write:
        write.put_profiles([ProfileWrite(ANN, 0, b"a"), ProfileWrite(BOB, 0, b"b")])
        write.add_events([EventRow(event_key(name), NOW, b"0:1") for name in ("kept", "other")])

    gone = state.people.forget(ANN, until=NOW, events_of=lambda _: [event_key("kept")])

    assert (gone.profiles, gone.events) == (1, 1)
    assert state.profile_versions([ANN, BOB]) == {BOB: 1}
    with state.write() as write:
        assert write.add_events([EventRow(event_key("kept"), NOW, b"0:1")])
        assert not write.add_events([EventRow(event_key("other"), NOW, b"0:1")])


def test_whoever_had_read_the_profile_before_cannot_write_it_after(state: SqlState) -> None:
    with state.write() as write:
        write.put_profiles([ProfileWrite(ANN, 0, b"a")])

    forget(state, ANN)

    with pytest.raises(ConflictError), state.write() as write:
        write.put_profiles([ProfileWrite(ANN, 1, b"a again")])


def test_what_was_being_written_when_a_user_is_forgotten_is_erased_too(state: SqlState) -> None:
    with state.write() as write:
        assert write.forgotten([ANN]) == {}
        erasing = threading.Thread(target=forget, args=(state, ANN))
        erasing.start()
        erasing.join(0.3)
        write.put_profiles([ProfileWrite(ANN, 0, b"a")])
    erasing.join()

    assert state.profile_versions([ANN]) == {}
    assert state.people.forgotten([ANN]) == {ANN: NOW}


def test_a_stored_note_names_nobody_without_the_key_of_its_database(
    state: SqlState, tmp_path: Path
) -> None:
    other = open_state(f"sqlite:///{tmp_path / 'other.db'}", timeout_seconds=5.0, pool_size=2)
    other.migrate()

    assert state.people.name_of(ANN) == state.people.name_of(ANN)
    assert state.people.name_of(ANN) != state.people.name_of(BOB)
    assert state.people.name_of(ANN) != other.people.name_of(ANN)
    other.close()


def test_dead_letters_that_speak_of_a_user_go(state: SqlState) -> None:
    with state.write() as write:
        write.add_dead_letters(
            [letter(1, b'{"user": "ann-of-the-test", broken'), letter(2, b'{"user": "bob"')]
        )

    erased = DeadLetterTable(state).erase(ANN, until=NOW)

    assert erased.records == 1
    assert [one.offset for one in state.dead_letters()] == [2]


def test_the_logs_of_another_user_stay(state: SqlState) -> None:
    people = People(state, embedded_tables(state), clock=SystemClock())
    with state.write() as write:
        write.add_events(
            [
                EventRow(event_key("a"), NOW, b'{"id":"a","user":"ann-of-the-test"}'),
                EventRow(event_key("b"), NOW, b'{"id":"b","user":"bob"}'),
            ]
        )
        write.add_exposures([b'{"user":"ann-of-the-test"}', b'{"user":"bob"}'], received=NOW)

    receipt = people.forget(ANN)

    assert {one.store: one.records for one in receipt.stores} == {
        "profiles": 0, "events": 1, "exposures": 1, "dead letters": 0,
    }  # fmt: skip
    assert [body for _, body in state.events()] == [b'{"id":"b","user":"bob"}']
    assert [body for _, body in state.exposures()] == [b'{"user":"bob"}']


def test_a_receipt_of_another_site_is_refused(state: SqlState, tmp_path: Path) -> None:
    other = open_state(f"sqlite:///{tmp_path / 'other.db'}", timeout_seconds=5.0, pool_size=2)
    other.migrate()
    clock = SystemClock()
    receipt = People(other, embedded_tables(other), clock=clock).forget(ANN)

    with pytest.raises(InvalidInputError, match="another site"):
        People(state, embedded_tables(state), clock=clock).verify(codec.encode(receipt))
    other.close()


def alias(guest: str, user: str, merge: str = "") -> Alias:
    return Alias(UserId(guest), UserId(user), merge or f"merge-of-{guest}", NOW)


def test_a_guest_is_one_user_and_no_user(state: SqlState) -> None:
    first = state.aliases.pair(alias("g", "ann"))

    assert state.aliases.pair(alias("g", "ann", "asked again")) == first
    for refused in (alias("g", "bob"), alias("ann", "bob"), alias("ann", "g"), alias("x", "g")):
        with pytest.raises(ConflictError):
            state.aliases.pair(refused)
    with pytest.raises(ConflictError):
        state.aliases.pair(alias("other", "bob", "merge-of-g"))
    assert state.aliases.owners([UserId("g"), ANN, BOB]) == {"g": "ann"}


def test_what_a_merge_moved_is_known_under_both_ids_and_goes_with_them(state: SqlState) -> None:
    keys = [event_key("e1"), event_key("e2"), event_key("e3")]
    later = NOW + timedelta(hours=1, microseconds=1)
    with state.write() as write:
        write.pair(alias("g", "ann"))
        write.pair(alias("other", "bob"))
        write.note_moved(UserId("g"), keys[:2], applied=NOW)
        write.note_moved(UserId("g"), keys[1:], applied=later)
        write.note_moved(UserId("nobody"), keys, applied=NOW)

    noted = [
        Move(UserId("g"), UserId("ann"), NOW, tuple(keys[:2])),
        Move(UserId("g"), UserId("ann"), later, tuple(keys[2:])),
    ]
    assert state.aliases.moves(UserId("g")) == state.aliases.moves(UserId("ann")) == noted
    assert state.aliases.moves(BOB) == []
    assert state.aliases.pair(alias("g", "ann")) == alias("g", "ann")
    state.aliases.part([UserId("g")])
    assert state.aliases.moves(UserId("ann")) == []


def test_of_two_merges_at_once_that_cannot_both_be_one_is_refused(state: SqlState) -> None:
    refused: list[ConflictError] = []
    start = threading.Barrier(2)

    def pair(one: Alias) -> None:
        start.wait(10)
        try:
            state.aliases.pair(one)
        except ConflictError as error:
            refused.append(error)

    both = [
        threading.Thread(target=pair, args=(one,)) for one in (alias("a", "b"), alias("b", "a"))
    ]
    for thread in both:
        thread.start()
    for thread in both:
        thread.join()

    assert len(refused) == 1
    assert len(state.aliases.all(after="", limit=9)) == 1


def test_a_profile_is_dropped_as_it_was_read_or_not_at_all(state: SqlState) -> None:
    with state.write() as write:
        write.put_profiles([ProfileWrite(ANN, 0, b"a")])

    with pytest.raises(ConflictError), state.write() as write:
        write.drop_profile(ANN, expected=2)
    with pytest.raises(ConflictError), state.write() as write:
        write.drop_profile(BOB, expected=1)
    with state.write() as write:
        write.drop_profile(ANN, expected=1)

    assert state.profile_versions([ANN, BOB]) == {}


@pytest.mark.parametrize("asked", ["ann-of-the-test", "guest-of-the-test"])
def test_a_person_is_forgotten_under_every_id(state: SqlState, asked: str) -> None:
    guest = UserId("guest-of-the-test")
    state.aliases.pair(alias(guest, ANN))
    with state.write() as write:
        write.put_profiles([ProfileWrite(ANN, 0, b"a"), ProfileWrite(BOB, 0, b"b")])
        write.add_events(
            [
                EventRow(event_key(f"of {user}"), NOW, codec.encode({"user": user}))
                for user in (guest, ANN, BOB)
            ]
        )
    people = People(state, [*embedded_tables(state), AliasTable(state)], clock=SystemClock())

    receipt = people.forget(UserId(asked))

    assert {one.store: one.records for one in receipt.stores} == {
        "profiles": 1,
        "events": 2,
        "exposures": 0,
        "dead letters": 0,
        "merges": 1,
    }
    assert state.profile_versions([ANN, BOB]) == {BOB: 1}
    assert set(state.people.forgotten([ANN, guest, BOB])) == {ANN, guest}
    assert people.verify(codec.encode(receipt)).found == {}
    with state.write() as write:  # it comes back, under the id that was not asked for
        other = ANN if asked == guest else guest
        row = EventRow(event_key("again"), NOW, codec.encode({"user": other}))
        write.add_events([row])
    assert people.verify(codec.encode(receipt)).found == {"events": 1}
