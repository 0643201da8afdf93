"""A person told and erased over HTTP."""

import asyncio
import json
import threading
from collections.abc import Callable

import httpx
from starlette.applications import Starlette

from clickwise.errors import UnavailableError
from clickwise.privacy import Receipt
from clickwise.testing.doors import MemoryPeople, MemorySite
from clickwise.types import UserId


async def click(client: httpx.AsyncClient, user: str, item: str = "a") -> None:
    event = {"user": user, "item": item, "type": "click"}
    (await client.post("/v1/events", json=event)).raise_for_status()


async def test_what_is_known_of_a_user_comes_as_json_lines(client: httpx.AsyncClient) -> None:
    await click(client, "ann", "a")
    await click(client, "ann", "b")
    await click(client, "bob", "c")

    answer = await client.get("/v1/users/ann/export")

    assert answer.headers["content-type"] == "application/x-ndjson"
    assert [json.loads(line)["item"] for line in answer.text.splitlines()] == ["a", "b"]


async def test_a_user_of_whom_nothing_is_known_is_not_found(client: httpx.AsyncClient) -> None:
    assert (await client.get("/v1/users/nobody/export")).status_code == 404


async def test_an_erasure_answers_with_its_receipt(
    client: httpx.AsyncClient, site: MemorySite
) -> None:
    await click(client, "ann/of this", "a")
    await click(client, "bob", "c")

    answer = await client.delete("/v1/users/ann%2Fof%20this")

    assert answer.status_code == 200
    assert answer.json()["stores"] == [{"store": "events", "records": 1}]
    assert [event.user for event in site.events.events] == ["bob"]


async def test_a_store_that_is_away_is_no_erasure(
    client: httpx.AsyncClient, site: MemorySite
) -> None:
    site.people.fault = UnavailableError("the archive does not answer")

    assert (await client.delete("/v1/users/ann")).status_code == 503


async def test_an_erasure_needs_a_key_where_keys_are_set(
    app_of: Callable[..., Starlette],
    client_of: Callable[[Starlette], httpx.AsyncClient],
) -> None:
    async with client_of(app_of(api_keys="a-key-of-some-length-0123456789")) as client:
        assert (await client.delete("/v1/users/ann")).status_code == 401
        assert (await client.get("/v1/users/ann/export")).status_code == 401


async def test_a_second_erasure_at_once_is_turned_away(
    client: httpx.AsyncClient, site: MemorySite
) -> None:
    begun, go_on = threading.Event(), threading.Event()

    class Slow(MemoryPeople):
        def forget(self, user: UserId) -> Receipt:
            begun.set()
            go_on.wait(30)
            return super().forget(user)

    site.people.forget = Slow(site.events, site.clock).forget  # type: ignore[method-assign]
    first = asyncio.create_task(client.delete("/v1/users/ann"))
    await asyncio.to_thread(begun.wait, 30)

    second = await client.delete("/v1/users/bob")
    go_on.set()

    assert second.status_code == 429
    assert (await first).status_code == 200


async def test_a_guest_is_merged_and_the_log_has_it(
    client: httpx.AsyncClient, site: MemorySite
) -> None:
    answer = await client.post("/v1/users/ann/merge", json={"guest": "g/1", "id": "m1"})

    assert answer.status_code == 200
    assert answer.json() == {"id": "m1", "guest": "g/1", "user": "ann", "verdict": "applied"}
    (merge,) = site.events.merges
    assert (merge.id, merge.user, merge.into) == ("m1", "g/1", "ann")


async def test_a_merge_asked_for_again_is_the_same_merge(
    client: httpx.AsyncClient, site: MemorySite
) -> None:
    first = await client.post("/v1/users/ann/merge", json={"guest": "g"})
    second = await client.post("/v1/users/ann/merge", json={"guest": "g"})

    assert first.json()["id"] == second.json()["id"]
    assert site.events.merges[0] == site.events.merges[1]


async def test_a_merge_that_another_stands_against_is_refused_before_the_log(
    client: httpx.AsyncClient, site: MemorySite
) -> None:
    await client.post("/v1/users/ann/merge", json={"guest": "g"})

    other = await client.post("/v1/users/bob/merge", json={"guest": "g"})
    chain = await client.post("/v1/users/bob/merge", json={"guest": "ann"})
    circle = await client.post("/v1/users/g/merge", json={"guest": "ann"})
    itself = await client.post("/v1/users/ann/merge", json={"guest": "ann"})
    nobody = await client.post("/v1/users/ann/merge", json={})

    refused = [other, chain, circle, itself, nobody]
    assert [one.status_code for one in refused] == [409, 409, 409, 422, 422]
    assert other.json()["message"] == "the guest was merged into another user before"
    assert itself.json()["field"] == "guest"
    assert len(site.events.merges) == 1


async def test_a_merge_with_an_unknown_field_is_refused(
    client: httpx.AsyncClient, site: MemorySite
) -> None:
    answer = await client.post("/v1/users/ann/merge", json={"guest": "g", "idd": "m1"})

    assert (answer.status_code, answer.json()["field"]) == (422, "idd")
    assert site.events.merges == []


async def test_a_merge_that_the_log_did_not_take_can_be_asked_for_again(
    client: httpx.AsyncClient, site: MemorySite
) -> None:
    site.events.fault = UnavailableError("Kafka does not answer")
    away = await client.post("/v1/users/ann/merge", json={"guest": "g"})
    site.events.fault = None

    again = await client.post("/v1/users/ann/merge", json={"guest": "g"})

    assert (away.status_code, again.status_code) == (503, 200)
    assert len(site.events.merges) == 1
