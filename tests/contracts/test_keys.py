"""The contract of stored API keys, on SQLite and on PostgreSQL."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from alembic import command
from sqlalchemy import create_engine, inspect

from clickwise.access import Scope, digest_of, id_of, new_key
from clickwise.errors import ConflictError, NotFoundError
from clickwise.state import schema
from clickwise.state.key_port import USAGE_DAYS, StoredKey
from clickwise.state.sql import SqlState, open_state

NOW = datetime(2026, 11, 25, 8, 30, 0, 123456, tzinfo=UTC)
DAY = timedelta(days=1)


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'state.db'}"
    return str(request.getfixturevalue("postgres_url"))


@pytest.fixture
def state(url: str) -> Iterator[SqlState]:
    state = open_state(url, timeout_seconds=5.0, pool_size=4)
    state.migrate()
    yield state
    state.close()


def stored(name: str = "shop", *, expires: datetime | None = None) -> StoredKey:
    key_id, key = new_key()
    return StoredKey(
        id=key_id, digest=digest_of(key.reveal()), name=name, scopes=(Scope.EVENTS, Scope.READ),
        rate=2.5, created=NOW, expires=expires, quota=1_000,
    )  # fmt: skip


def test_a_key_comes_back_as_it_was_kept(state: SqlState) -> None:
    first, second = stored(expires=NOW + DAY), replace(stored("app"), created=NOW + DAY)

    state.keys.add(second)
    state.keys.add(first)

    assert state.keys.every() == [first, second]


def test_the_number_grows_with_every_change_and_with_nothing_else(state: SqlState) -> None:
    key = stored()
    numbers = [state.keys.number()]
    state.keys.add(key)
    numbers.append(state.keys.number())
    state.keys.rotate(replace(stored(), replaces=key.id), until=NOW + DAY)
    numbers.append(state.keys.number())
    state.keys.revoke(key.id, at=NOW)
    numbers.append(state.keys.number())
    with pytest.raises(NotFoundError):
        state.keys.revoke("nobody", at=NOW)

    assert numbers == [0, 1, 2, 3]
    assert state.keys.number() == 3


def test_a_rotated_key_opens_until_the_end_of_its_grace(state: SqlState) -> None:
    old = stored()
    new = replace(stored(), replaces=old.id)
    state.keys.add(old)

    state.keys.rotate(new, until=NOW + DAY)

    assert state.keys.every() == sorted(
        [replace(old, expires=NOW + DAY), new], key=lambda one: one.id
    )


def test_a_rotation_makes_no_key_live_longer(state: SqlState) -> None:
    old = stored(expires=NOW + DAY)
    state.keys.add(old)

    state.keys.rotate(replace(stored(), replaces=old.id, created=NOW + DAY), until=NOW + 9 * DAY)

    assert state.keys.every()[0].expires == NOW + DAY


def test_a_key_is_rotated_once_and_never_when_revoked(state: SqlState) -> None:
    old, gone = stored(), stored()
    state.keys.add(old)
    state.keys.add(gone)
    state.keys.revoke(gone.id, at=NOW)
    state.keys.rotate(replace(stored(), replaces=old.id), until=NOW + DAY)

    with pytest.raises(ConflictError, match="was rotated"):
        state.keys.rotate(replace(stored(), replaces=old.id), until=NOW + 2 * DAY)
    with pytest.raises(ConflictError, match="is revoked"):
        state.keys.rotate(replace(stored(), replaces=gone.id), until=NOW + DAY)
    with pytest.raises(NotFoundError):
        state.keys.rotate(replace(stored(), replaces="nobody"), until=NOW + DAY)

    assert len(state.keys.every()) == 3


def test_a_key_is_revoked_once(state: SqlState) -> None:
    key = stored()
    state.keys.add(key)

    state.keys.revoke(key.id, at=NOW)
    state.keys.revoke(key.id, at=NOW + DAY)

    assert state.keys.every() == [replace(key, revoked=NOW)]


def test_requests_of_a_day_are_added_up_for_all_who_count(state: SqlState) -> None:
    day = NOW.date()

    first = state.keys.spend({"a": 2, "b": 1}, day=day)
    second = state.keys.spend({"b": 4, "a": 0}, day=day)
    other_day = state.keys.spend({"a": 7}, day=day + DAY)

    assert (first, second, other_day) == ({"a": 2, "b": 1}, {"a": 2, "b": 5}, {"a": 7})


def test_two_who_count_at_once_lose_nothing(state: SqlState) -> None:
    def count(_: int) -> None:
        for _ in range(20):
            state.keys.spend({"a": 1, "b": 2}, day=NOW.date())

    with ThreadPoolExecutor(4) as threads:
        list(threads.map(count, range(4)))

    assert state.keys.spend({"a": 0, "b": 0}, day=NOW.date()) == {"a": 80, "b": 160}


def test_days_long_past_are_forgotten(state: SqlState) -> None:
    day = NOW.date()
    state.keys.spend({"a": 3}, day=day)
    state.keys.spend({"a": 1}, day=day + USAGE_DAYS * DAY)
    kept = state.keys.spend({"a": 0}, day=day)

    state.keys.spend({"a": 1}, day=day + (USAGE_DAYS + 1) * DAY)

    assert kept == {"a": 3}
    assert state.keys.spend({"a": 0}, day=day) == {"a": 0}


def test_an_id_is_given_once(state: SqlState) -> None:
    key = stored()
    state.keys.add(key)

    with pytest.raises(ConflictError):
        state.keys.add(replace(stored(), id=key.id))

    assert state.keys.every() == [key]


@pytest.mark.case(20)
def test_the_database_holds_no_key(tmp_path: Path) -> None:
    state = open_state(f"sqlite:///{tmp_path / 'state.db'}", timeout_seconds=5.0, pool_size=2)
    state.migrate()
    key_id, key = new_key()
    secret = key.reveal().rpartition("_")[2]

    state.keys.add(replace(stored(), id=key_id, digest=digest_of(key.reveal())))
    state.close()

    kept = b"".join(path.read_bytes() for path in tmp_path.iterdir())
    assert key_id.encode() in kept
    assert secret.encode() not in kept
    assert bytes.fromhex(secret) not in kept


def test_keys_are_made_of_256_random_bits_and_tell_their_id() -> None:
    made = [new_key() for _ in range(100)]

    assert len({key.reveal() for _, key in made}) == 100
    for key_id, key in made:
        assert id_of(key.reveal()) == key_id
        assert len(bytes.fromhex(key.reveal().rpartition("_")[2])) * 8 == 256


@pytest.mark.parametrize("text", ["", "cw_", "cw_000000000000_short", "a-key-of-the-settings"])
def test_other_texts_have_no_id(text: str) -> None:
    assert id_of(text) is None


def test_the_migration_goes_back_alone_and_keeps_the_rest(state: SqlState, url: str) -> None:
    state.keys.add(stored())
    engine = create_engine(url)
    with engine.begin() as connection:
        command.downgrade(schema.configuration(connection), "0004")
        left = inspect(connection).get_table_names()
    engine.dispose()

    state.migrate()

    assert "api_keys" not in left
    assert "texts" in left
    assert (state.keys.every(), state.keys.number()) == ([], 0)
