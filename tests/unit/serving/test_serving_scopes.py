"""What a key may do: every address has a scope, and a key without it is refused."""

import dataclasses
from collections.abc import Callable
from datetime import UTC, datetime

import httpx
import pytest
from starlette.applications import Starlette
from starlette.routing import Route

from clickwise.access import ALL_SCOPES, METRICS_SCOPES, SETTING_SCOPES, Scope, parse_scopes
from clickwise.errors import InvalidInputError
from clickwise.testing.keys import MemoryKeys
from serving.auth import LOCAL, Identity
from serving.errors import ForbiddenScopeError
from serving.gate import Gate
from serving.openapi import openapi
from serving.operation import Operation
from serving.routes import OPERATIONS

AppOf = Callable[..., Starlette]

NOW = datetime(2026, 11, 25, 8, 30, tzinfo=UTC)

# What a stranger may ask: to add one here is to decide it.
OPEN = {"GET /healthz", "GET /readyz", "GET /openapi.json", "GET /docs", "GET /"}


def served(app: Starlette) -> list[Operation]:
    """Every operation of every route; all of them have to be behind a gate."""
    found = []
    for route in app.routes:
        assert isinstance(route, Route)
        assert isinstance(route.app, Gate), f"{route.path} is not behind the gate"
        found += list(route.app._operations.values())
    return found


@pytest.mark.case(20)
def test_every_route_has_a_scope_or_is_open_on_purpose(app_of: AppOf) -> None:
    operations = served(app_of())

    assert {one.label for one in operations if one.scope is None} == OPEN
    assert len({one.label for one in operations}) == len(OPERATIONS)


def test_an_operation_without_a_scope_cannot_be_declared() -> None:
    field = next(one for one in dataclasses.fields(Operation) if one.name == "scope")

    assert field.default is dataclasses.MISSING


@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda one: one.label)
def test_what_writes_is_not_open_to_a_key_that_reads(operation: Operation) -> None:
    changes = operation.method in ("PUT", "DELETE") or operation.label in (
        "POST /v1/events",
        "POST /v1/items",
        "POST /v1/users/{id}/merge",
    )

    writes = operation.scope is not None and operation.scope.writes
    assert writes or not changes
    assert changes or not writes or operation.scope is Scope.ADMIN  # who tells all of a person


def test_the_document_says_which_scope_each_operation_needs() -> None:
    paths = openapi()["paths"]

    for one in OPERATIONS:
        needed = [scope for way in paths[one.path][one.method.lower()]["security"] for scope in way]
        scopes = {
            scope
            for way in paths[one.path][one.method.lower()]["security"]
            for scope in next(iter(way.values()))
        }
        assert scopes == ({one.scope, *one.also} if one.scope else set())
        assert needed == (["bearer", "header"] if one.scope else [])


def test_keys_of_the_settings_may_all_but_administer() -> None:
    assert set(ALL_SCOPES - SETTING_SCOPES) == {Scope.ADMIN}


async def test_keys_of_the_settings_go_on_working_everywhere(
    app_of: AppOf, client_of: Callable[[Starlette], httpx.AsyncClient]
) -> None:
    key = "a-key-of-the-test-suite"
    async with client_of(app_of(api_keys=key)) as client:
        client.headers["x-api-key"] = key

        event = {"user": "ann", "item": "a", "type": "click"}
        asked = [
            await client.get("/v1/items/a"),
            await client.post("/v1/events", json=event),
            await client.put("/v1/items/n", json={"kind": "news", "title": "N"}),
            await client.get("/metrics"),
        ]

    assert [one.status_code for one in asked] == [200] * 4


@pytest.mark.case(20)
@pytest.mark.parametrize("among_the_others", ["", "a-key-of-the-metrics"])
async def test_a_key_of_the_metrics_reads_figures_and_nothing_else(
    app_of: AppOf, client_of: Callable[[Starlette], httpx.AsyncClient], among_the_others: str
) -> None:
    key = "a-key-of-the-metrics"
    app = app_of(api_keys=f"a-key-of-the-test-suite,{among_the_others}", metrics_keys=key)
    async with client_of(app) as client:
        stranger = await client.get("/metrics")
        client.headers["x-api-key"] = key

        figures = await client.get("/metrics")
        refused = [
            await client.post("/v1/events", json={"user": "ann", "item": "a", "type": "click"}),
            await client.put("/v1/items/n", json={"kind": "news", "title": "N"}),
            await client.delete("/v1/items/a"),
            await client.get("/v1/items/a"),
            await client.get("/v1/users/ann/recommendations"),
            await client.get("/v1/users/ann/profile"),
        ]

    assert (stranger.status_code, figures.status_code) == (401, 200)
    assert [one.status_code for one in refused] == [403] * 6


@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda one: one.label)
def test_of_all_operations_metrics_alone_are_for_keys_of_the_metrics(operation: Operation) -> None:
    allowed = operation.scope in METRICS_SCOPES

    assert allowed == (operation.label == "GET /metrics")


@pytest.mark.parametrize("scope", Scope)
def test_a_scope_allows_itself_alone_and_admin_allows_all(scope: Scope) -> None:
    identity = Identity("k", frozenset({scope}))

    assert {one for one in Scope if identity.may(one)} == (
        set(Scope) if scope is Scope.ADMIN else {scope}
    )
    assert LOCAL.may(scope)


def test_a_missing_scope_is_named() -> None:
    with pytest.raises(ForbiddenScopeError, match="lacks the scope items"):
        Identity("k", frozenset({Scope.READ})).need(Scope.ITEMS)


def test_scopes_are_read_from_words_in_one_order() -> None:
    assert parse_scopes(["read, events", "read"]) == (Scope.EVENTS, Scope.READ)


@pytest.mark.parametrize("words", [[], ["all"], ["read,"], [""]])
def test_no_scope_and_an_unknown_one_are_refused(words: list[str]) -> None:
    with pytest.raises(InvalidInputError, match="expected scopes"):
        parse_scopes(words)


@pytest.mark.parametrize("scope", [Scope.EVENTS, Scope.READ])
async def test_a_page_that_may_only_send_events_cannot_take_anybodys_history(
    app_of: AppOf,
    keys: MemoryKeys,
    client_of: Callable[[Starlette], httpx.AsyncClient],
    scope: Scope,
) -> None:
    key = keys.make(scope, now=NOW)

    async with client_of(app_of(access="keys")) as client:
        answer = await client.post(
            "/v1/users/mallory/merge",
            json={"guest": "ann"},
            headers={"Authorization": f"Bearer {key}"},
        )

    assert answer.status_code == 403
