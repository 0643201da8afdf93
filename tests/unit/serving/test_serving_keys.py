"""The keys that open the door: whose they are, until when, and what a change of them does."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import httpx
import pytest
from starlette.applications import Starlette

from clickwise.access import Scope, id_of
from clickwise.clock import ReplayClock
from clickwise.errors import UnavailableError
from clickwise.secret import Secret
from clickwise.testing.keys import MemoryKeys
from serving.auth import LOCAL, Headers, Identity
from serving.errors import UnknownKeyError
from serving.keyring import KeyRing
from serving.parts import Health

AppOf = Callable[..., Starlette]
ClientOf = Callable[[Starlette], httpx.AsyncClient]

NOW = datetime(2026, 11, 25, 8, 30, tzinfo=UTC)
HOUR = timedelta(hours=1)
SETTING = "a-key-of-the-test-suite"


def ring_of(
    keys: MemoryKeys, *settings_keys: str, clock: ReplayClock | None = None, always: bool = False
) -> KeyRing:
    made = KeyRing(
        [Secret(key) for key in settings_keys], keys, clock=clock or ReplayClock(NOW), always=always
    )
    made.refresh()
    return made


def bearer(key: str) -> Headers:
    return [(b"authorization", b"Bearer " + key.encode())]


def refused(ring: KeyRing, key: str) -> tuple[str, str]:
    with pytest.raises(UnknownKeyError) as fault:
        ring.identify(bearer(key))
    return fault.value.reason, fault.value.key


def test_a_stored_key_is_named_by_its_id_and_has_its_scopes(keys: MemoryKeys) -> None:
    key = keys.make(Scope.EVENTS, now=NOW, rate=3.0)

    identity = ring_of(keys).identify(bearer(key))

    assert identity == Identity(id_of(key) or "", frozenset({Scope.EVENTS}), 3.0)


def test_keys_of_settings_and_database_open_side_by_side(keys: MemoryKeys) -> None:
    key = keys.make(Scope.READ, now=NOW)
    ring = ring_of(keys, "another-key-of-the-suite", SETTING)

    assert ring.identify(bearer(SETTING)).key == "setting-2"
    assert ring.identify(bearer(key)).key == id_of(key)


@pytest.mark.case(20)
def test_a_known_id_with_another_secret_is_a_stranger(keys: MemoryKeys) -> None:
    key = keys.make(Scope.READ, now=NOW)
    wrong = key[:-1] + ("0" if key[-1] != "0" else "1")

    assert refused(ring_of(keys), wrong) == ("unknown_key", "")


def test_a_key_opens_until_the_moment_it_expires(keys: MemoryKeys) -> None:
    key = keys.make(Scope.READ, now=NOW, expires=NOW + HOUR)
    clock = ReplayClock(NOW)
    ring = ring_of(keys, clock=clock)

    clock.set(NOW + HOUR - timedelta(microseconds=1))
    identity = ring.identify(bearer(key))
    still_held = ring.holds(identity)
    clock.set(NOW + HOUR)

    assert still_held
    assert refused(ring, key) == ("expired", id_of(key))
    assert not ring.holds(identity)


def test_a_change_counts_from_the_next_reading_on(keys: MemoryKeys) -> None:
    ring = ring_of(keys, SETTING)
    key = keys.make(Scope.READ, now=NOW)

    before = refused(ring, key)
    ring.refresh()
    identity = ring.identify(bearer(key))
    keys.revoke(identity.key, at=NOW)
    ring.refresh()

    assert before == ("unknown_key", "")
    assert refused(ring, key) == ("revoked", identity.key)
    assert not ring.holds(identity)


def test_while_the_database_is_away_keys_stay_as_they_were(keys: MemoryKeys) -> None:
    key = keys.make(Scope.READ, now=NOW)
    ring = ring_of(keys)
    keys.fault = UnavailableError("the database did not answer")

    with pytest.raises(UnavailableError):
        ring.refresh()

    assert ring.identify(bearer(key)).key == id_of(key)


@pytest.mark.case(20)
def test_without_any_key_this_machine_is_let_in_unless_keys_are_always_asked_for(
    keys: MemoryKeys,
) -> None:
    assert ring_of(keys).identify([]) is LOCAL
    with pytest.raises(UnknownKeyError):
        ring_of(keys, always=True).identify([])


@pytest.mark.case(20)
def test_the_last_key_that_is_revoked_leaves_the_door_closed(keys: MemoryKeys) -> None:
    key = keys.make(Scope.READ, now=NOW)
    keys.revoke(id_of(key) or "", at=NOW)

    with pytest.raises(UnknownKeyError):
        ring_of(keys).identify([])


@pytest.mark.case(20)
def test_before_the_keys_are_read_nobody_is_let_in(keys: MemoryKeys) -> None:
    ring = KeyRing([], keys, clock=ReplayClock(NOW), always=False)

    with pytest.raises(UnknownKeyError):
        ring.identify([])


def test_who_was_let_in_without_a_key_is_not_held_once_there_is_one(keys: MemoryKeys) -> None:
    ring = ring_of(keys)
    held = ring.holds(LOCAL)

    keys.make(Scope.READ, now=NOW)
    ring.refresh()

    assert held
    assert not ring.holds(LOCAL)


@pytest.mark.case(20)
async def test_a_key_is_refused_what_its_scope_does_not_say(
    app_of: AppOf, client_of: ClientOf, keys: MemoryKeys
) -> None:
    reading = keys.make(Scope.READ, now=NOW)
    writing = keys.make(Scope.ITEMS, now=NOW)
    item = {"kind": "news", "title": "N"}
    async with client_of(app_of()) as client:
        asked = [
            await client.request(method, path, json=body, headers={"x-api-key": key})
            for key in (reading, writing)
            for method, path, body in (
                ("GET", "/v1/items/a", None),
                ("PUT", "/v1/items/n", item),
                ("GET", "/metrics", None),
                ("GET", "/nowhere", None),
            )
        ]

    assert [one.status_code for one in asked] == [200, 403, 403, 404, 403, 200, 403, 404]
    assert asked[1].json()["error"] == "forbidden"
    assert "items" in asked[1].json()["message"]


async def test_why_it_is_not_ready_is_told_to_who_operates(
    app_of: AppOf, client_of: ClientOf, keys: MemoryKeys, health: list[Health]
) -> None:
    health.append(Health(name="kafka", ok=False, detail="10.0.0.7:9092 does not answer"))
    reading = keys.make(Scope.READ, now=NOW)
    operating = keys.make(Scope.OPERATE, now=NOW)
    async with client_of(app_of()) as client:
        reader = await client.get("/readyz", headers={"x-api-key": reading})
        operator = await client.get("/readyz", headers={"x-api-key": operating})

    assert "10.0.0.7" not in reader.text
    assert "10.0.0.7" in operator.text
