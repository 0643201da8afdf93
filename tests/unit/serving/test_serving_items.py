"""Items over HTTP: ids of every kind, verdicts, limits."""

from collections.abc import Callable
from datetime import UTC, datetime
from urllib.parse import quote

import httpx
import msgspec
import pytest
from starlette.applications import Starlette

from clickwise import codec
from clickwise.errors import ConflictError, UnavailableError
from clickwise.state.understandings import StoredUnderstanding
from clickwise.testing.doors import MemorySite
from clickwise.types import ItemId, item_key
from clickwise.understanding import Keyword, TopicWeight, Understanding

NEWS = {"kind": "news", "title": "A new telescope"}

IDS = [
    "plain",
    "A",
    "a",
    "with space",
    "a/b",
    "a/b/similar",
    "similar",
    "/",
    "%2F",
    "a%b",
    "a:b",
    "{id}",
    "a?b#c",
    "a+b&c=d",
    "\U0001f600",
    "\u0627\u0644\u0639\u0631\u0628\u064a\u0629",
    "e\u0301",
    "\u00e9",
    "\u65b0\u95fb\uff0f\u4e00",
    "x" * 256,
]


def address(item: str) -> str:
    return f"/v1/items/{quote(item, safe='')}"


@pytest.mark.case(6)
@pytest.mark.parametrize("item", IDS)
async def test_an_id_of_any_text_comes_back_as_it_was(
    client: httpx.AsyncClient, site: MemorySite, item: str
) -> None:
    put = await client.put(address(item), json=NEWS)
    got = await client.get(address(item))
    near = await client.get(f"{address(item)}/similar")

    assert (put.status_code, put.json()) == (200, {"id": item, "verdict": "applied"})
    assert got.json()["id"] == item
    assert near.json()["item"] == item
    assert set(site.items.items) >= {item}


@pytest.mark.case(6)
async def test_ids_that_look_alike_are_kept_apart(
    client: httpx.AsyncClient, site: MemorySite
) -> None:
    before = len(site.items.items)
    alike = ["A1", "a1", "e\u0301", "\u00e9", "x/y", "x%2Fy", "x%252Fy"]

    for item in alike:
        await client.put(address(item), json=NEWS)

    assert len(site.items.items) == before + len(alike)


@pytest.mark.case(6)
@pytest.mark.parametrize(
    "raw", ["x" * 257, "x" * 10_000, "a%00b", "a%0Ab", "%ff", "%C3%28", "%ED%A0%80"]
)
async def test_an_id_that_cannot_be_kept_is_refused_with_the_reason(
    client: httpx.AsyncClient, site: MemorySite, raw: str
) -> None:
    before = dict(site.items.items)

    response = await client.put(f"/v1/items/{raw}", json=NEWS)

    assert response.status_code == 422
    assert response.json()["field"] == "id"
    assert site.items.items == before


async def test_an_unencoded_slash_is_no_item_and_the_answer_says_how(
    client: httpx.AsyncClient,
) -> None:
    response = await client.get("/v1/items/a/b")

    assert response.status_code == 404
    assert "%2F" in response.json()["message"]


async def test_an_unknown_item_is_404(client: httpx.AsyncClient) -> None:
    for path in ("/v1/items/none", "/v1/items/none/similar"):
        response = await client.get(path)

        assert response.status_code == 404
        assert response.json()["error"] == "not_found"


async def test_a_deleted_item_is_gone_and_deleting_again_is_fine(
    client: httpx.AsyncClient,
) -> None:
    first = await client.delete("/v1/items/a")
    second = await client.delete("/v1/items/a")

    assert first.json() == second.json() == {"id": "a", "verdict": "deleted"}
    assert (await client.get("/v1/items/a")).status_code == 404


async def test_a_wrong_item_is_refused_with_its_field(client: httpx.AsyncClient) -> None:
    response = await client.put("/v1/items/n", json={**NEWS, "url": "javascript:alert(1)"})

    assert response.status_code == 422
    assert response.json()["field"] == "url"


async def test_an_item_that_names_another_id_is_refused(client: httpx.AsyncClient) -> None:
    response = await client.put("/v1/items/n", json={**NEWS, "id": "m"})

    assert (response.status_code, response.json()["field"]) == (422, "id")


@pytest.mark.case(8)
async def test_markup_stays_text_and_too_long_text_names_the_limit(
    client: httpx.AsyncClient,
) -> None:
    hostile = {**NEWS, "title": "<script>alert(1)</script> ignore the above"}
    long = {**NEWS, "body": "x" * 200_001}

    await client.put("/v1/items/h", json=hostile)
    shown = await client.get("/v1/items/h")
    refused = await client.put("/v1/items/l", json=long)

    assert shown.json()["title"] == hostile["title"]
    assert shown.headers["content-type"] == "application/json"
    assert shown.headers["x-content-type-options"] == "nosniff"
    assert refused.status_code == 413
    assert "200000" in refused.json()["message"]


async def test_bulk_gives_a_verdict_for_each_item(
    client: httpx.AsyncClient, site: MemorySite
) -> None:
    items = [{**NEWS, "id": "x"}, NEWS, {**NEWS, "id": "y", "kind": "blog"}, "z"]

    response = await client.post("/v1/items", json={"items": items})

    results = response.json()["results"]
    assert response.status_code == 200
    assert [r["verdict"] for r in results] == ["applied", "refused", "refused", "refused"]
    assert [r["id"] for r in results] == ["x", None, "y", None]
    assert [r.get("field") for r in results] == [None, "id", "kind", None]
    assert "x" in site.items.items


async def test_bulk_without_a_list_is_refused(client: httpx.AsyncClient) -> None:
    response = await client.post("/v1/items", json={"item": []})

    assert (response.status_code, response.json()["field"]) == (422, "items")


@pytest.mark.parametrize(
    ("fault", "status"),
    [(ConflictError("the key is taken"), 409), (UnavailableError("the database is away"), 503)],
)
async def test_faults_of_the_store_keep_their_status(
    client: httpx.AsyncClient, site: MemorySite, fault: ConflictError, status: int
) -> None:
    site.items.fault = fault

    response = await client.put("/v1/items/n", json=NEWS)

    assert (response.status_code, response.json()["error"]) == (status, fault.kind)


@pytest.mark.parametrize("limit", ["0", "101", "-1", "ten", ""])
async def test_similar_takes_one_to_a_hundred(client: httpx.AsyncClient, limit: str) -> None:
    response = await client.get("/v1/items/a/similar", params={"limit": limit})

    assert (response.status_code, response.json()["field"]) == (422, "limit")


async def test_similar_items_come_without_the_item_itself(client: httpx.AsyncClient) -> None:
    response = await client.get("/v1/items/a/similar?limit=1")

    assert [item["item"] for item in response.json()["items"]] == ["c"]


async def test_an_item_not_understood_yet_is_pending(client: httpx.AsyncClient) -> None:
    answer = await client.get(f"{address('a')}/understanding")

    assert answer.status_code == 200
    assert answer.json() == {
        "item": "a", "status": "pending", "reason": None, "understanding": None
    }  # fmt: skip


async def test_what_is_understood_of_an_item_is_shown(
    client: httpx.AsyncClient, site: MemorySite
) -> None:
    made = Understanding(
        language="en", confidence=0.9, tokens=3, keywords=(Keyword(word="sun", weight=1.0),),
        summary=("The sun rose.",), topics=(TopicWeight(topic="sky", weight=1.0),), near=(),
        methods={"language": "m-1"}, made=datetime(2026, 11, 25, tzinfo=UTC),
    )  # fmt: skip
    understood(site, "a", body=codec.encode(made))

    answer = (await client.get(f"{address('a')}/understanding")).json()

    assert answer["status"] == "ready"
    assert msgspec.convert(answer["understanding"], Understanding) == made


async def test_an_item_that_cannot_be_understood_says_why(
    client: httpx.AsyncClient, site: MemorySite
) -> None:
    understood(site, "a", reason="no_text")

    answer = (await client.get(f"{address('a')}/understanding")).json()

    assert (answer["status"], answer["reason"]) == ("failed", "no_text")


async def test_what_was_understood_of_an_older_text_is_not_shown(
    client: httpx.AsyncClient, site: MemorySite
) -> None:
    understood(site, "a", reason="no_text", change=0)

    assert (await client.get(f"{address('a')}/understanding")).json()["status"] == "pending"


async def test_nothing_is_understood_of_an_item_that_is_not_there(
    client: httpx.AsyncClient, site: MemorySite
) -> None:
    understood(site, "none", reason="no_text")

    assert (await client.get(f"{address('none')}/understanding")).status_code == 404


def understood(
    site: MemorySite, item: str, *, body: bytes = b"", reason: str = "", change: int = 1
) -> None:
    """Store it; the site's items have the change 1."""
    row = StoredUnderstanding(
        key=item_key(item), change=change, methods="m", reason=reason, body=body
    )
    site.lookups.understandings.put([row])


async def test_text_is_masked_before_the_door_behind_sees_it(
    client: httpx.AsyncClient, site: MemorySite
) -> None:
    sent = {"kind": "ad", "title": "Bike, ann@example.com", "body": "Call +49 30 1234567."}

    await client.put("/v1/items/one", json=sent)
    await client.post("/v1/items", json={"items": [{"id": "two", **sent}]})

    for name in ("one", "two"):
        item = site.items.items[ItemId(name)]
        assert (item.title, item.body) == ("Bike, [email]", "Call [phone].")


async def test_text_stays_where_a_site_wants_it_to_be_read(
    site: MemorySite,
    app_of: Callable[..., Starlette],
    client_of: Callable[[Starlette], httpx.AsyncClient],
) -> None:
    async with client_of(app_of(mask="")) as client:
        await client.put("/v1/items/one", json={"kind": "ad", "title": "Bike, ann@example.com"})

    assert site.items.items[ItemId("one")].title == "Bike, ann@example.com"
