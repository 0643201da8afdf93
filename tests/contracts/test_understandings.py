"""The contract of what is understood of items, on SQLite and on PostgreSQL."""

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest
from sqlalchemy import update

from clickwise.state.port import ItemWrite
from clickwise.state.sql import SqlState, open_state
from clickwise.state.tables import items
from clickwise.state.understandings import Neighbor, StoredUnderstanding
from clickwise.types import ItemId, ModelVersion, item_key

MODEL = ModelVersion("encoder-1")
LAST = 1_000_000


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


def put(state: SqlState, name: str, body: bytes | None = b"{}") -> int:
    """Put or delete an item; its `change`."""
    vector = None if body is None else name.encode()
    one = ItemWrite(key=item_key(name), id=ItemId(name), body=body, model=MODEL, vector=vector)
    with state.write() as write:
        return write.put_items([one])


def understood(
    name: str,
    change: int,
    *,
    methods: str = "m1",
    reason: str = "",
    bands: tuple[int, ...] = (),
    signature: bytes = b"",
) -> StoredUnderstanding:
    return StoredUnderstanding(
        key=item_key(name),
        change=change,
        methods=methods,
        reason=reason,
        body=b"" if reason else b"what it says",
        signature=signature,
        bands=bands,
    )


def due(state: SqlState, methods: str = "m1", *, after: int = 0, until: int = LAST) -> list[str]:
    window = {"after": after, "until": until, "limit": 100}
    return [one.id for one in state.understandings.due(methods, MODEL, **window)]


class TestDue:
    def test_new_items_are_due_newest_first_with_their_vectors(self, state: SqlState) -> None:
        for name in ("a", "b", "c"):
            put(state, name)

        found = state.understandings.due("m1", MODEL, after=0, until=LAST, limit=2)

        assert [(one.id, one.body, one.vector) for one in found] == [
            ("c", b"{}", b"c"),
            ("b", b"{}", b"b"),
        ]

    def test_only_changes_within_the_window_are_looked_at(self, state: SqlState) -> None:
        changes = [put(state, name) for name in ("a", "b", "c")]

        assert due(state, after=changes[0], until=changes[1]) == ["b"]

    def test_what_is_understood_is_due_no_more(self, state: SqlState) -> None:
        state.understandings.put([understood("a", put(state, "a"))])

        assert due(state) == []
        assert state.understandings.count_due("m1", after=0, until=LAST) == 0

    def test_what_cannot_be_understood_is_due_no_more_either(self, state: SqlState) -> None:
        state.understandings.put([understood("a", put(state, "a"), reason="no_text")])

        assert due(state) == []

    def test_a_changed_item_is_due_again(self, state: SqlState) -> None:
        state.understandings.put([understood("a", put(state, "a"), reason="no_text")])
        put(state, "a", b'{"title": "new"}')

        assert due(state) == ["a"]
        assert state.understandings.count_due("m1", after=0, until=LAST) == 1

    def test_other_methods_make_everything_due(self, state: SqlState) -> None:
        state.understandings.put([understood(name, put(state, name)) for name in ("a", "b")])

        assert due(state, "m2") == ["b", "a"]

    def test_what_is_due_says_which_change_is_understood(self, state: SqlState) -> None:
        before = put(state, "a")
        state.understandings.put([understood("a", before)])
        put(state, "a", b'{"title": "new"}')
        put(state, "b")

        found = state.understandings.due("m1", MODEL, after=0, until=LAST, limit=9)

        assert [(one.id, one.understood) for one in found] == [("b", None), ("a", before)]

    def test_what_is_due_says_by_which_methods_it_is_understood(self, state: SqlState) -> None:
        state.understandings.put([understood("a", put(state, "a"), methods="m0")])
        put(state, "b")

        found = state.understandings.due("m1", MODEL, after=0, until=LAST, limit=9)

        assert [(one.id, one.methods) for one in found] == [("b", None), ("a", "m0")]

    def test_an_item_without_a_vector_of_the_model_is_due_too(self, state: SqlState) -> None:
        put(state, "a")

        (one,) = state.understandings.due(
            "m1", ModelVersion("encoder-2"), after=0, until=LAST, limit=9
        )

        assert one.vector is None


class TestAnItemToldAnew:
    def test_what_is_understood_of_it_stays_with_it(self, state: SqlState) -> None:
        old = put(state, "b")
        change = put(state, "a")
        state.understandings.put([understood("a", change), understood("b", old)])
        put(state, "b", b"new")
        (row,) = (one for one in state.items_changed(after=0, limit=9) if one.id == "a")

        with state.write() as write:
            changes = write.put_bodies([replace(row, body=b"told")])

        found = state.understandings.of([item_key("a"), item_key("b")])
        assert found[item_key("a")].change == changes[item_key("a")] > change
        assert found[item_key("b")].change == old
        assert due(state) == ["b"]


class TestPut:
    def test_it_is_read_as_it_was_put(self, state: SqlState) -> None:
        row = understood("a", put(state, "a"), signature=b"\x00\xff")

        stored = state.understandings.put([row])

        assert stored == {row.key}
        assert state.understandings.of([row.key, item_key("b")]) == {row.key: row}

    def test_a_later_one_takes_its_place(self, state: SqlState) -> None:
        change = put(state, "a")
        state.understandings.put([understood("a", change, reason="failed", bands=(1,))])
        state.understandings.put([understood("a", change, methods="m2")])

        (stored,) = state.understandings.of([item_key("a")]).values()

        assert (stored.methods, stored.reason) == ("m2", "")

    def test_what_was_made_of_an_older_text_is_not_stored(self, state: SqlState) -> None:
        old = put(state, "a")
        put(state, "a", b'{"title": "new"}')

        assert state.understandings.put([understood("a", old)]) == set()
        assert state.understandings.of([item_key("a")]) == {}

    def test_more_rows_than_a_statement_takes(self, state: SqlState) -> None:
        rows = [understood(f"i{n}", put(state, f"i{n}")) for n in range(501)]

        assert len(state.understandings.put(rows)) == 501
        assert due(state) == []


class TestDeleting:
    def test_a_deleted_item_takes_it_along(self, state: SqlState) -> None:
        for name in ("a", "b"):
            state.understandings.put([understood(name, put(state, name), bands=(7,))])

        put(state, "b", None)

        assert state.understandings.of([item_key("b")]) == {}
        assert state.understandings.neighbors(item_key("a"), limit=9) == []

    def test_one_that_is_left_of_a_deleted_item_is_no_neighbor(self, state: SqlState) -> None:
        for name in ("a", "b"):
            state.understandings.put([understood(name, put(state, name), bands=(7,))])
        assert state.understandings.neighbors(item_key("a"), limit=9) != []

        with state._connections.transaction() as connection:
            gone = update(items).where(items.c.key == item_key("b")).values(body=None)
            connection.execute(gone)

        assert state.understandings.neighbors(item_key("a"), limit=9) == []

    def test_a_deleted_item_is_not_due_and_takes_nothing(self, state: SqlState) -> None:
        change = put(state, "a")
        put(state, "a", None)

        assert due(state) == []
        assert state.understandings.put([understood("a", change)]) == set()

    def test_nothing_is_left_of_an_item_deleted_while_it_is_understood(
        self, state: SqlState
    ) -> None:
        names = [f"i{n}" for n in range(40)]
        changes = {name: put(state, name) for name in names}
        begin = threading.Barrier(2)

        def understand() -> None:
            begin.wait()
            for name in names:
                state.understandings.put([understood(name, changes[name], bands=(1,))])

        def remove() -> None:
            begin.wait()
            for name in names:
                put(state, name, None)

        with ThreadPoolExecutor(2) as threads:
            for done in [threads.submit(understand), threads.submit(remove)]:
                done.result()

        assert state.understandings.of([item_key(name) for name in names]) == {}


class TestNeighbors:
    def test_items_with_a_band_in_common_are_neighbors_those_with_most_first(
        self, state: SqlState
    ) -> None:
        for name, bands in (("a", (1, 2, 3)), ("b", (3, 9)), ("c", (2, 3, 8)), ("d", (9,))):
            change = put(state, name)
            state.understandings.put(
                [understood(name, change, bands=bands, signature=name.encode())]
            )

        assert state.understandings.neighbors(item_key("a"), limit=9) == [
            Neighbor(ItemId("c"), b"c"),
            Neighbor(ItemId("b"), b"b"),
        ]
        assert len(state.understandings.neighbors(item_key("a"), limit=1)) == 1

    def test_bands_of_what_an_item_was_before_are_forgotten(self, state: SqlState) -> None:
        change = put(state, "a")
        state.understandings.put([understood("a", change, bands=(1,))])
        state.understandings.put([understood("b", put(state, "b"), bands=(1,))])

        state.understandings.put([understood("a", change, bands=(2,))])

        assert state.understandings.neighbors(item_key("b"), limit=9) == []
