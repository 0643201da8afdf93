"""The state's contract, on SQLite and on PostgreSQL."""

import sqlite3
import stat
import subprocess
import sys
import threading
import time
import traceback
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Engine, NullPool, create_engine, inspect, make_url
from sqlalchemy.exc import OperationalError

from clickwise.errors import (
    ConfigurationError,
    ConflictError,
    InvalidInputError,
    NotFoundError,
    UnavailableError,
)
from clickwise.state import schema
from clickwise.state.migrations.losses import LOST
from clickwise.state.port import (
    DeadLetter,
    EventRow,
    ItemRow,
    ItemWrite,
    NamedRelease,
    Partition,
    ProfileWrite,
    Rebuild,
    Role,
    StoredActivity,
    StoredProfile,
)
from clickwise.state.sql import SqlState, open_state
from clickwise.state.sqlite import begin, open_sqlite
from clickwise.state.tables import SCHEMA_VERSION, metadata
from clickwise.testing.postgres import PostgresServer
from clickwise.types import ItemId, ItemKey, ModelVersion, UserId, event_key, item_key

NOW = datetime(2026, 11, 25, 8, 30, 0, 123456, tzinfo=UTC)
MODEL = ModelVersion("day0")
# One place for each kind of id that keys of databases have been known to confuse.
STRANGE_IDS = [
    "A",
    "a",
    "a:b/c{d}",
    "with space",
    " with space",
    "with space ",
    "%_\\'\";--",
    "\U0001f600\U0001f468\u200d\U0001f469\u200d\U0001f467",
    "\u05e9\u05dc\u05d5\u05dd",
    "\u0645\u0631\u062d\u0628\u0627",
    "e\u0301",
    "\u00e9",
    "\u79d1\u6280",
    "\u00df",
    "ss",
    "0",
    "00",
    "x" * 256,
]


def event(name: str, *, received: datetime = NOW, body: bytes | None = b"{}") -> EventRow:
    return EventRow(key=event_key(name), received=received, body=body)


def put(name: str, body: bytes = b"{}", *, model: ModelVersion = MODEL) -> ItemWrite:
    return ItemWrite(
        key=item_key(name), id=ItemId(name), body=body, model=model, vector=name.encode()
    )


def delete(name: str) -> ItemWrite:
    return ItemWrite(key=item_key(name), id=ItemId(name), body=None, model=MODEL, vector=None)


def profile(user: str, expected: int, body: bytes = b"body") -> ProfileWrite:
    return ProfileWrite(user=UserId(user), expected=expected, body=body)


def letter(offset: int, *, reason: str = "invalid", topic: str = "events") -> DeadLetter:
    return DeadLetter(
        topic=topic,
        partition=1,
        offset=offset,
        key=None,
        value=b"\xff\x00",
        reason=reason,
        detail="not valid JSON",
        at=NOW,
    )


def wait_until(condition: Callable[[], bool], seconds: float = 20.0) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "the condition did not come true in time"
        time.sleep(0.02)


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


@pytest.fixture
def engine(url: str) -> Iterator[Engine]:
    engine = create_engine(url, poolclass=NullPool)
    yield engine
    engine.dispose()


class TestProfiles:
    def test_a_user_without_a_profile_has_none(self, state: SqlState) -> None:
        assert state.profile(UserId("nobody")) == (None, 0)

    def test_a_profile_comes_with_the_newest_change(self, state: SqlState) -> None:
        with state.write() as write:
            write.put_profiles([profile("ann", 0, b"\x00\xff")])
            change = write.put_items([put("i")])

        assert state.profile(UserId("ann")) == (StoredProfile(1, b"\x00\xff"), change)

    def test_versions_count_the_writes(self, state: SqlState) -> None:
        for expected in range(3):
            with state.write() as write:
                write.put_profiles([profile("ann", expected, bytes([expected]))])

        assert state.profile(UserId("ann"))[0] == StoredProfile(3, b"\x02")

    @pytest.mark.parametrize("expected", [0, 1, 3])
    def test_a_write_on_another_version_conflicts(self, state: SqlState, expected: int) -> None:
        for version in range(2):
            with state.write() as write:
                write.put_profiles([profile("ann", version)])

        with pytest.raises(ConflictError, match="1 of 2 profiles"), state.write() as write:
            write.put_profiles([profile("ben", 0), profile("ann", expected, b"lost")])

        assert state.profile(UserId("ann"))[0] == StoredProfile(2, b"body")
        assert state.profile(UserId("ben"))[0] is None

    def test_a_version_of_a_profile_that_is_not_there_conflicts(self, state: SqlState) -> None:
        with pytest.raises(ConflictError), state.write() as write:
            write.put_profiles([profile("ann", 4)])

        assert state.profile(UserId("ann"))[0] is None

    def test_two_writes_of_one_user_in_one_call_are_a_mistake(self, state: SqlState) -> None:
        with pytest.raises(ValueError, match="one write per user"), state.write() as write:
            write.put_profiles([profile("ann", 0), profile("ann", 1)])

    def test_more_profiles_than_a_statement_takes(self, state: SqlState) -> None:
        users = [UserId(f"u{number:05}") for number in range(1_234)]

        with state.write() as write:
            write.put_profiles([profile(user, 0, user.encode()) for user in users])
        with state.write() as write:
            write.put_profiles([profile(user, 1, user.encode()) for user in users])
            read = write.profiles([*users, UserId("unknown")])

        assert read == {user: StoredProfile(2, user.encode()) for user in users}
        assert state.profile_versions([*users, UserId("unknown")]) == dict.fromkeys(users, 2)

    def test_users_are_walked_in_bytewise_order(self, state: SqlState) -> None:
        names = ["b", "A", "a", "B", "\u00e9", "e\u0301", "z", "_"]
        with state.write() as write:
            write.put_profiles([profile(name, 0) for name in names])

        walked: list[UserId] = []
        while some := state.users(after=walked[-1] if walked else "", limit=3):
            walked += some

        assert walked == sorted(names, key=str.encode)

    @pytest.mark.case(13)
    def test_of_two_writers_on_one_version_exactly_one_wins(self, state: SqlState) -> None:
        ready = threading.Barrier(2)

        def race(body: bytes) -> bool:
            ready.wait(10)
            try:
                with state.write() as write:
                    write.put_profiles([profile("ann", version, body)])
            except ConflictError:
                return False
            return True

        with ThreadPoolExecutor(2) as pool:
            for version in range(20):
                won = list(pool.map(race, [b"one", b"two"]))
                assert sorted(won) == [False, True]
                stored = state.profile(UserId("ann"))[0]
                assert stored == StoredProfile(version + 1, b"one" if won[0] else b"two")

    @pytest.mark.case(13)
    def test_writers_that_retry_lose_no_write(self, state: SqlState) -> None:
        def add_ten(number: int) -> None:
            del number
            for _ in range(10):
                while True:
                    with suppress(ConflictError), state.write() as write:
                        known = write.profiles([UserId("ann")]).get(UserId("ann"))
                        version, body = (known.version, known.body) if known else (0, b"")
                        write.put_profiles([profile("ann", version, body + b"x")])
                        break

        with ThreadPoolExecutor(4) as pool:
            list(pool.map(add_ten, range(4)))

        assert state.profile(UserId("ann"))[0] == StoredProfile(40, b"x" * 40)


class TestEvents:
    @pytest.mark.case(4)
    def test_only_new_keys_are_added(self, state: SqlState) -> None:
        with state.write() as write:
            assert write.add_events([event("a"), event("b"), event("a")]) == {
                event_key("a"),
                event_key("b"),
            }
        with state.write() as write:
            assert write.add_events([event("b"), event("c")]) == {event_key("c")}
            assert write.add_events([]) == set()

        assert len(state.events()) == 3

    def test_the_log_is_read_in_the_order_of_writing(self, state: SqlState) -> None:
        names = [f"e{number}" for number in range(1_100)]
        with state.write() as write:
            write.add_events([event(name, body=b'{"n":"%s"}' % name.encode()) for name in names])

        first = state.events(limit=700)
        rest = state.events(after=first[-1][0], limit=700)

        assert [body for _, body in first + rest] == [b'{"n":"%s"}' % n.encode() for n in names]

    def test_bodies_are_found_by_key(self, state: SqlState) -> None:
        with state.write() as write:
            write.add_events([event("a", body=b"0:17"), event("b", body=None)])
            found = write.event_bodies([event_key("a"), event_key("b"), event_key("c")])

        assert found == {event_key("a"): b"0:17", event_key("b"): None}

    def test_pruned_events_are_forgotten_and_the_rest_kept(self, state: SqlState) -> None:
        old, new = NOW - timedelta(days=9), NOW
        with state.write() as write:
            write.add_events([event("old", received=old), event("new", received=new)])

        assert state.prune(events_before=NOW - timedelta(days=8)) == 1
        assert state.prune(events_before=NOW - timedelta(days=8)) == 0

        assert len(state.events()) == 1
        with state.write() as write:
            assert write.add_events([event("old"), event("new")]) == {event_key("old")}

    def test_numbers_of_pruned_events_are_not_used_again(self, state: SqlState) -> None:
        with state.write() as write:
            write.add_events([event("a")])
        last = state.events()[-1][0]
        state.prune(events_before=NOW + timedelta(days=1))

        with state.write() as write:
            write.add_events([event("b")])

        assert state.events(after=last)[0][0] > last

    def test_the_log_tells_what_pruning_took_from_it(self, state: SqlState) -> None:
        old, new = NOW - timedelta(days=9), NOW
        with state.write() as write:
            write.add_events([event("old", received=old), event("new", received=new)])
            write.add_exposures([b"old"], received=old)
        (first, last), (shown,) = state.log_rows("events", after=0, limit=9), state.exposures()
        before = NOW - timedelta(days=8)

        assert (state.forgotten("events"), state.forgotten("exposures")) == (0, 0)
        state.prune(events_before=before)
        state.prune_exposures(before=before)
        state.prune(events_before=before)

        assert state.forgotten("events") == first.number
        assert state.forgotten("exposures") == shown[0]
        assert state.log_rows("events", after=first.number, limit=9) == [last]
        assert (last.received, last.body) == (new, event("new").body)

    def test_a_reader_of_the_log_misses_nothing_while_many_write(self, state: SqlState) -> None:
        def write_some(writer: int) -> None:
            for number in range(10):
                with state.write() as write:
                    write.add_events([event(f"{writer}:{number}")])

        seen: list[int] = []
        with ThreadPoolExecutor(4) as pool:
            writing = [pool.submit(write_some, writer) for writer in range(4)]
            deadline = time.monotonic() + 30
            while len(seen) < 40 and time.monotonic() < deadline:
                seen += [seq for seq, _ in state.events(after=seen[-1] if seen else 0)]
            for one in writing:
                one.result()

        assert len(seen) == 40

    def test_exposures_are_a_log_too(self, state: SqlState) -> None:
        with state.write() as write:
            write.add_exposures([b"one", b"two"], received=NOW)
            write.add_exposures([b"three"], received=NOW)

        (first, _), *rest = state.exposures()

        assert [body for _, body in rest] == [b"two", b"three"]
        assert state.exposures(after=first, limit=1) == rest[:1]

    def test_exposures_are_found_by_the_time_of_their_receipt(self, state: SqlState) -> None:
        second = timedelta(seconds=1)
        with state.write() as write:
            write.add_exposures([b"early"], received=NOW - second)
            write.add_exposures([b"one", b"two"], received=NOW)
            write.add_exposures([b"late"], received=NOW + second)

        rows = state.exposures_received(NOW, NOW + second, after=0, limit=9)

        assert [(row.received, row.body) for row in rows] == [(NOW, b"one"), (NOW, b"two")]
        again = state.exposures_received(NOW, NOW + second, after=rows[0].number, limit=9)
        assert again == rows[1:]
        assert state.exposures_received(NOW, NOW + second, after=0, limit=1) == rows[:1]

    def test_old_exposures_are_forgotten(self, state: SqlState) -> None:
        with state.write() as write:
            write.add_exposures([b"old", b"old too"], received=NOW - timedelta(days=31))
            write.add_exposures([b"new"], received=NOW)

        assert state.prune_exposures(before=NOW - timedelta(days=30)) == 2

        assert [body for _, body in state.exposures()] == [b"new"]


class TestOffsets:
    place = Partition("streams", "clickwise.events", 3)

    def test_offsets_are_kept_by_consumer_topic_partition_and_source(self, state: SqlState) -> None:
        offsets = {
            self.place: 7,
            Partition("streams", "clickwise.events", 4): 1,
            Partition("streams", "clickwise.activity", 3, source=2): 5,
        }
        with state.write() as write:
            write.put_offsets(offsets)
            write.put_offsets({Partition("other", "clickwise.events", 3): 99})

        with state.write() as write:
            unknown = Partition("streams", "clickwise.events", 5)
            assert write.offsets([self.place, unknown]) == {self.place: 7}
        assert state.offsets("streams") == offsets
        assert state.offsets("nobody") == {}

    @pytest.mark.case(17)
    def test_an_offset_never_goes_back(self, state: SqlState) -> None:
        with state.write() as write:
            write.put_offsets({self.place: 7})
        with state.write() as write:
            write.put_offsets({self.place: 7})

        def late_owner() -> None:
            with state.write() as write:
                write.put_profiles([profile("ann", 0)])
                write.put_offsets({self.place: 6})

        with pytest.raises(ConflictError, match="another owner"):
            late_owner()

        assert state.offsets("streams") == {self.place: 7}
        assert state.profile(UserId("ann"))[0] is None

    @pytest.mark.case(17)
    def test_a_second_owner_waits_and_sees_what_the_first_applied(self, state: SqlState) -> None:
        seen: list[int] = []

        def second_owner() -> None:
            with state.write() as write:
                seen.append(write.offsets([self.place])[self.place])

        with ThreadPoolExecutor(1) as pool:
            with state.write() as write:
                write.offsets([self.place])
                waiting = pool.submit(second_owner)
                write.put_offsets({self.place: 50})
            waiting.result(10)

        assert seen == [50]

    def test_another_consumer_of_the_partition_waits_too(self, state: SqlState) -> None:
        other = Partition("others", self.place.topic, self.place.partition)
        order: list[str] = []

        def second_consumer() -> None:
            with state.write() as write:
                write.offsets([other])
                order.append("second")

        with ThreadPoolExecutor(1) as pool:
            with state.write() as write:
                write.offsets([self.place])
                waiting = pool.submit(second_consumer)
                with pytest.raises(TimeoutError):
                    waiting.result(0.2)
                order.append("first")
            waiting.result(10)

        assert order == ["first", "second"]


class TestItems:
    def test_an_item_is_put_replaced_and_deleted(self, state: SqlState) -> None:
        with state.write() as write:
            first = write.put_items([put("i", b"one")])
        assert state.item(ItemId("i")) == ItemRow(
            item_key("i"), ItemId("i"), b"one", first, MODEL, b"i"
        )

        other = ModelVersion("day1")
        with state.write() as write:
            second = write.put_items([put("i", b"two", model=other)])
        replaced = state.item(ItemId("i"))
        assert replaced == ItemRow(item_key("i"), ItemId("i"), b"two", second, other, b"i")

        with state.write() as write:
            third = write.put_items([delete("i")])
        assert state.item(ItemId("i")) is None
        assert first < second < third == state.newest_change()

    @pytest.mark.case(1)
    def test_an_empty_state_has_no_items_and_no_change(self, state: SqlState) -> None:
        assert state.newest_change() == 0
        assert state.count_items() == 0
        assert state.items_changed(after=0, limit=10) == []
        assert state.trending(10) == []
        with state.write() as write:
            assert write.put_items([]) == 0

    def test_bodies_are_had_by_key_without_what_is_deleted_or_unknown(
        self, state: SqlState
    ) -> None:
        with state.write() as write:
            write.put_items([put("a", b"one"), put("b", b"two"), put("gone")])
        with state.write() as write:
            write.put_items([delete("gone")])

        found = state.item_bodies({item_key(name) for name in ("a", "b", "gone", "never")})

        assert found == {
            item_key("a"): (ItemId("a"), b"one"),
            item_key("b"): (ItemId("b"), b"two"),
        }
        assert state.item_bodies([]) == {}

    def test_deleted_items_are_not_counted(self, state: SqlState) -> None:
        with state.write() as write:
            write.put_items([put(f"i{number}") for number in range(1_200)])
        with state.write() as write:
            write.put_items([delete("i0"), delete("i1"), delete("never there"), put("i2")])
            write.put_items([put("i1")])

        assert state.count_items() == 1_199

    def test_changes_are_read_in_order_deletions_too(self, state: SqlState) -> None:
        with state.write() as write:
            write.put_items([put("a"), put("b"), put("c")])
            last = write.put_items([delete("a"), put("b", b"new")])

        rows = state.items_changed(after=0, limit=10)

        assert [(row.id, row.body) for row in rows] == [("c", b"{}"), ("a", None), ("b", b"new")]
        assert rows[1].vector is None
        assert rows[-1].change == last
        assert state.items_changed(after=rows[0].change, limit=1) == rows[1:2]
        assert state.items_changed(after=last, limit=10) == []

    def test_the_last_write_of_an_item_in_one_call_counts(self, state: SqlState) -> None:
        with state.write() as write:
            write.put_items([put("a", b"one"), delete("a"), put("a", b"two"), delete("b")])

        assert [(row.id, row.body) for row in state.items_changed(after=0, limit=10)] == [
            ("a", b"two"),
            ("b", None),
        ]
        assert state.count_items() == 1

    def test_a_key_that_another_id_has_taken_conflicts(self, state: SqlState) -> None:
        impostor = ItemWrite(item_key("a"), ItemId("impostor"), b"{}", MODEL, b"v")
        with state.write() as write:
            write.put_items([put("a", b"true")])

        with pytest.raises(ConflictError, match="taken by another item id"), state.write() as write:
            write.put_items([put("b"), impostor])
        with pytest.raises(ConflictError, match="taken by another item id"), state.write() as write:
            write.put_items([put("a"), impostor])

        known = state.item(ItemId("a"))
        assert known is not None
        assert known.body == b"true"
        assert state.item(ItemId("b")) is None
        assert state.item(ItemId("impostor")) is None

    def test_changes_become_visible_in_order_while_many_write(self, state: SqlState) -> None:
        def write_some(writer: int) -> None:
            for number in range(10):
                with state.write() as write:
                    write.put_items([put(f"{writer}:{number}:{part}") for part in range(3)])

        seen: list[int] = []
        with ThreadPoolExecutor(4) as pool:
            writing = [pool.submit(write_some, writer) for writer in range(4)]
            deadline = time.monotonic() + 30
            while len(seen) < 120 and time.monotonic() < deadline:
                after = seen[-1] if seen else 0
                seen += [row.change for row in state.items_changed(after=after, limit=7)]
            for one in writing:
                one.result()

        assert seen == list(range(1, 121))


class TestVectorsOfSeveralEncoders:
    OTHER = ModelVersion("e5")

    def put_both(self, name: str) -> ItemWrite:
        one = put(name)
        return ItemWrite(
            key=one.key, id=one.id, body=one.body, model=one.model, vector=one.vector,
            others=((self.OTHER, b"other " + name.encode()),),
        )  # fmt: skip

    def test_items_are_read_with_the_vectors_that_are_asked_for(self, state: SqlState) -> None:
        with state.write() as write:
            write.put_items([self.put_both("a"), put("b")])

        own = state.items_changed(after=0, limit=9)
        other = state.items_changed(after=0, limit=9, model=self.OTHER)

        assert [(row.model, row.vector) for row in own] == [(MODEL, b"a"), (MODEL, b"b")]
        assert [(row.model, row.vector) for row in other] == [
            (self.OTHER, b"other a"),
            (self.OTHER, None),
        ]
        found = state.item(ItemId("a"), self.OTHER)
        assert found is not None
        assert found.vector == b"other a"

    def test_a_vector_does_not_outlive_what_it_was_made_of(self, state: SqlState) -> None:
        with state.write() as write:
            write.put_items([self.put_both("a")])
        with state.write() as write:
            write.put_items([put("a", b'{"title": "new"}')])

        (row,) = state.items_changed(after=0, limit=9, model=self.OTHER)

        assert row.vector is None

    def test_items_without_a_vector_are_found_page_by_page(self, state: SqlState) -> None:
        with state.write() as write:
            write.put_items([self.put_both("a"), put("b"), put("c"), put("d")])
            write.put_items([delete("d")])

        first = state.items_without(self.OTHER, limit=1)
        rest = state.items_without(self.OTHER, after=first[0].key, limit=9)

        assert {row.id for row in [*first, *rest]} == {"b", "c"}
        assert first[0].key < rest[0].key

    def test_vectors_are_added_to_items_that_are_as_they_were_read(self, state: SqlState) -> None:
        with state.write() as write:
            write.put_items([put("a"), put("b")])
        rows = state.items_without(self.OTHER, limit=9)
        with state.write() as write:
            write.put_items([put("b", b'{"title": "new"}')])
        newest = state.newest_change()

        with state.write() as write:
            added = write.add_vectors(
                [ItemRow(r.key, r.id, r.body, r.change, self.OTHER, b"v") for r in rows]
            )

        assert added == 1
        assert [row.id for row in state.items_without(self.OTHER, limit=9)] == ["b"]
        assert state.newest_change() == newest

    def test_bodies_are_put_into_items_that_are_as_they_were_read(self, state: SqlState) -> None:
        with state.write() as write:
            write.put_items([self.put_both(name) for name in ("a", "b", "c", "d")])
        rows = state.items_changed(after=0, limit=9)
        with state.write() as write:
            write.put_items([put("b", b'{"title": "new"}'), delete("c")])
        newest = state.newest_change()

        with state.write() as write:
            changes = write.put_bodies([replace(row, body=b"told") for row in reversed(rows)])

        found = state.items_changed(after=0, limit=9)
        assert changes == {item_key("a"): newest + 1, item_key("d"): newest + 2}
        assert [(row.id, row.body, row.vector) for row in found[-2:]] == [
            ("a", b"told", b"a"),
            ("d", b"told", b"d"),
        ]
        assert [row.body for row in found[:-2]] == [b'{"title": "new"}', None]
        other = state.item(ItemId("a"), self.OTHER)
        assert other is not None
        assert other.vector == b"other a"
        assert state.count_items() == 3

    def test_bodies_that_nothing_takes_move_no_change(self, state: SqlState) -> None:
        with state.write() as write:
            write.put_items([put("a")])
        (row,) = state.items_changed(after=0, limit=9)
        with state.write() as write:
            write.put_items([put("a", b"new")])
        newest = state.newest_change()

        with state.write() as write:
            changes = write.put_bodies([row])

        assert changes == {}
        assert state.newest_change() == newest


class TestActivity:
    def test_activity_is_stored_replaced_and_ranked(self, state: SqlState) -> None:
        keys = [ItemKey(number) for number in range(1, 1_101)]
        rows = {key: StoredActivity(float(key), b"one") for key in keys}
        with state.write() as write:
            write.put_activity(rows)
        with state.write() as write:
            write.put_activity({keys[0]: StoredActivity(1e6, b"two")})
            assert write.activity(keys[:2]) == {
                keys[0]: StoredActivity(1e6, b"two"),
                keys[1]: rows[keys[1]],
            }

        assert state.activity([keys[1], ItemKey(0)]) == {keys[1]: rows[keys[1]]}
        assert len(state.activity(keys)) == len(keys)
        assert state.trending(2) == [(keys[0], 1e6), (keys[-1], float(keys[-1]))]

    def test_scores_keep_every_bit(self, state: SqlState) -> None:
        row = StoredActivity(-1234.5678901234567, b"")
        with state.write() as write:
            write.put_activity({ItemKey((1 << 63) - 1): row})

        assert state.activity([ItemKey((1 << 63) - 1)]) == {ItemKey((1 << 63) - 1): row}


class TestDeadLetters:
    @pytest.mark.case(7)
    def test_the_same_place_is_stored_once(self, state: SqlState) -> None:
        with state.write() as write:
            write.add_dead_letters([letter(1), letter(2), letter(1, reason="again")])
        with state.write() as write:
            write.add_dead_letters([letter(2, reason="again"), letter(1, topic="items")])

        stored = state.dead_letters()

        assert [(one.topic, one.offset, one.reason) for one in stored] == [
            ("items", 1, "invalid"),
            ("events", 2, "invalid"),
            ("events", 1, "invalid"),
        ]

    @pytest.mark.case(7)
    def test_a_letter_keeps_its_bytes_reason_and_place(self, state: SqlState) -> None:
        poison = DeadLetter(
            topic="clickwise.events",
            partition=3,
            offset=1 << 40,
            key=b"\x00k",
            value=None,
            reason="invalid",
            detail="NUL \0 and half a pair \ud800",
            at=NOW,
        )
        with state.write() as write:
            write.add_dead_letters([poison])

        (stored,) = state.dead_letters()

        assert stored.id > 0
        assert state.dead_letter(stored.id) == stored
        assert (stored.topic, stored.partition, stored.offset) == ("clickwise.events", 3, 1 << 40)
        assert (stored.key, stored.value, stored.at) == (b"\x00k", None, NOW)
        assert stored.detail == "NUL \\x00 and half a pair \\ud800"

    def test_letters_are_paged_newest_first(self, state: SqlState) -> None:
        with state.write() as write:
            write.add_dead_letters([letter(offset) for offset in range(5)])

        first = state.dead_letters(limit=3)
        rest = state.dead_letters(limit=3, before=first[-1].id)

        assert [one.offset for one in first + rest] == [4, 3, 2, 1, 0]

    def test_a_replayed_letter_is_not_pending(self, state: SqlState) -> None:
        with state.write() as write:
            write.add_dead_letters([letter(1), letter(2)])
        newest = state.dead_letters(limit=1)[0]

        state.mark_replayed(newest.id, NOW)

        assert [one.offset for one in state.dead_letters(pending_only=True)] == [1]
        again = state.dead_letter(newest.id)
        assert again is not None
        assert again.replayed == NOW

    def test_letters_set_aside_long_ago_are_forgotten_put_back_or_not(
        self, state: SqlState
    ) -> None:
        ages = {1: 31, 2: 29, 3: 31}
        with state.write() as write:
            write.add_dead_letters(
                replace(letter(n), at=NOW - timedelta(days=days)) for n, days in ages.items()
            )
        newest, *_ = state.dead_letters()
        state.mark_replayed(newest.id, NOW)

        assert state.prune_letters(before=NOW - timedelta(days=30)) == 2

        assert [one.offset for one in state.dead_letters()] == [2]

    def test_an_unknown_letter_is_not_found(self, state: SqlState) -> None:
        assert state.dead_letter(17) is None
        with pytest.raises(NotFoundError):
            state.mark_replayed(17, NOW)


def named(role: Role, version: str = "m1", **more: float) -> NamedRelease:
    return NamedRelease(
        role=role,
        version=ModelVersion(version),
        url=f"/bundles/{version}",
        checksum="c" * 64,
        share=more.get("share", 0.0),
        since=7,
        changed=NOW,
    )


class TestPointer:
    def test_at_first_nothing_is_named(self, state: SqlState) -> None:
        pointer = state.pointer()

        assert (pointer.sequence, pointer.named) == (0, ())
        assert pointer.role("live") is None

    def test_it_is_replaced_as_a_whole_and_counted(self, state: SqlState) -> None:
        with state.write() as write:
            write.put_pointer([named("live", "m1"), named("candidate", "m2")], expected=0)
        with state.write() as write:
            write.put_pointer(
                [named("canary", "m3", share=0.1), named("live", "m2"), named("previous", "m1")],
                expected=1,
            )

        pointer = state.pointer()

        assert pointer.sequence == 2
        assert pointer.named == (
            named("live", "m2"),
            named("previous", "m1"),
            named("canary", "m3", share=0.1),
        )
        assert pointer.role("candidate") is None

    def test_of_two_that_change_it_at_once_one_conflicts(self, state: SqlState) -> None:
        with state.write() as write:
            write.put_pointer([named("live", "m1")], expected=0)

        with pytest.raises(ConflictError), state.write() as write:
            write.put_pointer([named("live", "m2")], expected=0)

        assert state.pointer().named == (named("live", "m1"),)

    def test_a_change_that_fails_half_way_changes_nothing(self, state: SqlState) -> None:
        with state.write() as write:
            write.put_pointer([named("live", "m1")], expected=0)

        def half_way() -> None:
            with state.write() as write:
                write.put_pointer([named("live", "m2"), named("previous", "m1")], expected=1)
                raise RuntimeError("the machine stops here")

        with pytest.raises(RuntimeError, match="stops here"):
            half_way()

        assert state.pointer().sequence == 1
        assert state.pointer().named == (named("live", "m1"),)

    def test_many_that_change_it_take_turns(self, state: SqlState) -> None:
        def change(number: int) -> bool:
            try:
                with state.write() as write:
                    write.put_pointer([named("live", f"m{number}")], expected=0)
            except ConflictError:
                return False
            return True

        with ThreadPoolExecutor(4) as threads:
            done = list(threads.map(change, range(4)))

        assert done.count(True) == 1
        assert state.pointer().sequence == 1


class TestRebuild:
    def progress(self, seen: int, *, version: str = "m1", done: bool = False) -> Rebuild:
        return Rebuild(ModelVersion(version), NOW, f"user-{seen}", seen, seen // 2, done)

    def test_progress_is_kept(self, state: SqlState) -> None:
        assert state.rebuild() is None
        with state.write() as write:
            write.put_rebuild(self.progress(10), expected=None)
        with state.write() as write:
            write.put_rebuild(self.progress(20, done=True), expected=self.progress(10))

        assert state.rebuild() == self.progress(20, done=True)

    def test_another_model_takes_its_place(self, state: SqlState) -> None:
        with state.write() as write:
            write.put_rebuild(self.progress(10), expected=None)
        with state.write() as write:
            write.put_rebuild(self.progress(0, version="m2"), expected=self.progress(10))

        assert state.rebuild() == self.progress(0, version="m2")

    def test_of_two_that_go_on_from_one_place_one_conflicts(self, state: SqlState) -> None:
        with state.write() as write:
            write.put_rebuild(self.progress(10), expected=None)

        for expected in (None, self.progress(5)):
            with pytest.raises(ConflictError), state.write() as write:
                write.put_rebuild(self.progress(20), expected=expected)

        assert state.rebuild() == self.progress(10)


class TestTransactions:
    def test_an_error_leaves_nothing_behind(self, state: SqlState) -> None:
        def fail() -> None:
            with state.write() as write:
                write.add_events([event("a")])
                write.put_profiles([profile("ann", 0)])
                write.put_items([put("i")])
                write.put_activity({ItemKey(1): StoredActivity(1.0, b"")})
                write.put_offsets({TestOffsets.place: 1})
                write.add_dead_letters([letter(1)])
                write.add_exposures([b"one"], received=NOW)
                raise ZeroDivisionError

        with pytest.raises(ZeroDivisionError):
            fail()

        assert state.events() == []
        assert state.exposures() == []
        assert state.dead_letters() == []
        assert state.profile(UserId("ann")) == (None, 0)
        assert state.item(ItemId("i")) is None
        assert state.count_items() == 0
        assert state.offsets("streams") == {}
        assert state.activity([ItemKey(1)]) == {}
        with state.write() as write:
            assert write.put_items([put("i")]) == 1

    def test_a_swallowed_conflict_still_rolls_back(self, state: SqlState) -> None:
        def go_on() -> None:
            with state.write() as write:
                write.add_events([event("a")])
                with suppress(ConflictError):
                    write.put_profiles([profile("ann", 5)])

        with pytest.raises(ConflictError):
            go_on()

        assert state.events() == []

    def test_what_is_not_committed_is_not_seen_outside(self, state: SqlState) -> None:
        with state.write() as write:
            write.put_profiles([profile("ann", 0)])
            assert state.profile(UserId("ann"))[0] is None

        assert state.profile(UserId("ann"))[0] is not None

    def test_one_connection_less_than_needed_is_never_configured(self, url: str) -> None:
        state = open_state(url, timeout_seconds=5.0, pool_size=1)
        state.migrate()

        with state.write() as write:
            write.put_profiles([profile("ann", 0)])
            assert state.users() == []

        state.close()

    def test_committed_data_outlives_the_connection(self, state: SqlState, url: str) -> None:
        with state.write() as write:
            write.put_profiles([profile("ann", 0)])
        state.close()

        again = open_state(url, timeout_seconds=5.0, pool_size=2)
        assert again.users() == ["ann"]
        again.close()


@pytest.mark.case(6)
class TestStrangeIds:
    def test_users_stay_apart(self, state: SqlState) -> None:
        users = [UserId(name) for name in STRANGE_IDS]
        with state.write() as write:
            write.put_profiles([profile(user, 0, user.encode()) for user in users])
        with state.write() as write:
            write.put_profiles([profile(user, 1, user.encode()) for user in users])
            read = write.profiles(users)

        assert read == {user: StoredProfile(2, user.encode()) for user in users}
        assert [state.profile(user)[0] for user in users] == [read[user] for user in users]
        assert state.profile_versions(users) == dict.fromkeys(users, 2)
        assert state.users() == sorted(users, key=str.encode)

    def test_items_stay_apart(self, state: SqlState) -> None:
        with state.write() as write:
            write.put_items([put(name, name.encode()) for name in STRANGE_IDS])

        for name in STRANGE_IDS:
            row = state.item(ItemId(name))
            assert row is not None
            assert (row.id, row.body, row.vector) == (name, name.encode(), name.encode())

    def test_topics_and_consumers_stay_apart(self, state: SqlState) -> None:
        offsets = {
            Partition(name, name[::-1], 0): number for number, name in enumerate(STRANGE_IDS)
        }
        with state.write() as write:
            write.put_offsets(offsets)
            assert write.offsets(list(offsets)) == offsets

    def test_text_that_cannot_be_stored_is_refused_or_unknown(self, state: SqlState) -> None:
        with suppress(InvalidInputError):
            assert state.profile(UserId("a\0b"))[0] is None

        assert state.profile(UserId("a"))[0] is None


class TestSchema:
    def test_migrations_give_the_tables_of_the_program(
        self, state: SqlState, engine: Engine
    ) -> None:
        with engine.connect() as connection:
            context = MigrationContext.configure(connection, opts={"compare_type": True})
            assert compare_metadata(context, metadata) == []
        del state

    def test_the_program_knows_its_newest_migration(self, engine: Engine) -> None:
        with engine.connect() as connection:
            scripts = ScriptDirectory.from_config(schema.configuration(connection))
            assert scripts.get_current_head() == SCHEMA_VERSION

    def test_migrations_go_down_and_up_again(self, state: SqlState, engine: Engine) -> None:
        with engine.begin() as connection:
            command.downgrade(schema.configuration(connection), "base")
            assert inspect(connection).get_table_names() == ["alembic_version"]

        state.migrate()
        state.migrate()

        with state.write() as write:
            write.put_items([put("i")])

    @pytest.mark.parametrize("version", sorted(LOST))
    def test_every_migration_goes_back_and_forward_with_the_data_of_older_tables(
        self, state: SqlState, engine: Engine, version: str
    ) -> None:
        place = Partition("c", "events", 0)
        with state.write() as write:
            write.put_items([put("i")])
            write.put_profiles([ProfileWrite(UserId("u"), 0, b"body")])
            write.add_events([event("e")])
            write.put_offsets({place: 7})

        before = state.migrate_back(version, lambda _: None)
        with engine.connect() as connection:
            reached = MigrationContext.configure(connection).get_current_revision()
        state.migrate()

        assert (before, reached) == (SCHEMA_VERSION, version)
        stored, change = state.profile(UserId("u"))
        assert (stored, change) == (StoredProfile(1, b"body"), 1)
        assert state.offsets("c") == {place: 7}
        assert [body for _, body in state.events()] == [b"{}"]
        assert state.count_items() == 1
        with engine.connect() as connection:
            context = MigrationContext.configure(connection, opts={"compare_type": True})
            assert compare_metadata(context, metadata) == []
        with state.write() as write:
            write.put_items([put("i"), put("j")])
            write.put_offsets({place: 8})

    @pytest.mark.parametrize("version", sorted(LOST))
    def test_people_have_the_same_names_and_stay_forgotten_after_a_way_back_and_forward(
        self, state: SqlState, url: str, version: str
    ) -> None:
        state.people.forget(UserId("u"), until=NOW, events_of=lambda _: [])

        state.migrate_back(version, lambda _: None)
        with closing(open_state(url, timeout_seconds=5.0, pool_size=2)) as anew:
            anew.migrate()

            assert anew.people.name_of("u") == state.people.name_of("u")
            assert anew.people.forgotten([UserId("u")]) == {UserId("u"): NOW}

    def test_what_a_way_back_takes_is_told_before_anything_is_gone(
        self, state: SqlState, engine: Engine
    ) -> None:
        def told(lost: Sequence[str]) -> None:
            raise InvalidInputError(f"{len(lost)} rows")

        with pytest.raises(InvalidInputError, match="4 rows"):
            state.migrate_back("0005", told)

        with engine.connect() as connection:
            assert schema.version_of(connection) == SCHEMA_VERSION
            assert inspect(connection).has_table("aliases")

    def test_processes_that_start_at_once_migrate_once(self, url: str) -> None:
        program = (
            "import sys; from clickwise.state.sql import open_state;"
            "state = open_state(sys.argv[1], timeout_seconds=5.0, pool_size=2);"
            "state.migrate(); print(state.count_items())"
        )
        started = [
            subprocess.Popen([sys.executable, "-c", program, url], stdout=subprocess.PIPE)
            for _ in range(3)
        ]

        said = [process.communicate(timeout=60)[0] for process in started]

        assert said == [b"0\n"] * 3

    def test_a_database_of_a_newer_program_is_refused(
        self, state: SqlState, url: str, engine: Engine
    ) -> None:
        with engine.begin() as connection:
            connection.exec_driver_sql("UPDATE alembic_version SET version_num = '9999'")
        del state
        newer = open_state(url, timeout_seconds=5.0, pool_size=2)

        with pytest.raises(ConfigurationError, match="9999 is newer than"):
            newer.ping()
        with pytest.raises(ConfigurationError, match="9999 is newer than"):
            newer.migrate()

        newer.close()

    def test_a_database_without_tables_asks_for_a_migration(self, url: str) -> None:
        state = open_state(url, timeout_seconds=5.0, pool_size=2)

        state.ping()
        with pytest.raises(ConfigurationError, match="migrate it first"):
            state.profile(UserId("ann"))
        with pytest.raises(ConfigurationError, match="migrate it first"), state.write() as write:
            write.put_items([put("i")])

        state.close()


class TestOpening:
    @pytest.mark.parametrize(
        "url", ["sqlite://", "sqlite:///:memory:", "mysql://host/db", "postgresql://host/db", "?"]
    )
    def test_other_urls_are_refused(self, url: str) -> None:
        with pytest.raises(ConfigurationError):
            open_state(url, timeout_seconds=1.0, pool_size=2)

    @pytest.mark.case(20)
    def test_a_password_shows_in_no_error(self, postgres: PostgresServer) -> None:
        reachable = postgres.url.replace("clickwise@", "nobody:sesame@")
        malformed = "nobody:sesame@host"
        unreachable = "postgresql+psycopg://nobody:sesame@127.0.0.1:1/db"

        for url in (reachable, unreachable):
            state = open_state(url, timeout_seconds=1.0, pool_size=2)
            with pytest.raises(UnavailableError) as caught:
                state.ping()
            assert "sesame" not in "".join(traceback.format_exception(caught.value))
        with pytest.raises(ConfigurationError) as refused:
            open_state(malformed, timeout_seconds=1.0, pool_size=2)
        assert "sesame" not in "".join(traceback.format_exception(refused.value))

    def test_a_file_that_is_no_database_is_refused(self, tmp_path: Path) -> None:
        (tmp_path / "state.db").write_text("these are not the bytes that you look for " * 100)
        state = open_state(f"sqlite:///{tmp_path / 'state.db'}", timeout_seconds=1.0, pool_size=2)

        with pytest.raises(ConfigurationError, match="not a usable database"):
            state.ping()


@pytest.mark.case(18)
class TestOutages:
    def test_a_locked_sqlite_refuses_writes_and_goes_on_reading(self, tmp_path: Path) -> None:
        url = f"sqlite:///{tmp_path / 'state.db'}"
        state = open_state(url, timeout_seconds=0.2, pool_size=2)
        state.migrate()
        other = create_engine(url, poolclass=NullPool, isolation_level="AUTOCOMMIT")

        with other.connect() as locking:
            locking.exec_driver_sql("BEGIN IMMEDIATE")
            with pytest.raises(UnavailableError), state.write() as write:
                write.add_events([event("a")])
            assert state.events() == []
            locking.exec_driver_sql("ROLLBACK")
        with state.write() as write:
            write.add_events([event("a")])

        assert len(state.events()) == 1
        state.close()

    def test_sqlite_files_are_their_owners_alone(self, tmp_path: Path) -> None:
        url = f"sqlite:///{tmp_path / 'state.db'}"
        with open_sqlite(make_url(url), timeout_seconds=0.5).connect() as connection:
            connection.exec_driver_sql("CREATE TABLE one (id INTEGER)")

            modes = {stat.S_IMODE(file.stat().st_mode) for file in tmp_path.iterdir()}

        assert modes == {0o600}

    def test_a_writer_that_waits_for_sqlite_looks_often_so_that_it_gets_its_turn(
        self, tmp_path: Path
    ) -> None:
        url = f"sqlite:///{tmp_path / 'state.db'}"
        engine = open_sqlite(make_url(url), timeout_seconds=0.5)
        other = create_engine(url, poolclass=NullPool, isolation_level="AUTOCOMMIT")
        looks: list[str] = []

        with engine.connect() as waiting, other.connect() as locking:
            driver = waiting.connection.driver_connection
            assert isinstance(driver, sqlite3.Connection)
            locking.exec_driver_sql("BEGIN IMMEDIATE")
            driver.set_trace_callback(looks.append)
            with pytest.raises(OperationalError, match="locked"):
                begin(waiting)
            locking.exec_driver_sql("COMMIT")
            begin(waiting)
            driver.set_trace_callback(None)

            assert looks.count("BEGIN IMMEDIATE") > 10
            assert driver.in_transaction
            assert driver.execute("PRAGMA busy_timeout").fetchone() == (500,)

    def test_a_restarted_postgresql_needs_no_reopening(
        self, postgres: PostgresServer, postgres_url: str
    ) -> None:
        state = open_state(postgres_url, timeout_seconds=5.0, pool_size=4)
        state.migrate()
        with state.write() as write:
            write.put_profiles([profile("ann", 0)])
        state.ping()

        postgres.restart()
        assert state.users() == ["ann"]
        postgres.restart()
        with state.write() as write:
            write.put_profiles([profile("ben", 0)])

        assert state.users() == ["ann", "ben"]
        state.close()

    def test_a_postgresql_that_is_away_is_unavailable_until_it_is_back(
        self, postgres: PostgresServer, postgres_url: str
    ) -> None:
        state = open_state(postgres_url, timeout_seconds=2.0, pool_size=4)
        state.migrate()
        state.ping()
        try:
            postgres.kill()
            with pytest.raises(UnavailableError):
                state.ping()
            with pytest.raises(UnavailableError, match="a moment ago"):
                state.ping()
            with pytest.raises(UnavailableError), state.write() as write:
                write.add_events([event("a")])
        finally:
            postgres.start()

        wait_until(lambda: answers(state))
        with state.write() as write:
            assert write.add_events([event("a")]) == {event_key("a")}
        state.close()

    def test_a_postgresql_killed_in_a_transaction_loses_only_that(
        self, postgres: PostgresServer, postgres_url: str
    ) -> None:
        state = open_state(postgres_url, timeout_seconds=2.0, pool_size=4)
        state.migrate()

        def interrupted() -> None:
            with state.write() as write:
                write.put_profiles([profile("ann", 0)])
                postgres.kill()
                write.put_profiles([profile("ben", 0)])

        try:
            with pytest.raises(UnavailableError):
                interrupted()
        finally:
            postgres.start()

        wait_until(lambda: answers(state))
        assert state.users() == []
        state.close()

    def test_a_postgresql_that_stands_still_is_unavailable_in_time(
        self, postgres: PostgresServer, postgres_url: str
    ) -> None:
        state = open_state(postgres_url, timeout_seconds=0.5, pool_size=4)
        state.migrate()
        state.ping()
        try:
            postgres.pause()
            with pytest.raises(UnavailableError):
                state.ping()
            with pytest.raises(UnavailableError, match="a moment ago"), state.write() as write:
                write.add_events([event("a")])
        finally:
            postgres.resume()

        wait_until(lambda: answers(state))
        state.close()

    def test_a_writer_that_finds_the_database_away_spares_the_next_the_wait(
        self, postgres: PostgresServer, postgres_url: str
    ) -> None:
        state = open_state(postgres_url, timeout_seconds=0.5, pool_size=4)
        state.migrate()
        state.ping()
        try:
            postgres.pause()
            with pytest.raises(UnavailableError, match="did not answer"), state.write():
                pass
            with pytest.raises(UnavailableError, match="a moment ago"), state.write():
                pass
        finally:
            postgres.resume()

        wait_until(lambda: answers(state))
        state.close()

    def test_a_row_that_another_holds_is_waited_for_only_so_long(self, postgres_url: str) -> None:
        state = open_state(postgres_url, timeout_seconds=0.3, pool_size=4)
        state.migrate()

        with state.write() as first:
            first.put_items([put("a")])
            with pytest.raises(UnavailableError), state.write() as second:
                second.put_items([put("b")])

        assert state.count_items() == 1
        state.close()

    def test_two_that_wait_for_each_other_are_parted_by_a_conflict(self, postgres_url: str) -> None:
        state = open_state(postgres_url, timeout_seconds=10.0, pool_size=4)
        state.migrate()
        both = threading.Barrier(2)

        def cross(first: str, second: str) -> bool:
            try:
                with state.write() as write:
                    write.put_profiles([profile(first, 0)])
                    both.wait(10)
                    write.put_profiles([profile(second, 0)])
            except ConflictError:
                return False
            return True

        with ThreadPoolExecutor(2) as pool:
            won = list(pool.map(cross, ["ann", "ben"], ["ben", "ann"]))

        assert sorted(won) == [False, True]
        assert state.users() == ["ann", "ben"]
        state.close()


def answers(state: SqlState) -> bool:
    try:
        state.ping()
    except UnavailableError:
        return False
    return True
