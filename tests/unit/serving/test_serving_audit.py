"""Whoever is refused is counted and named in the audit log, and so is whoever writes."""

import logging
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest
from prometheus_client import REGISTRY
from starlette.applications import Starlette

from clickwise.access import Scope, id_of
from clickwise.audit import AuditLog, Deed
from clickwise.errors import UnavailableError
from clickwise.testing.doors import MemorySite
from clickwise.testing.keys import MemoryKeys

AppOf = Callable[..., Starlette]
ClientOf = Callable[[Starlette], httpx.AsyncClient]
Line = dict[str, Any]

NOW = datetime(2026, 11, 25, 8, 30, tzinfo=UTC)
CLICK = {"user": "ann", "item": "a", "type": "click"}
NEWS = {"kind": "news", "title": "T"}


@pytest.fixture
def lines() -> Iterator[list[Line]]:
    """What the audit log says, as it is said."""
    said: list[Line] = []

    class Keep(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            assert isinstance(record.msg, dict)
            said.append(record.msg)

    handler = Keep()
    logging.getLogger("clickwise.audit").addHandler(handler)
    yield said
    logging.getLogger("clickwise.audit").removeHandler(handler)


def refusals(scope: str, reason: str) -> float:
    labels = {"scope": scope, "reason": reason}
    return REGISTRY.get_sample_value("clickwise_refused_requests_total", labels) or 0.0


# Each stranger: what the request has in place of a good one, then status, reason and who it was.
STRANGERS: dict[str, tuple[dict[str, Any], int, str, str]] = {
    "no key": ({"key": None}, 401, "no_key", "none"),
    "a wrong key": ({"key": "a-key-that-nobody-gave"}, 401, "unknown_key", "unknown"),
    "a guessed secret": ({"key": "guessed"}, 401, "unknown_key", "unknown"),
    "a wrong scope": ({"key": "reading"}, 403, "wrong_scope", "reading"),
    "an expired key": ({"key": "expired"}, 401, "expired", "expired"),
    "a revoked key": ({"key": "revoked"}, 401, "revoked", "revoked"),
    "oversized": ({"content": b" " * 3_000}, 413, "too_large", "writing"),
    "no JSON": ({"content": b"{"}, 422, "invalid", "writing"),
    "no event": ({"content": b'{"user": "ann"}'}, 422, "invalid", "writing"),
    "another type": ({"type": "text/plain"}, 415, "unsupported_media_type", "writing"),
    "another method": ({"method": "PATCH"}, 405, "method_not_allowed", "writing"),
    "too often": ({"key": "slow"}, 429, "rate_limited", "slow"),
}


@pytest.mark.case(20)
@pytest.mark.parametrize("kind", STRANGERS)
async def test_a_stranger_of_every_kind_is_refused_counted_and_named(
    app_of: AppOf,
    client_of: ClientOf,
    site: MemorySite,
    keys: MemoryKeys,
    lines: list[Line],
    kind: str,
) -> None:
    different, status, reason, who = STRANGERS[kind]
    made = {
        "writing": keys.make(Scope.EVENTS, now=NOW),
        "reading": keys.make(Scope.READ, now=NOW),
        "expired": keys.make(Scope.EVENTS, now=NOW, expires=NOW - timedelta(seconds=1)),
        "revoked": keys.make(Scope.EVENTS, now=NOW),
        "slow": keys.make(Scope.EVENTS, now=NOW, rate=1.0),
    }
    keys.revoke(id_of(made["revoked"]) or "", at=NOW)
    made["guessed"] = made["writing"][:-64] + "0" * 64
    name = different.get("key", "writing")
    scope = "none" if kind == "another method" else "events"
    headers = {"content-type": different.get("type", "application/json")}
    if name is not None:
        headers["x-api-key"] = made.get(name, name)
    async with client_of(app_of(max_body_bytes=2_000)) as client:
        if kind == "too often":
            await client.post("/v1/events", json=CLICK, headers={"x-api-key": made["slow"]})
            site.events.events.clear()
            lines.clear()
        before = refusals(scope, reason)

        answer = await client.request(
            different.get("method", "POST"),
            "/v1/events",
            content=different.get("content", b'{"user": "ann", "item": "a", "type": "click"}'),
            headers=headers,
        )

    (line,) = lines
    assert answer.status_code == line["status"] == status
    assert refusals(scope, reason) == before + 1
    assert (line["outcome"], line["reason"], line["times"]) == ("refused", reason, 1)
    assert line["key"] == (id_of(made[who]) if who in made else who)
    assert line["request_id"] == answer.headers["x-request-id"]
    assert line["action"] in ("POST /v1/events", "/v1/events")
    assert site.events.events == []


@pytest.mark.case(20)
async def test_another_sites_page_is_refused_counted_and_named(
    client: httpx.AsyncClient, lines: list[Line]
) -> None:
    before = refusals("items", "forbidden")

    await client.delete("/v1/items/a", headers={"sec-fetch-site": "cross-site"})

    (line,) = lines
    assert refusals("items", "forbidden") == before + 1
    assert (line["key"], line["status"], line["reason"]) == ("none", 403, "forbidden")


async def test_every_write_of_an_item_has_a_line_with_who_what_and_when(
    app_of: AppOf, client_of: ClientOf, keys: MemoryKeys, lines: list[Line]
) -> None:
    key = keys.make(Scope.ITEMS, now=NOW)
    async with client_of(app_of()) as client:
        client.headers["x-api-key"] = key
        await client.put("/v1/items/n", json=NEWS)
        await client.put("/v1/items/m", json=NEWS)
        await client.delete("/v1/items/n")

    assert [line["action"] for line in lines] == ["PUT /v1/items/{id}"] * 2 + [
        "DELETE /v1/items/{id}"
    ]
    assert {line["key"] for line in lines} == {id_of(key)}
    assert all(line["outcome"] == "done" and line["timestamp"] for line in lines)


async def test_a_write_that_failed_says_so(
    client: httpx.AsyncClient, site: MemorySite, lines: list[Line]
) -> None:
    site.items.fault = UnavailableError("the database did not answer")

    await client.put("/v1/items/n", json=NEWS)

    (line,) = lines
    assert (line["outcome"], line["reason"], line["key"]) == ("failed", "unavailable", "local")


async def test_reading_leaves_no_line(client: httpx.AsyncClient, lines: list[Line]) -> None:
    for path in ("/v1/items/a", "/v1/users/ann/recommendations", "/v1/items/none", "/healthz"):
        await client.get(path)

    assert lines == []


async def test_no_text_and_no_id_of_a_user_or_an_item_is_in_it(
    client: httpx.AsyncClient, lines: list[Line]
) -> None:
    await client.put("/v1/items/named-item", json={**NEWS, "title": "titled"})
    await client.post("/v1/events", json={**CLICK, "user": "ann-who-reads"})
    await client.post("/v1/events", json={**CLICK, "user": "ann-who-reads", "type": "typed"})
    await client.get("/v1/users/ann-who-reads/recommendations?limit=0")

    assert len(lines) == 4
    for word in ("named-item", "titled", "ann-who-reads", "typed"):
        assert word not in str(lines)


def test_deeds_alike_are_told_once_and_then_in_a_sum() -> None:
    said: list[tuple[Deed, str, int]] = []
    audit = AuditLog(lambda deed, request, times: said.append((deed, request, times)))
    clicks = Deed("k", "POST /v1/events", "done", status=200)
    other = Deed("unknown", "POST /v1/events", "refused", "unknown_key", 401)

    for number in range(1_000):
        audit.note_summed(clicks, f"r{number}")
    audit.note_summed(other, "s")
    audit.flush()
    audit.note_summed(clicks, "t")
    audit.flush()

    assert said == [(clicks, "r0", 1), (other, "s", 1), (clicks, "", 999), (clicks, "t", 1)]


async def test_what_is_held_is_told_when_the_process_ends(
    app_of: AppOf, client_of: ClientOf, lines: list[Line]
) -> None:
    app = app_of()
    async with app.router.lifespan_context(app), client_of(app) as client:
        for _ in range(5):
            await client.post("/v1/events", json=CLICK)

    assert [line["times"] for line in lines] == [1, 4]
