"""The contract of leases, on SQLite and on PostgreSQL."""

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from urllib.parse import quote

import pytest

from clickwise.errors import UnavailableError
from clickwise.state.lease_port import FREE
from clickwise.state.sql import SqlState, open_state


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


def test_a_database_that_takes_no_writes_for_now_is_waited_for(postgres_url: str) -> None:
    with closing(open_state(postgres_url, timeout_seconds=5.0, pool_size=1)) as state:
        state.migrate()
        read_only = f"{postgres_url}{'&' if '?' in postgres_url else '?'}options=" + quote(
            "-c default_transaction_read_only=on"
        )
    with closing(open_state(read_only, timeout_seconds=5.0, pool_size=1)) as state:
        assert state.leases.mark("texts") == FREE
        with pytest.raises(UnavailableError, match="takes no writes"):
            state.leases.replace("texts", {FREE}, 7)


def test_nobody_does_it_at_first(state: SqlState) -> None:
    assert state.leases.mark("texts") == FREE


def test_a_mark_is_put_in_place_of_the_expected_one_alone(state: SqlState) -> None:
    largest = (1 << 63) - 1

    assert state.leases.replace("texts", {FREE}, 7)
    assert not state.leases.replace("texts", {FREE}, 8)
    assert not state.leases.replace("texts", {6}, 8)
    assert state.leases.mark("texts") == 7
    assert state.leases.replace("texts", {6, 7}, largest)

    assert state.leases.mark("texts") == largest
    assert state.leases.replace("texts", {largest}, FREE)
    assert state.leases.mark("texts") == FREE


def test_what_nobody_does_is_not_taken_from_somebody(state: SqlState) -> None:
    assert not state.leases.replace("texts", {7}, 8)

    assert state.leases.mark("texts") == FREE


def test_each_work_has_its_own(state: SqlState) -> None:
    assert state.leases.replace("texts", {FREE}, 7)

    assert state.leases.mark("understanding") == FREE


@pytest.mark.parametrize("before", [FREE, 9])
def test_of_those_that_want_it_at_once_one_gets_it(state: SqlState, before: int) -> None:
    if before:
        state.leases.replace("texts", {FREE}, before)
    marks = range(100, 104)
    begin = threading.Barrier(len(marks))

    def take(mark: int) -> bool:
        begin.wait()
        return state.leases.replace("texts", {before}, mark)

    with ThreadPoolExecutor(len(marks)) as threads:
        taken = list(threads.map(take, marks))

    assert sum(taken) == 1
    assert state.leases.mark("texts") == marks[taken.index(True)]
