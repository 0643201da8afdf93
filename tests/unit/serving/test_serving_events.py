"""POST /v1/events: a verdict for each event, and nothing else lost."""

from collections.abc import Callable

import httpx
import pytest
from prometheus_client import REGISTRY
from starlette.applications import Starlette

from clickwise.doors import Verdict
from clickwise.errors import OverloadedError, UnavailableError
from clickwise.testing.doors import MemorySite

AppOf = Callable[..., Starlette]
ClientOf = Callable[[Starlette], httpx.AsyncClient]


def click(**changed: object) -> dict[str, object]:
    return {"id": "e1", "user": "ann", "item": "a", "type": "click", **changed}


def sample(name: str, **labels: str) -> float:
    return REGISTRY.get_sample_value(name, labels) or 0.0


async def test_one_event_is_applied(client: httpx.AsyncClient, site: MemorySite) -> None:
    response = await client.post("/v1/events", json=click())

    assert response.status_code == 200
    assert response.json() == {"results": [{"id": "e1", "verdict": "applied"}]}
    assert [event.item for event in site.events.of("ann")] == ["a"]


async def test_the_log_of_a_broker_answers_202(client: httpx.AsyncClient, site: MemorySite) -> None:
    site.events._verdict = Verdict.ACCEPTED

    response = await client.post("/v1/events", json=click())

    assert response.status_code == 202
    assert response.json()["results"][0]["verdict"] == "accepted"


@pytest.mark.case(4)
async def test_the_same_id_twice_in_one_batch_and_in_two_has_one_effect(
    client: httpx.AsyncClient, site: MemorySite
) -> None:
    first = await client.post("/v1/events", json={"events": [click(), click()]})
    second = await client.post("/v1/events", json={"events": [click()]})

    assert [r["verdict"] for r in first.json()["results"]] == ["applied", "duplicate"]
    assert [r["verdict"] for r in second.json()["results"]] == ["duplicate"]
    assert len(site.events.events) == 1


@pytest.mark.case(7)
async def test_a_wrong_event_of_a_batch_costs_the_others_nothing(
    client: httpx.AsyncClient, site: MemorySite
) -> None:
    bad = [click(id="e2", type="clik"), 7, None, [], click(id="e\n3"), click(id="e4", user=5)]

    response = await client.post("/v1/events", json={"events": [click(), *bad, click(id="e9")]})

    results = response.json()["results"]
    assert response.status_code == 200
    assert [r["verdict"] for r in results] == ["applied", *["refused"] * 6, "applied"]
    assert [r["id"] for r in results] == ["e1", "e2", None, None, None, None, "e4", "e9"]
    assert [r.get("field") for r in results[1:7]] == ["type", None, None, None, "id", "user"]
    assert all(r["reason"] for r in results[1:7])
    assert [event.id for event in site.events.events] == ["e1", "e9"]


@pytest.mark.case(7)
@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"null",
        b"[]",
        b'"text"',
        b"\xff\xfe",
        b'{"id": "\\ud800"}',
        b'{"events": {}}',
        b"[" * 200_000,
        b'{"a":' * 200_000,
        b'{"time": 1e999}',
    ],
)
async def test_a_poison_body_is_refused_with_a_reason(
    client: httpx.AsyncClient, body: bytes
) -> None:
    response = await client.post(
        "/v1/events", content=body, headers={"content-type": "application/json"}
    )

    assert response.status_code == 422
    assert response.json()["error"] == "invalid"
    assert response.json()["message"]


async def test_a_refused_single_event_says_which_field_and_why(client: httpx.AsyncClient) -> None:
    response = await client.post("/v1/events", json=click(type="rating"))

    told = response.json()
    assert response.status_code == 422
    assert (told["error"], told["field"]) == ("invalid", "value")
    assert "1 to 5" in told["message"]
    assert told["request_id"] == response.headers["x-request-id"]
    assert [r["verdict"] for r in told["results"]] == ["refused"]


async def test_a_batch_of_refused_events_only_is_422(client: httpx.AsyncClient) -> None:
    response = await client.post("/v1/events", json={"events": [{}, {}]})

    assert response.status_code == 422
    assert len(response.json()["results"]) == 2


async def test_an_empty_batch_is_fine(client: httpx.AsyncClient) -> None:
    response = await client.post("/v1/events", json={"events": []})

    assert (response.status_code, response.json()) == (200, {"results": []})


async def test_a_missing_id_is_made_and_told(client: httpx.AsyncClient, site: MemorySite) -> None:
    events = [{"user": "ann", "item": item, "type": "click"} for item in ("a", "b")]

    response = await client.post("/v1/events", json={"events": events})

    made = [result["id"] for result in response.json()["results"]]
    assert len(set(made)) == 2
    assert made == [event.id for event in site.events.events]


@pytest.mark.case(5)
@pytest.mark.parametrize(
    ("time", "verdict"),
    [
        (None, "applied"),
        ("2026-11-25T08:00:00Z", "applied"),
        ("2026-11-25T16:00:00+08:00", "applied"),
        (1_764_059_400, "applied"),
        (1_764_059_400.25, "applied"),
        (0, "refused"),
        ("2026-11-25T08:00:00", "refused"),
        ("2036-01-01T00:00:00Z", "refused"),
        ("1999-01-01T00:00:00Z", "refused"),
        (1_764_059_400_000, "refused"),
        ("yesterday", "refused"),
        (True, "refused"),
        ("0001-01-01T00:00:00+23:59", "refused"),
        ("9999-12-31T23:59:59-23:59", "refused"),
        (-1e308, "refused"),
        (-9e10, "refused"),
        (10**400, "refused"),
    ],
)
async def test_an_instant_is_taken_or_refused_never_guessed(
    client: httpx.AsyncClient, time: object, verdict: str
) -> None:
    response = await client.post("/v1/events", json={"events": [click(time=time)]})

    result = response.json()["results"][0]
    assert result["verdict"] == verdict
    if verdict == "refused":
        assert result["field"] == "time"


async def test_a_missing_time_is_the_time_of_receipt(
    client: httpx.AsyncClient, site: MemorySite
) -> None:
    await client.post("/v1/events", json=click())

    assert site.events.events[0].time == site.clock.now()


@pytest.mark.parametrize(
    ("fault", "status"),
    [
        (OverloadedError("20000 events are waiting", retry_after_seconds=2.5), 429),
        (UnavailableError("the log cannot be written"), 503),
    ],
)
async def test_a_full_or_absent_log_says_when_to_come_back(
    client: httpx.AsyncClient,
    site: MemorySite,
    fault: OverloadedError | UnavailableError,
    status: int,
) -> None:
    site.events.fault = fault

    response = await client.post("/v1/events", json=click())

    assert response.status_code == status
    assert response.json()["error"] == fault.kind
    assert int(response.headers["retry-after"]) >= 1
    assert site.events.events == []


@pytest.mark.case(20)
async def test_refused_events_are_counted_by_type(client: httpx.AsyncClient) -> None:
    name = "clickwise_events_total"
    before = sample(name, type="rating", outcome="refused")
    unknown = sample(name, type="unknown", outcome="refused")

    await client.post(
        "/v1/events", json={"events": [click(type="rating"), click(type="x"), click(type=[]), 1]}
    )

    assert sample(name, type="rating", outcome="refused") == before + 1
    assert sample(name, type="unknown", outcome="refused") == unknown + 3


async def test_unknown_fields_are_ignored_and_counted(client: httpx.AsyncClient) -> None:
    before = sample("clickwise_unknown_fields_total", message="event")

    response = await client.post("/v1/events", json=click(colour="red", size=3))

    assert response.status_code == 200
    assert sample("clickwise_unknown_fields_total", message="event") == before + 2


@pytest.mark.parametrize("field", ["items", "event"])
async def test_beside_a_list_of_events_there_is_nothing(
    client: httpx.AsyncClient, site: MemorySite, field: str
) -> None:
    response = await client.post("/v1/events", json={"events": [click()], field: []})

    assert (response.status_code, response.json()["field"]) == (422, field)
    assert site.events.events == []


async def test_more_events_than_the_limit_are_refused_whole(
    app_of: AppOf, client_of: ClientOf, site: MemorySite
) -> None:
    async with client_of(app_of(max_batch_events=2)) as client:
        response = await client.post("/v1/events", json={"events": [click()] * 3})

    assert response.status_code == 413
    assert response.json()["field"] == "events"
    assert "at most 2" in response.json()["message"]
    assert site.events.events == []


async def test_events_of_a_click_change_the_next_list(client: httpx.AsyncClient) -> None:
    path = "/v1/users/ann/recommendations"
    before = [item["item"] for item in (await client.get(path)).json()["items"]]

    await client.post("/v1/events", json=click(item=before[0]))

    answer = (await client.get(path)).json()
    assert before[0] not in [item["item"] for item in answer["items"]]
    assert answer["events_applied"] == 1
