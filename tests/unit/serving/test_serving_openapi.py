"""The OpenAPI document and the documentation page say what the application does."""

import base64
import hashlib
import re
from collections.abc import Callable

import httpx
import jsonschema_rs
import pytest
from starlette.applications import Starlette
from starlette.routing import Route

from serving import docs
from serving.gate import Gate
from serving.openapi import openapi
from serving.routes import OPERATIONS

AppOf = Callable[..., Starlette]

DOCUMENT = openapi()
CLICK = {"id": "e1", "user": "ann", "item": "a", "type": "click"}
NEWS = {"kind": "news", "title": "T"}
CALLS = [
    ("GET", "/v1/users/{id}/recommendations", "ann", "?limit=2&explain=1", None, 200),
    ("GET", "/v1/users/{id}/recommendations", "ann", "?limit=0", None, 422),
    ("POST", "/v1/recommendations", "", "", {"context": [{"item": "a"}]}, 200),
    ("GET", "/v1/users/{id}/profile", "ann", "", None, 200),
    ("GET", "/v1/users/{id}/profile", "bob", "", None, 404),
    ("GET", "/v1/items/{id}/similar", "a", "", None, 200),
    ("POST", "/v1/events", "", "", {"events": [{**CLICK, "id": "e2"}, {}]}, 200),
    ("POST", "/v1/events", "", "", {}, 422),
    ("PUT", "/v1/items/{id}", "n", "", NEWS, 200),
    ("PUT", "/v1/items/{id}", "n", "", {}, 422),
    ("GET", "/v1/items/{id}", "a", "", None, 200),
    ("DELETE", "/v1/items/{id}", "a", "", None, 200),
    ("POST", "/v1/items", "", "", {"items": [{**NEWS, "id": "m"}, 3]}, 200),
    ("GET", "/healthz", "", "", None, 200),
    ("GET", "/readyz", "", "", None, 200),
    ("GET", "/openapi.json", "", "", None, 200),
]


def validator(schema: dict[str, object]) -> jsonschema_rs.Draft202012Validator:
    return jsonschema_rs.Draft202012Validator({**schema, "components": DOCUMENT["components"]})


def test_every_address_is_in_the_document_and_nothing_else(app_of: AppOf) -> None:
    served = {
        (route.path, method)
        for route in app_of().routes
        if isinstance(route, Route) and isinstance(route.app, Gate)
        for method in route.app._operations
        if method != "HEAD"
    }
    described = {
        (path, method.upper()) for path, methods in DOCUMENT["paths"].items() for method in methods
    }

    assert served == described
    assert len(described) == len(OPERATIONS)


@pytest.mark.parametrize(("method", "path", "id_", "query", "body", "status"), CALLS)
async def test_real_answers_are_as_described(
    client: httpx.AsyncClient,
    method: str,
    path: str,
    id_: str,
    query: str,
    body: object,
    status: int,
) -> None:
    await client.post("/v1/events", json=CLICK)

    response = await client.request(method, path.replace("{id}", id_) + query, json=body)

    described = DOCUMENT["paths"][path][method.lower()]["responses"][str(response.status_code)]
    content = described["content"]["application/json"]
    assert response.status_code == status
    assert response.headers["content-type"] == "application/json"
    validator(content["schema"]).validate(response.json())


@pytest.mark.parametrize("name", sorted(DOCUMENT["components"]["schemas"]))
def test_every_schema_is_valid_and_its_examples_fit(name: str) -> None:
    schema = DOCUMENT["components"]["schemas"][name]

    check = validator({"$ref": f"#/components/schemas/{name}"})

    jsonschema_rs.meta.validate(schema)
    for example in schema.get("examples", []):
        check.validate(example)


@pytest.mark.parametrize(
    "event",
    [
        {"user": "ann", "item": "a", "type": "click"},
        {**CLICK, "time": "2026-11-25T08:00:00Z", "value": None},
        {**CLICK, "time": 1_764_059_400, "extra": 1},
    ],
)
async def test_what_the_document_allows_is_taken(
    client: httpx.AsyncClient, event: dict[str, object]
) -> None:
    validator({"$ref": "#/components/schemas/EventOrEvents"}).validate(event)

    assert (await client.post("/v1/events", json=event)).status_code == 200


@pytest.mark.parametrize(
    ("name", "path", "body"),
    [
        ("RecommendRequest", "/v1/recommendations", {"user": "ann", "exclud": ["a"]}),
        ("RecommendRequest", "/v1/recommendations", {"context": [{"item": "a", "itm": "a"}]}),
        ("Guest", "/v1/users/ann/merge", {"guest": "g", "idd": "m1"}),
        ("EventBatch", "/v1/events", {"events": [CLICK], "items": []}),
        ("ItemBatch", "/v1/items", {"items": [{**NEWS, "id": "n"}], "event": []}),
    ],
)
async def test_an_unknown_field_of_a_request_is_refused_by_document_and_door(
    client: httpx.AsyncClient, name: str, path: str, body: dict[str, object]
) -> None:
    assert not validator({"$ref": f"#/components/schemas/{name}"}).is_valid(body)

    assert (await client.post(path, json=body)).status_code == 422


def test_each_operation_says_which_faults_it_can_have() -> None:
    for operation in OPERATIONS:
        responses = DOCUMENT["paths"][operation.path][operation.method.lower()]["responses"]
        if not operation.keyless:
            assert {"401", "500"} <= set(responses), operation.label
        if operation.request is not None:
            assert {"413", "415", "422", "429", "503"} <= set(responses), operation.label


def test_what_is_not_found_is_what_the_address_is_of() -> None:
    told = {
        path: operation["responses"]["404"]["description"]
        for path, methods in DOCUMENT["paths"].items()
        for operation in methods.values()
        if "404" in operation["responses"]
    }

    assert told["/v1/recommendations/{id}/why"] == "No such list in the log of exposures."
    assert told["/v1/users/{id}/profile"] == told["/v1/users/{id}/export"] == "No such user."
    assert told["/v1/items/{id}"] == told["/v1/items/{id}/understanding"] == "No such item."
    assert all(text.startswith("No such ") for text in told.values())


def test_operation_ids_are_unique() -> None:
    ids = [o["operationId"] for methods in DOCUMENT["paths"].values() for o in methods.values()]

    assert len(set(ids)) == len(ids)


async def test_the_documentation_page_needs_no_other_site(client: httpx.AsyncClient) -> None:
    home = await client.get("/")
    page = await client.get("/docs")

    assert home.headers["location"] == "/docs"
    assert page.headers["content-type"] == "text/html; charset=utf-8"
    assert not re.search(r"(src|href)=\"(https?:)?//", page.text)


@pytest.mark.case(8)
async def test_the_policy_allows_the_page_s_own_script_and_style_only(
    client: httpx.AsyncClient,
) -> None:
    page = await client.get("/docs")

    policy = page.headers["content-security-policy"]
    for tag in ("script", "style"):
        (inside,) = re.findall(rf"<{tag}>(.*?)</{tag}>", page.text, re.DOTALL)
        digest = base64.b64encode(hashlib.sha256(inside.encode()).digest()).decode()
        assert f"{tag}-src 'sha256-{digest}'" in policy
    assert policy.startswith("default-src 'none';")
    assert "unsafe" not in policy


@pytest.mark.case(8)
def test_the_page_inserts_text_never_markup() -> None:
    script = docs.PAGE.decode()

    for word in ("innerHTML", "outerHTML", "insertAdjacentHTML", "document.write", "eval("):
        assert word not in script


def test_an_issuer_that_is_set_is_in_the_document() -> None:
    document = openapi("https://login.test/shop")

    scheme = document["components"]["securitySchemes"]["oidc"]
    assert scheme["openIdConnectUrl"] == "https://login.test/shop/.well-known/openid-configuration"
    ways = document["paths"]["/v1/events"]["post"]["security"]
    assert ways == [{"bearer": ["events"]}, {"header": ["events"]}, {"oidc": ["events"]}]
    assert "oidc" not in openapi()["components"]["securitySchemes"]
