"""What every request passes: keys, limits, ids, faults, figures, headers."""

import asyncio
import re
from collections.abc import AsyncIterator, Callable
from datetime import timedelta

import httpx
import pytest
from prometheus_client import REGISTRY
from starlette.applications import Starlette

from clickwise import logs
from clickwise.errors import BundleError
from clickwise.testing.doors import MemorySite
from serving.admission import ALWAYS
from serving.parts import Health
from serving.routes import OPERATIONS

AppOf = Callable[..., Starlette]
ClientOf = Callable[[Starlette], httpx.AsyncClient]

KEY = "a-key-of-the-test-suite"
OTHER = "another-key-of-the-suite"
OPEN = ["/healthz", "/readyz", "/openapi.json", "/docs", "/"]
CLOSED = ["/metrics", "/v1/items/a", "/v1/users/ann/profile", "/nowhere"]


def sample(name: str, **labels: str) -> float:
    return REGISTRY.get_sample_value(name, labels) or 0.0


def test_the_first_fault_of_a_route_is_growth_for_prometheus(app_of: AppOf) -> None:
    app_of()

    for operation in OPERATIONS:
        for status in ("500", "503"):
            labels = {"route": operation.label, "status": status}
            assert REGISTRY.get_sample_value("clickwise_requests_total", labels) is not None


@pytest.mark.parametrize("path", OPEN)
async def test_probes_and_documents_need_no_key(
    app_of: AppOf, client_of: ClientOf, path: str
) -> None:
    async with client_of(app_of(api_keys=KEY)) as client:
        response = await client.get(path)

    assert response.status_code in (200, 307)


@pytest.mark.parametrize("path", CLOSED)
@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"authorization": "Bearer wrong-key-of-the-suite"},
        {"authorization": f"Basic {KEY}"},
        {"authorization": "Bearer"},
        {"x-api-key": KEY[:-1]},
        {"x-api-key": ""},
    ],
)
async def test_all_else_needs_a_known_key(
    app_of: AppOf, client_of: ClientOf, path: str, headers: dict[str, str]
) -> None:
    async with client_of(app_of(api_keys=f"{KEY},{OTHER}")) as client:
        response = await client.get(path, headers=headers)

    assert response.status_code == 401
    assert response.headers["www-authenticate"].startswith("Bearer")
    assert response.json()["error"] == "unauthorized"


@pytest.mark.parametrize(
    "headers",
    [
        {"authorization": f"Bearer {KEY}"},
        {"authorization": f"bearer {OTHER}"},
        {"x-api-key": KEY},
    ],
)
async def test_each_key_opens(app_of: AppOf, client_of: ClientOf, headers: dict[str, str]) -> None:
    async with client_of(app_of(api_keys=f"{KEY}, {OTHER}")) as client:
        response = await client.get("/v1/items/a", headers=headers)

    assert response.status_code == 200


@pytest.mark.case(20)
async def test_an_unexpected_fault_is_counted_logged_once_and_tells_nothing(
    client: httpx.AsyncClient, site: MemorySite, capsys: pytest.CaptureFixture[str]
) -> None:
    route = "GET /v1/users/{id}/recommendations"
    requests = sample("clickwise_requests_total", route=route, status="500")
    errors = sample("clickwise_errors_total", kind="internal", where=route)
    site.recommender.fault = RuntimeError("the password is hunter2")
    logs.configure(level="info", output="json")  # to the stream that is looked at here

    response = await client.get("/v1/users/ann/recommendations")

    logged = capsys.readouterr()
    assert response.status_code == 500
    assert response.json()["error"] == "internal"
    assert "hunter2" not in response.text
    assert response.json()["request_id"] == response.headers["x-request-id"]
    assert (logged.out + logged.err).count("request failed") == 1
    assert sample("clickwise_requests_total", route=route, status="500") == requests + 1
    assert sample("clickwise_errors_total", kind="internal", where=route) == errors + 1


async def test_a_damaged_bundle_is_not_told_to_clients(
    client: httpx.AsyncClient, site: MemorySite
) -> None:
    site.recommender.fault = BundleError("/srv/secret/place is damaged")

    response = await client.get("/v1/users/ann/recommendations")

    assert (response.status_code, response.json()["error"]) == (500, "bundle")
    assert "secret" not in response.text


@pytest.mark.case(20)
async def test_routes_are_counted_by_template_and_the_unknown_as_unmatched(
    client: httpx.AsyncClient,
) -> None:
    name = "clickwise_requests_total"
    found = sample(name, route="GET /v1/items/{id}", status="200")
    missing = sample(name, route="GET /v1/items/{id}", status="404")
    unmatched = sample(name, route="unmatched", status="404")

    await client.get("/v1/items/a")
    await client.get("/v1/items/nobody-knows-it")
    await client.get("/nowhere/secret-path")

    assert sample(name, route="GET /v1/items/{id}", status="200") == found + 1
    assert sample(name, route="GET /v1/items/{id}", status="404") == missing + 1
    assert sample(name, route="unmatched", status="404") == unmatched + 1
    assert "secret-path" not in (await client.get("/metrics")).text


async def test_an_unknown_address_and_a_wrong_method_have_the_same_shape(
    client: httpx.AsyncClient,
) -> None:
    unknown = await client.get("/v2/items")
    wrong = await client.patch("/v1/items/a")
    slash = await client.get("/v1/items/")

    assert (unknown.status_code, unknown.json()["error"]) == (404, "not_found")
    assert (wrong.status_code, wrong.json()["error"]) == (405, "method_not_allowed")
    assert set(wrong.headers["allow"].split(", ")) == {"GET", "PUT", "DELETE"}
    assert slash.status_code == 404


@pytest.mark.parametrize("given", ["my-id-7", "0af7651916cd43dd8448eb211c80319c"])
async def test_a_plain_request_id_of_the_client_is_kept(
    client: httpx.AsyncClient, given: str
) -> None:
    response = await client.get("/v1/items/none", headers={"x-request-id": given})

    assert response.headers["x-request-id"] == response.json()["request_id"] == given


@pytest.mark.parametrize("given", ["", "x" * 129, "a b", "<script>", "a\tb"])
async def test_any_other_request_id_is_replaced(client: httpx.AsyncClient, given: str) -> None:
    response = await client.get("/healthz", headers={"x-request-id": given})

    assert response.headers["x-request-id"] != given
    assert len(response.headers["x-request-id"]) == 36


async def test_request_ids_are_unique(client: httpx.AsyncClient) -> None:
    ids = {(await client.get("/healthz")).headers["x-request-id"] for _ in range(50)}

    assert len(ids) == 50


async def test_over_the_limit_requests_are_turned_away_and_probes_are_not(
    app_of: AppOf, client_of: ClientOf, site: MemorySite
) -> None:
    entered, leave = asyncio.Event(), asyncio.Event()

    async def body() -> AsyncIterator[bytes]:
        yield b'{"id": "e1", "user": "ann",'
        entered.set()
        await leave.wait()
        yield b'"item": "a", "type": "click"}'

    async with client_of(app_of(max_in_flight=1)) as client:
        slow = asyncio.create_task(
            client.post("/v1/events", content=body(), headers={"content-type": "application/json"})
        )
        await asyncio.wait_for(entered.wait(), 5)
        turned_away = await client.get("/v1/items/a")
        probes = [(await client.get(path)).status_code for path in ("/healthz", "/metrics")]
        leave.set()
        taken = await slow
        afterwards = await client.get("/v1/items/a")

    assert (turned_away.status_code, turned_away.json()["error"]) == (429, "overloaded")
    assert int(turned_away.headers["retry-after"]) >= 1
    assert probes == [200, 200]
    assert taken.status_code == afterwards.status_code == 200
    assert len(site.events.events) == 1


@pytest.mark.case(7)
async def test_a_large_body_is_refused_whether_or_not_it_says_so(
    app_of: AppOf, client_of: ClientOf
) -> None:
    read = 0

    async def chunks() -> AsyncIterator[bytes]:
        nonlocal read
        for _ in range(1_000):
            read += 1
            yield b" " * 1_000

    headers = {"content-type": "application/json"}
    async with client_of(app_of(max_body_bytes=2_000)) as client:
        declared = await client.post("/v1/events", content=b" " * 2_001, headers=headers)
        chunked = await client.post("/v1/events", content=chunks(), headers=headers)

    assert declared.status_code == chunked.status_code == 413
    assert declared.json()["error"] == "too_large"
    assert read < 10


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"content-type": "text/plain"},
        {"content-type": "application/x-www-form-urlencoded"},
        {"content-type": "application/json; charset=latin-1"},
        {"content-type": "application/json", "content-encoding": "gzip"},
    ],
)
async def test_a_body_that_is_not_json_is_415(
    client: httpx.AsyncClient, headers: dict[str, str]
) -> None:
    response = await client.post("/v1/events", content=b"{}", headers=headers)

    assert (response.status_code, response.json()["error"]) == (415, "unsupported_media_type")


@pytest.mark.parametrize("kind", ["application/json; charset=UTF-8", "application/ld+json"])
async def test_json_in_utf_8_is_taken_however_it_is_written(
    client: httpx.AsyncClient, kind: str
) -> None:
    body = b'{"user": "ann", "item": "a", "type": "click"}'

    response = await client.post("/v1/events", content=body, headers={"content-type": kind})

    assert response.status_code == 200


async def test_not_ready_says_what_is_wrong_and_is_alive(
    client: httpx.AsyncClient, health: list[Health]
) -> None:
    ready = await client.get("/readyz")
    health.append(Health(name="kafka", ok=False, detail="no broker answers"))
    not_ready = await client.get("/readyz")

    assert (ready.status_code, ready.json()["ready"]) == (200, True)
    assert (not_ready.status_code, not_ready.json()["ready"]) == (503, False)
    assert not_ready.json()["checks"][1] == {
        "name": "kafka",
        "ok": False,
        "detail": "no broker answers",
    }
    assert (await client.get("/healthz")).json() == {"status": "ok"}


async def test_why_it_is_not_ready_is_told_only_to_who_has_a_key(
    app_of: AppOf, client_of: ClientOf, health: list[Health]
) -> None:
    health.append(Health(name="kafka", ok=False, detail="10.0.0.7:9092 does not answer"))
    async with client_of(app_of(api_keys=KEY)) as client:
        stranger = await client.get("/readyz")
        known = await client.get("/readyz", headers={"x-api-key": KEY})

    assert stranger.status_code == known.status_code == 503
    assert "10.0.0.7" not in stranger.text
    assert "10.0.0.7" in known.text


@pytest.mark.parametrize("path", ["/v1/items/a", "/readyz", "/metrics", "/nowhere"])
@pytest.mark.parametrize("host", ["evil.test", "evil.test:8000", "10.0.0.7", "[fe80::1]:80", ""])
async def test_without_keys_a_host_that_is_not_loopback_is_refused(
    client: httpx.AsyncClient, path: str, host: str
) -> None:
    response = await client.get(path, headers={"host": host})

    assert (response.status_code, response.json()["error"]) == (403, "forbidden")


@pytest.mark.parametrize(
    "host", ["localhost", "LOCALHOST:8000", "127.0.0.1:8000", "127.9.9.9", "[::1]", "[::1]:8000"]
)
async def test_without_keys_every_name_of_loopback_is_answered(
    client: httpx.AsyncClient, host: str
) -> None:
    assert (await client.get("/v1/items/a", headers={"host": host})).status_code == 200


async def test_without_keys_another_sites_page_may_link_but_not_ask(
    client: httpx.AsyncClient,
) -> None:
    foreign = {"sec-fetch-site": "cross-site"}

    asked = await client.get("/v1/items/a", headers=foreign)
    linked = await client.get("/docs", headers=foreign)
    own = await client.get("/v1/items/a", headers={"sec-fetch-site": "same-origin"})

    assert asked.status_code == 403
    assert linked.status_code == own.status_code == 200


async def test_with_keys_any_host_is_answered(app_of: AppOf, client_of: ClientOf) -> None:
    headers = {"host": "shop.test", "x-api-key": KEY, "sec-fetch-site": "cross-site"}
    async with client_of(app_of(api_keys=KEY)) as client:
        assert (await client.get("/v1/items/a", headers=headers)).status_code == 200


async def test_requests_that_arrive_together_are_counted_even_if_nothing_waits(
    app_of: AppOf, client_of: ClientOf
) -> None:
    name, labels = "clickwise_refused_requests_total", {"scope": "read", "reason": "overloaded"}
    before = sample(name, **labels)
    async with client_of(app_of(max_in_flight=8)) as client:
        answers = await asyncio.gather(
            *(client.get("/v1/users/ann/recommendations") for _ in range(200))
        )

    statuses = [answer.status_code for answer in answers]
    assert set(statuses) == {200, 429}
    assert statuses.count(200) >= 8
    assert all("retry-after" in answer.headers for answer in answers if answer.is_error)
    assert sample(name, **labels) - before == statuses.count(429)


async def test_while_a_list_hangs_the_next_are_turned_away_and_probes_are_answered(
    app_of: AppOf, client_of: ClientOf, site: MemorySite
) -> None:
    site.recommender.free.clear()

    async with client_of(app_of(max_in_flight=2)) as client:
        lists = [asyncio.create_task(client.get("/v1/users/ann/recommendations"))]
        await asyncio.to_thread(site.recommender.hanging.wait)
        lists.append(asyncio.create_task(client.get("/v1/users/bob/recommendations")))
        await asyncio.sleep(0)
        turned_away = await client.get("/v1/users/cid/recommendations")
        alive = await client.get("/healthz")
        answered_before = [task.done() for task in lists]
        site.recommender.free.set()
        statuses = [(await task).status_code for task in lists]

    assert turned_away.status_code == 429
    assert alive.status_code == 200
    assert answered_before == [False, False]
    assert statuses == [200, 200]


BOUNDED = [
    ("GET", "/v1/users/ann/recommendations", None),
    ("POST", "/v1/recommendations", {"user": "ann"}),
    ("GET", "/v1/users/ann/stream", None),
    ("GET", "/v1/recommendations/fake-1/why", None),
    ("GET", "/v1/users/ann/profile", None),
    ("POST", "/v1/users/ann/merge", {"guest": "bob"}),
    ("GET", "/v1/items/a/similar", None),
    ("GET", "/v1/items/a/understanding", None),
    ("POST", "/v1/events", {"id": "e", "user": "ann", "item": "a", "type": "click"}),
    ("PUT", "/v1/items/d", {"kind": "news", "title": "D"}),
    ("GET", "/v1/items/a", None),
    ("POST", "/v1/items", {"items": [{"id": "d", "kind": "news", "title": "D"}]}),
]


def test_these_are_all_that_read_or_parse() -> None:
    told = {re.sub(r"/(ann|a|d|fake-1)(?=/|$)", "/{id}", path) for _, path, _ in BOUNDED}
    missing = {
        operation.label
        for operation in OPERATIONS
        if operation.scope is not None and operation.path not in told
    }

    assert missing == {"GET /v1/users/{id}/export", "DELETE /v1/users/{id}", "GET /metrics"}


@pytest.mark.parametrize(("method", "path", "body"), BOUNDED)
async def test_what_reads_or_parses_waits_for_its_turn_beside_the_loop(
    app_of: AppOf,
    client_of: ClientOf,
    site: MemorySite,
    method: str,
    path: str,
    body: dict[str, object] | None,
) -> None:
    app = app_of()
    async with client_of(app) as client:
        for item in ("a", "b"):
            event = {"id": item, "user": "ann", "item": item, "type": "click"}
            await client.post("/v1/events", json=event)
        await client.get("/v1/users/ann/recommendations")
        site.recommender.free.clear()
        hanging = asyncio.create_task(client.get("/v1/users/cid/recommendations"))
        await asyncio.to_thread(site.recommender.hanging.wait)
        asked = asyncio.create_task(client.request(method, path, json=body))
        for _ in range(50):
            await asyncio.sleep(0)
        turns = app.state.turns
        waiting = (turns.requests.waiting, turns.streams.waiting)
        site.recommender.free.set()
        assert (await hanging).status_code == 200
        if path.endswith("/stream"):
            asked.cancel()  # it has no end
        else:
            assert (await asked).status_code < 300

    assert waiting == ((0, 1) if path.endswith("/stream") else (1, 0))


async def test_many_bodies_at_once_do_not_pass_the_bound_on_waiting(
    app_of: AppOf, client_of: ClientOf, site: MemorySite
) -> None:
    async with client_of(app_of(max_wait_seconds=0.001, max_in_flight=500)) as client:
        wanted = {"user": "ann"}
        for _ in range(2):  # a list that takes a second by the site's clock; one that hangs
            site.recommender.hanging.clear()
            site.recommender.free.clear()
            first = asyncio.create_task(client.post("/v1/recommendations", json=wanted))
            await asyncio.to_thread(site.recommender.hanging.wait)
            if not site.recommender.asked:
                site.clock.time += timedelta(seconds=1)
                site.recommender.free.set()
                await first
        asked = [
            asyncio.create_task(client.post("/v1/recommendations", json=wanted)) for _ in range(60)
        ]
        for _ in range(50):
            await asyncio.sleep(0)
        site.recommender.free.set()
        statuses = [(await task).status_code for task in [first, *asked]]

    assert statuses.count(200) == 1 + ALWAYS
    assert statuses.count(429) == 60 - ALWAYS


async def test_answers_are_not_sniffed_cached_or_shared_across_origins(
    client: httpx.AsyncClient,
) -> None:
    response = await client.get("/v1/items/a", headers={"origin": "https://other.test"})
    preflight = await client.options("/v1/items/a", headers={"origin": "https://other.test"})

    assert response.headers["x-content-type-options"] == "nosniff"
    assert response.headers["cache-control"] == "no-store"
    assert not [name for name in response.headers if name.startswith("access-control")]
    assert preflight.status_code == 405


async def test_the_process_starts_before_and_stops_after_its_requests(
    app_of: AppOf, client_of: ClientOf
) -> None:
    told: list[str] = []

    async def start() -> None:
        told.append("start")

    async def stop() -> None:
        told.append("stop")

    app = app_of(on_start=start, on_stop=stop)
    async with app.router.lifespan_context(app), client_of(app) as client:
        told.append(str((await client.get("/healthz")).status_code))

    assert told == ["start", "200", "stop"]
