"""Whatever strangers send, no label value is theirs: figures and log fields stay a small set."""

import random
import re
from collections.abc import Callable

import httpx
import pytest
from prometheus_client import REGISTRY
from starlette.applications import Starlette

AppOf = Callable[..., Starlette]
ClientOf = Callable[[Starlette], httpx.AsyncClient]

PATHS = (
    "/v1/users/{}/recommendations", "/v1/users/{}/profile", "/v1/users/{}/export",
    "/v1/items/{}", "/v1/recommendations/{}/why", "/{}", "/v1/{}", "/docs/{}",
)  # fmt: skip
ROUTE = re.compile(r"((GET|PUT|POST|DELETE) )?/[a-z0-9/{}._-]*|unmatched")
METHODS = ("GET", "POST", "PUT", "DELETE", "PATCH", "OPTIONS", "BREW")
ROUNDS = 3
SENT_IN_A_ROUND = 300


def series() -> set[tuple[str, tuple[tuple[str, str], ...]]]:
    """Every sample there is: its name and its labels."""
    return {
        (sample.name, tuple(sorted(sample.labels.items())))
        for metric in REGISTRY.collect()
        for sample in metric.samples
    }


def garbage(draw: random.Random) -> str:
    letters = "abcXYZ0189-_.~\u79d1\u00e9\U0001f600"
    return "zqmark" + "".join(draw.choice(letters) for _ in range(draw.randint(1, 40)))


async def send(client: httpx.AsyncClient, draw: random.Random) -> None:
    """One request of a stranger's: any method and address, any ids, keys, headers and bodies."""
    name = garbage(draw)
    event = {
        "id": garbage(draw), "user": name, "item": garbage(draw), "time": draw.choice([0, name]),
        "type": draw.choice(["click", "view", name]), name: name,
    }  # fmt: skip
    item = {"id": name, "kind": draw.choice(["news", name]), "title": name, "topics": [name]}
    sent = draw.choice([None, {"events": [event]}, {"items": [item]}, event, [name]])
    path = draw.choice([*PATHS, "/v1/events", "/v1/items"]).format(name)
    await client.request(
        draw.choice(METHODS),
        path,
        json=sent,
        params=draw.choice([None, {name: name}, {"limit": name}, {"kinds": name}]),
        headers=draw.choice(
            [
                {},
                {"authorization": f"Bearer {garbage(draw).encode().hex()}"},
                {"content-type": name.encode().hex(), "x-request-id": name.encode().hex()},
                {"user-agent": name.encode().hex(), "origin": "http://a.example"},
            ]
        ),
    )


@pytest.mark.parametrize("given", ["", "a-key-of-this-test-1,a-key-of-this-test-2"])
async def test_many_users_items_addresses_and_garbage_make_no_new_series(
    app_of: AppOf, client_of: ClientOf, given: str
) -> None:
    draw = random.Random(20)
    grown = []
    async with client_of(app_of(api_keys=given)) as client:
        for _ in range(ROUNDS):
            before = series()
            for _ in range(SENT_IN_A_ROUND):
                await send(client, draw)
            grown.append(len(series() - before))

    strange = [one for one in series() if any("zqmark" in value for _, value in one[1])]
    assert strange == []
    # Each combination of route and status is seen in the first rounds, and there are few of them.
    assert grown[-1] <= 20, grown
    routes = {
        dict(labels)["route"]
        for name, labels in series()
        if name == "clickwise_requests_total" and "route" in dict(labels)
    }
    assert all(ROUTE.fullmatch(one) for one in routes), routes


async def test_the_audit_log_names_strangers_by_a_few_words(
    app_of: AppOf, client_of: ClientOf, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO", logger="clickwise.audit")
    draw = random.Random(21)

    async with client_of(app_of(api_keys="a-key-of-this-test-1")) as client:
        for _ in range(SENT_IN_A_ROUND):
            await send(client, draw)

    lines = [record.msg for record in caplog.records if record.name == "clickwise.audit"]
    said = {field: {str(line[field]) for line in lines} for field in ("key", "outcome", "reason")}
    assert said == {
        "key": {"none", "unknown"}, "outcome": {"refused"}, "reason": {"no_key", "unknown_key"},
    }  # fmt: skip
    assert all(ROUTE.fullmatch(line["action"]) for line in lines)
