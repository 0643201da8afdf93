"""A stranger's request of every kind, against every address that the application has.

The addresses come from the routes of the application itself: one that is added is asked too, by
what its `Operation` says of itself. Whatever is refused has the status of the page, is counted,
and is named in the audit log; nothing that was presented is in what the process says.
"""

import json
import logging
import time
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import httpx
import pytest
from prometheus_client import REGISTRY
from starlette.routing import Route

from clickwise import logs
from clickwise.access import ALL_SCOPES, Scope, id_of
from clickwise.audit import AuditLog
from clickwise.clock import SystemClock
from clickwise.settings import load
from clickwise.testing.doors import MemorySite
from clickwise.testing.issuer import IssuerKey, OidcIssuer
from clickwise.testing.keys import MemoryKeys
from serving.app import create_app
from serving.gate import Gate
from serving.operation import Operation
from serving.parts import Parts
from serving.routes import OPERATIONS
from serving.tokens import name_of

MAX_BODY = 4_096
SUBJECT = "somebody@mail.test"
JSON = {"content-type": "application/json"}
METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "PROPFIND")


@dataclass
class Place:
    """One application with an issuer, everybody's keys and tokens, and what it says."""

    client: httpx.AsyncClient
    operations: list[Operation]
    keys: dict[str, str]
    audit: AuditLog
    said: list[dict[str, Any]] = field(default_factory=list)
    stored: dict[frozenset[Scope], str] = field(default_factory=dict)

    def key_for(self, *scopes: Scope) -> str:
        """One with these scopes and no other."""
        return self.stored[frozenset(scopes)]

    def key_of(self, operation: Operation) -> str:
        """One that opens this operation, and no more than it has to."""
        assert operation.scope is not None
        return self.key_for(operation.scope, *operation.also)

    async def ask(self, method: str, path: str, key: str | None, **more: Any) -> httpx.Response:
        headers = dict(more.pop("headers", {}))
        if key is not None:
            headers["authorization"] = f"Bearer {key}"
        url = path.replace("{id}", "stranger-asked-for-this")
        return await self.client.request(method, url, headers=headers, **more)


@pytest.fixture(scope="module")
def issuer(tmp_path_factory: pytest.TempPathFactory) -> Iterator[OidcIssuer]:
    with OidcIssuer(tmp_path_factory.mktemp("issuer")) as made:
        yield made


@pytest.fixture
async def place(issuer: OidcIssuer) -> AsyncIterator[Place]:
    clock = SystemClock()
    site, stored = MemorySite(clock), MemoryKeys()
    now = clock.now()
    wanted = {frozenset({scope}) for scope in Scope}
    wanted |= {frozenset({one.scope, *one.also}) for one in OPERATIONS if one.scope is not None}
    scoped = {scopes: stored.make(*scopes, now=now) for scopes in wanted}
    keys = {
        "expired": stored.make(*ALL_SCOPES, now=now, expires=now - timedelta(seconds=1)),
        "revoked": stored.make(*ALL_SCOPES, now=now),
        "slow": stored.make(Scope.ADMIN, now=now, rate=0.001),
        "spent": stored.make(Scope.ADMIN, now=now, quota=1),
        "unknown": "cw_" + "0" * 12 + "_" + "ab" * 32,
        "expired token": issuer.token(exp=time.time() - 120, scope="clickwise:admin"),
        "early token": issuer.token(nbf=time.time() + 600, scope="clickwise:admin"),
        "token of another": issuer.token(key=IssuerKey("first"), scope="clickwise:admin"),
        "token for another": issuer.token(aud="other", scope="clickwise:admin"),
        "token without scopes": issuer.token(scope="openid profile"),
    }
    stored.revoke(id_of(keys["revoked"]) or "", at=now)
    app = create_app(
        Parts(
            settings=load(issuer.environment, max_body_bytes=MAX_BODY),
            recommender=site.recommender, state=site.lookups, events=site.events,
            items=site.items, exposures=site.exposures, people=site.people, clock=clock,
            health=list, keys=stored,
        )
    )  # fmt: skip
    operations = []
    for route in app.routes:
        assert isinstance(route, Route)
        assert isinstance(route.app, Gate), f"{route.path} is not behind the gate"
        operations += [o for m, o in route.app._operations.items() if m != "HEAD"]
    client = httpx.AsyncClient(transport=httpx.ASGITransport(app=app), base_url="http://shop.test")
    audit = app.router.default._door.audit
    made = Place(client, operations, keys, audit, stored=scoped)

    class Keep(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            assert isinstance(record.msg, dict)
            made.said.append(record.msg)

    handler = Keep()
    logging.getLogger("clickwise.audit").addHandler(handler)
    async with app.router.lifespan_context(app), client:
        yield made
    logging.getLogger("clickwise.audit").removeHandler(handler)


def refusals() -> dict[tuple[str, str], float]:
    return {
        (sample.labels["scope"], sample.labels["reason"]): sample.value
        for metric in REGISTRY.collect()
        if metric.name == "clickwise_refused_requests"
        for sample in metric.samples
        if sample.name.endswith("_total")
    }


async def refused(
    place: Place, asked: Any, *, status: int, scope: str, reason: str, who: str | None
) -> httpx.Response:
    """Ask, and check that it was refused as the page says, counted once and named."""
    before = refusals()
    place.audit.flush()  # the next one of each kind has a line of its own again
    place.said.clear()

    answer: httpx.Response = await asked

    where = f"{answer.request.method} {answer.request.url.path}"
    assert answer.status_code == status, f"{where}: {answer.status_code} {answer.text[:200]}"
    after = refusals()
    grown = {kind: count - before.get(kind, 0) for kind, count in after.items()}
    assert {kind: n for kind, n in grown.items() if n} == {(scope, reason): 1.0}, where
    named = [line for line in place.said if line["request_id"] == answer.headers["x-request-id"]]
    assert len(named) == 1, where
    assert (named[0]["outcome"], named[0]["reason"], named[0]["status"]) == (
        "refused", reason, status,
    )  # fmt: skip
    if who is not None:
        assert named[0]["key"] == who
    body = json.loads(answer.text)
    assert body["request_id"] == answer.headers["x-request-id"]
    return answer


def guarded(place: Place) -> list[Operation]:
    found = [one for one in place.operations if one.scope is not None]
    assert len(found) >= 14
    return found


def body_of(operation: Operation) -> dict[str, Any]:
    return {"json": {}} if operation.request is not None else {}


STRANGERS: dict[str, tuple[str | None, int, str, str]] = {
    "no key": (None, 401, "no_key", "none"),
    "an unknown key": ("unknown", 401, "unknown_key", "unknown"),
    "an expired key": ("expired", 401, "expired", "its own"),
    "a revoked key": ("revoked", 401, "revoked", "its own"),
    "an expired token": ("expired token", 401, "expired", "unknown"),
    "an early token": ("early token", 401, "not_yet", "unknown"),
    "a token of another": ("token of another", 401, "bad_token", "unknown"),
    "a token for another": ("token for another", 401, "wrong_audience", "unknown"),
    "a token without scopes": ("token without scopes", 403, "wrong_scope", name_of(SUBJECT)),
}


@pytest.mark.case(20)
@pytest.mark.parametrize("kind", STRANGERS)
async def test_who_may_not_is_refused_everywhere(place: Place, kind: str) -> None:
    name, status, reason, who = STRANGERS[kind]
    key = place.keys[name] if name is not None else None
    own = id_of(key or "") if who == "its own" else who

    for operation in guarded(place):
        assert operation.scope is not None
        await refused(
            place,
            place.ask(operation.method, operation.path, key, **body_of(operation)),
            status=status, scope=operation.scope, reason=reason, who=own,
        )  # fmt: skip


@pytest.mark.case(20)
async def test_every_other_scope_is_refused_everywhere(place: Place) -> None:
    for operation in guarded(place):
        assert operation.scope is not None
        for scope in ALL_SCOPES - {Scope.ADMIN, operation.scope}:
            key = place.key_for(scope)
            await refused(
                place,
                place.ask(operation.method, operation.path, key, **body_of(operation)),
                status=403, scope=operation.scope, reason="wrong_scope", who=id_of(key),
            )  # fmt: skip


@pytest.mark.case(20)
async def test_of_two_scopes_one_alone_is_refused(place: Place) -> None:
    both = [one for one in guarded(place) if one.also]
    assert both

    for operation in both:
        assert operation.scope is not None
        for scope in (operation.scope, *operation.also):
            key = place.key_for(scope)
            await refused(
                place,
                place.ask(operation.method, operation.path, key, **body_of(operation)),
                status=403, scope=operation.scope, reason="wrong_scope", who=id_of(key),
            )  # fmt: skip


@pytest.mark.case(20)
async def test_another_method_and_an_unknown_address_are_refused(place: Place) -> None:
    key = place.key_for(Scope.ADMIN)
    paths = {
        one.path: {o.method for o in place.operations if o.path == one.path}
        for one in place.operations
    }

    for path, known in paths.items():
        open_to_all = all(one.scope is None for one in place.operations if one.path == path)
        for method in set(METHODS) - known:
            who = "none" if open_to_all else id_of(key)
            answer = await refused(
                place, place.ask(method, path, key),
                status=405, scope="none", reason="method_not_allowed", who=who,
            )  # fmt: skip
            assert set(answer.headers["allow"].split(", ")) - {"HEAD"} == known
            if not open_to_all:
                await refused(
                    place, place.ask(method, path, None),
                    status=401, scope="none", reason="no_key", who="none",
                )  # fmt: skip
    for path in ("/v1/nothing", "/admin", "/v1/items/a/b/c", "/.git/config", "/v1/%2e%2e/metrics"):
        await refused(
            place, place.ask("GET", path, None),
            status=401, scope="none", reason="no_key", who="none",
        )  # fmt: skip
        assert (await place.ask("GET", path, key)).status_code == 404


BAD_BODIES: dict[str, tuple[dict[str, Any], int, str]] = {
    "oversized": ({"content": b" " * (MAX_BODY + 1), "headers": JSON}, 413, "too_large"),
    "malformed": ({"content": b'{"', "headers": JSON}, 422, "invalid"),
    "no object": ({"content": b"[[]]", "headers": JSON}, 422, "invalid"),
    "no UTF-8": ({"content": b'{"a": "\xff"}', "headers": JSON}, 422, "invalid"),
    "nested": ({"content": b"[" * 4_000, "headers": JSON}, 422, "invalid"),
    "empty": ({"content": b"", "headers": JSON}, 422, "invalid"),
    "another type": (
        {"content": b"{}", "headers": {"content-type": "text/plain"}}, 415,
        "unsupported_media_type",
    ),
    "no type": ({"content": b"{}"}, 415, "unsupported_media_type"),
    "compressed": (
        {"content": b"{}", "headers": {**JSON, "content-encoding": "gzip"}}, 415,
        "unsupported_media_type",
    ),
    "another charset": (
        {"content": b"{}", "headers": {"content-type": "application/json; charset=utf-16"}}, 415,
        "unsupported_media_type",
    ),
}  # fmt: skip


@pytest.mark.case(20)
@pytest.mark.parametrize("kind", BAD_BODIES)
async def test_a_body_that_cannot_be_is_refused_wherever_one_is_read(
    place: Place, kind: str
) -> None:
    more, status, reason = BAD_BODIES[kind]
    reading = [one for one in guarded(place) if one.request is not None]
    assert len(reading) >= 4

    for operation in reading:
        assert operation.scope is not None
        key = place.key_of(operation)
        await refused(
            place, place.ask(operation.method, operation.path, key, **more),
            status=status, scope=operation.scope, reason=reason, who=id_of(key),
        )  # fmt: skip


@pytest.mark.case(20)
async def test_an_address_that_cannot_be_is_refused_wherever_one_has_an_id(place: Place) -> None:
    with_id = [one for one in guarded(place) if "{id}" in one.path]
    assert len(with_id) >= 8

    for operation in with_id:
        assert operation.scope is not None
        key = place.key_of(operation)
        for wrong in ("%00", "%ff", "a" * 300):
            path = operation.path.replace("{id}", wrong)
            await refused(
                place, place.ask(operation.method, path, key, **body_of(operation)),
                status=422, scope=operation.scope, reason="invalid",
                who=id_of(key),
            )  # fmt: skip


@pytest.mark.case(20)
async def test_who_asks_too_often_is_refused_everywhere(place: Place) -> None:
    slow = place.keys["slow"]
    await place.ask("GET", "/metrics", slow)  # all that it may

    for operation in guarded(place):
        assert operation.scope is not None
        answer = await refused(
            place, place.ask(operation.method, operation.path, slow, **body_of(operation)),
            status=429, scope=operation.scope, reason="rate_limited", who=id_of(slow),
        )  # fmt: skip
        assert int(answer.headers["retry-after"]) >= 1


@pytest.mark.case(20)
async def test_who_has_made_the_requests_of_the_day_is_refused_everywhere(place: Place) -> None:
    spent = place.keys["spent"]
    await place.ask("GET", "/metrics", spent)  # all that it may

    for operation in guarded(place):
        assert operation.scope is not None
        answer = await refused(
            place, place.ask(operation.method, operation.path, spent, **body_of(operation)),
            status=429, scope=operation.scope, reason="quota_exhausted", who=id_of(spent),
        )  # fmt: skip
        assert int(answer.headers["retry-after"]) >= 1


def secret_part(presented: str) -> str:
    """What alone opens something: a key's last part, or a token's signature."""
    last = presented.rsplit("_" if presented.startswith("cw_") else ".", 1)[-1]
    assert len(last) >= 43  # 32 bytes or more
    return last


@pytest.mark.case(20)
async def test_nothing_presented_is_in_what_is_said_or_shown(
    place: Place, capfd: pytest.CaptureFixture[str]
) -> None:
    logs.configure(level="debug", output="json")
    for operation in place.operations:
        for key in place.keys.values():
            for headers in ({"authorization": f"Bearer {key}"}, {"x-api-key": key}):
                await place.client.request(
                    operation.method, operation.path.replace("{id}", "x"), headers=headers
                )
    figures = (await place.ask("GET", "/metrics", place.key_for(Scope.OPERATE))).text
    logs.configure(level="info", output="console")

    told = capfd.readouterr()
    everything = told.out + told.err + figures + str(place.said)
    assert "refused" in everything  # something was said
    for name, secret in place.keys.items():
        for part in (secret, secret_part(secret)):
            assert part not in everything, name
    assert SUBJECT not in everything
