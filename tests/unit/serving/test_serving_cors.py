"""Pages of other sites: refused unless their origin is listed, and never with credentials."""

from collections.abc import Callable

import httpx
import pytest
from starlette.applications import Starlette

AppOf = Callable[..., Starlette]
ClientOf = Callable[[Starlette], httpx.AsyncClient]

KEY = "a-key-of-the-test-suite"
SHOP = "https://shop.test"
PREFLIGHT = {"access-control-request-method": "POST"}


def cors_headers(answer: httpx.Response) -> dict[str, str]:
    return {
        name: value for name, value in answer.headers.items() if name.startswith("access-control")
    }


@pytest.mark.case(20)
async def test_no_origin_is_allowed_unless_one_is_set(app_of: AppOf, client_of: ClientOf) -> None:
    async with client_of(app_of(api_keys=KEY)) as client:
        client.headers["x-api-key"] = KEY
        preflight = await client.options("/v1/events", headers={"origin": SHOP, **PREFLIGHT})
        asked = await client.get("/v1/items/a", headers={"origin": SHOP})

    assert preflight.status_code == 405
    assert cors_headers(preflight) == cors_headers(asked) == {}


async def test_a_listed_origin_may_ask_by_key_and_is_told_so(
    app_of: AppOf, client_of: ClientOf
) -> None:
    app = app_of(api_keys=KEY, cors_origins=f"{SHOP}, https://news.test")
    async with client_of(app) as client:
        preflight = await client.options("/v1/events", headers={"origin": SHOP, **PREFLIGHT})
        asked = await client.get("/v1/items/a", headers={"origin": SHOP, "x-api-key": KEY})
        refused = await client.get("/v1/items/a", headers={"origin": SHOP})

    assert preflight.status_code == 204
    allowed = preflight.headers["access-control-allow-headers"]
    assert "x-api-key" in allowed
    assert "authorization" in allowed
    assert (asked.status_code, refused.status_code) == (200, 401)
    for answer in (preflight, asked, refused):  # a page may read why it was refused
        assert answer.headers["access-control-allow-origin"] == SHOP
        assert answer.headers["vary"] == "origin"
        assert "access-control-allow-credentials" not in answer.headers


@pytest.mark.case(20)
@pytest.mark.parametrize(
    "origin", ["https://evil.test", "https://shop.test.evil.test", "http://shop.test", "null", "*"]
)
async def test_another_origin_is_as_if_none_were_set(
    app_of: AppOf, client_of: ClientOf, origin: str
) -> None:
    async with client_of(app_of(api_keys=KEY, cors_origins=SHOP)) as client:
        preflight = await client.options("/v1/events", headers={"origin": origin, **PREFLIGHT})
        asked = await client.get("/v1/items/a", headers={"origin": origin, "x-api-key": KEY})

    assert preflight.status_code == 401
    assert cors_headers(preflight) == cors_headers(asked) == {}
    assert asked.headers["vary"] == "origin"


async def test_a_page_without_a_key_is_not_answered_on_this_machine_either(
    app_of: AppOf, client_of: ClientOf
) -> None:
    async with client_of(app_of(cors_origins=SHOP)) as client:
        asked = await client.get(
            "/v1/items/a", headers={"origin": SHOP, "sec-fetch-site": "cross-site"}
        )

    assert asked.status_code == 403
