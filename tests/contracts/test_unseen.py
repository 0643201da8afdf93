"""People who were not seen for long lose their profile: the same on SQLite and PostgreSQL."""

import struct
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from clickwise.errors import ConflictError, UnavailableError
from clickwise.privacy.unseen import drop_unseen
from clickwise.profile import RECEIVED_BYTES, Rules, empty_profile, stored_body
from clickwise.state.alias_port import Alias
from clickwise.state.port import ProfileWrite, StoredProfile
from clickwise.state.sql import SqlState, open_state
from clickwise.types import ModelVersion, UserId

NOW = datetime(2026, 11, 25, 8, 30, 0, tzinfo=UTC)
RULES = Rules()
ANN, BOB, CAT = UserId("ann"), UserId("bob"), UserId("cat")


@pytest.fixture(params=["sqlite", "postgresql"])
def state(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[SqlState]:
    if request.param == "sqlite":
        url = f"sqlite:///{tmp_path / 'state.db'}"
    else:
        url = str(request.getfixturevalue("postgres_url"))
    state = open_state(url, timeout_seconds=5.0, pool_size=6)
    state.migrate()
    yield state
    state.close()


def days_ago(number: float) -> datetime:
    return NOW - timedelta(days=number)


def body(*, received: float, happened: float | None = None) -> bytes:
    """A stored profile whose newest event came, and happened, so many days ago."""
    profile = empty_profile(ModelVersion("m1"), dimension=4, rules=RULES)
    seconds = days_ago(received if happened is None else happened).timestamp()
    profile.time = int(seconds * 1_000_000)
    return stored_body(profile, received=days_ago(received).timestamp())


def put(state: SqlState, bodies: dict[UserId, bytes]) -> None:
    with state.write() as write:
        known = state.profile_versions(bodies)
        write.put_profiles(
            [ProfileWrite(user, known.get(user, 0), one) for user, one in bodies.items()]
        )


def left(state: SqlState) -> set[UserId]:
    return set(state.users())


def test_who_was_not_seen_goes_and_others_stay(state: SqlState) -> None:
    put(state, {ANN: body(received=31), BOB: body(received=29), CAT: body(received=400)})

    dropped = drop_unseen(state, before=days_ago(30))

    assert dropped == 2
    assert left(state) == {BOB}


def test_a_late_event_does_not_make_a_profile_old(state: SqlState) -> None:
    put(state, {ANN: body(received=3, happened=400), BOB: body(received=400, happened=3)})

    assert drop_unseen(state, before=days_ago(30)) == 0
    assert left(state) == {ANN, BOB}


def test_all_of_many_are_looked_at(state: SqlState, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("clickwise.privacy.unseen.LOOKED_AT_ONCE", 4)
    monkeypatch.setattr("clickwise.privacy.unseen.DROPPED_AT_ONCE", 2)
    old = {UserId(f"old-{number}"): body(received=31) for number in range(9)}
    young = {UserId(f"young-{number}"): body(received=29) for number in range(9)}
    put(state, old | young)
    withdrawn: list[UserId] = []

    assert drop_unseen(state, before=days_ago(30), withdraw=withdrawn.extend) == 9

    assert left(state) == young.keys()
    assert withdrawn == sorted(old)


def test_a_stop_leaves_the_rest(state: SqlState) -> None:
    put(state, {ANN: body(received=31)})

    assert drop_unseen(state, before=days_ago(30), stopped=lambda: True) == 0
    assert left(state) == {ANN}


def test_what_cannot_be_read_stays(state: SqlState) -> None:
    put(state, {ANN: b"torn", BOB: struct.pack("<d", 0.0) + b"no profile"})

    assert drop_unseen(state, before=days_ago(30)) == 0
    assert left(state) == {ANN, BOB}


def test_a_profile_stays_where_its_list_cannot_be_withdrawn(state: SqlState) -> None:
    put(state, {ANN: body(received=31)})

    def away(_: object) -> None:
        raise UnavailableError("Kafka is away")

    with pytest.raises(UnavailableError):
        drop_unseen(state, before=days_ago(30), withdraw=away)

    assert left(state) == {ANN}


def test_the_merge_stays_and_no_note_is_made(state: SqlState) -> None:
    state.aliases.pair(Alias(UserId("guest"), ANN, "m1", days_ago(40)))
    put(state, {ANN: body(received=31)})

    drop_unseen(state, before=days_ago(30))

    assert state.aliases.owners([UserId("guest")]) == {UserId("guest"): ANN}
    assert not state.people.any_forgotten()


def test_who_comes_back_begins_anew(state: SqlState) -> None:
    put(state, {ANN: body(received=31)})
    drop_unseen(state, before=days_ago(30))

    put(state, {ANN: body(received=0)})

    assert state.profile_versions([ANN]) == {ANN: 1}
    assert drop_unseen(state, before=days_ago(30)) == 0


def test_only_a_profile_that_still_is_the_same_is_dropped(state: SqlState) -> None:
    put(state, {ANN: b"a", BOB: b"b", CAT: b"c"})
    put(state, {BOB: b"b"})

    with state.write() as write:
        gone = write.drop_unchanged(
            {ANN: StoredProfile(1, b"a"), BOB: StoredProfile(1, b"b"), CAT: StoredProfile(1, b"x")}
        )

    assert gone == {ANN}
    assert left(state) == {BOB, CAT}


def test_whoever_writes_meanwhile_waits_and_has_a_conflict(state: SqlState) -> None:
    put(state, {ANN: b"a"})
    done: list[str] = []

    def fold() -> None:
        try:
            with state.write() as write:
                write.put_profiles([ProfileWrite(ANN, 1, b"folded")])
        except ConflictError:
            done.append("conflict")

    with state.write() as write:
        assert write.drop_unchanged({ANN: StoredProfile(1, b"a")}) == {ANN}
        writer = threading.Thread(target=fold)
        writer.start()
        writer.join(0.2)
        done.append("committing")
    writer.join()

    assert done == ["committing", "conflict"]
    assert left(state) == set()


def test_profiles_are_walked_over_by_their_first_bytes(state: SqlState) -> None:
    put(state, {CAT: b"0123456789", ANN: b"abcdefghij", BOB: b"short"})

    first = state.profile_beginnings(limit=2, length=RECEIVED_BYTES)
    rest = state.profile_beginnings(after=BOB, limit=2, length=RECEIVED_BYTES)

    assert first == [(ANN, StoredProfile(1, b"abcdefgh")), (BOB, StoredProfile(1, b"short"))]
    assert rest == [(CAT, StoredProfile(1, b"01234567"))]
