"""Bearer tokens of an issuer that runs beside the test, signs real tokens and speaks HTTPS."""

import asyncio
import base64
import hashlib
import hmac
import json
import time
from collections.abc import AsyncIterator, Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from starlette.applications import Starlette

from clickwise.access import Scope, scopes_by_value
from clickwise.cli.access_checks import issuer as checked
from clickwise.clock import SystemClock
from clickwise.errors import ConfigurationError, UnavailableError
from clickwise.settings import Settings, load
from clickwise.testing.doors import MemorySite
from clickwise.testing.issuer import AUDIENCE, IssuerKey, OidcIssuer
from clickwise.testing.keys import MemoryKeys
from serving.app import create_app
from serving.callers import Tokens
from serving.discovery import fetch_keys
from serving.errors import UnknownKeyError
from serving.issuer import IssuerKeys
from serving.parts import Parts
from serving.tokens import TokenRules

DEADLINE = 20.0
READ = "/v1/users/ann/recommendations"


@pytest.fixture
def issuer(tmp_path: Path) -> Iterator[OidcIssuer]:
    with OidcIssuer(tmp_path) as made:
        yield made


@pytest.fixture
def keys() -> MemoryKeys:
    return MemoryKeys()


@pytest.fixture
def site() -> MemorySite:
    return MemorySite(SystemClock())


def app_of(site: MemorySite, settings: Settings, keys: MemoryKeys) -> Starlette:
    return create_app(
        Parts(
            settings=settings, recommender=site.recommender, state=site.lookups,
            events=site.events, items=site.items, exposures=site.exposures, people=site.people,
            clock=site.clock, health=list, keys=keys,
        )
    )  # fmt: skip


Started = Callable[..., Any]


@pytest.fixture
async def start(site: MemorySite, keys: MemoryKeys, issuer: OidcIssuer) -> AsyncIterator[Started]:
    """Starts a server that takes the issuer's tokens; a client of it."""
    stack = []

    async def run(**overrides: str) -> httpx.AsyncClient:
        app = app_of(site, load(issuer.environment, **overrides), keys)
        context = app.router.lifespan_context(app)
        await context.__aenter__()
        client = httpx.AsyncClient(
            transport=httpx.ASGITransport(app=app), base_url="http://shop.test"
        )
        stack.append((context, client))
        return client

    yield run
    for context, client in stack:
        await client.aclose()
        await context.__aexit__(None, None, None)


async def get(client: httpx.AsyncClient, token: str, path: str = READ) -> httpx.Response:
    return await client.get(path, headers={"authorization": f"Bearer {token}"})


def part(value: object) -> str:
    return base64.urlsafe_b64encode(json.dumps(value).encode()).rstrip(b"=").decode()


def unsigned(issuer: OidcIssuer, **header: object) -> str:
    """A good token's claims under another header, with no signature."""
    return f"{part(header)}.{issuer.token().split('.')[1]}."


def signed_with_the_public_key(issuer: OidcIssuer) -> str:
    """HS256 with the issuer's public key as the secret: the old trick."""
    body = unsigned(issuer, alg="HS256", typ="JWT", kid="first").rstrip(".")
    private = issuer.keys[0].private
    assert isinstance(private, rsa.RSAPrivateKey)
    public = private.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    seal = hmac.new(public, body.encode(), hashlib.sha256).digest()
    return f"{body}.{base64.urlsafe_b64encode(seal).rstrip(b'=').decode()}"


def tampered(issuer: OidcIssuer) -> str:
    """The signature of a good token over claims with more in them."""
    header, claims, signature = issuer.token().split(".")
    more = json.loads(base64.urlsafe_b64decode(claims + "=" * (-len(claims) % 4)))
    return f"{header}.{part({**more, 'scope': 'clickwise:admin'})}.{signature}"


Make = Callable[[OidcIssuer], str]
BAD: dict[str, tuple[Make, int, str]] = {
    "expired": (lambda i: i.token(exp=time.time() - 120), 401, "expired"),
    "not yet valid": (lambda i: i.token(nbf=time.time() + 120), 401, "not_yet"),
    "of the future": (lambda i: i.token(iat=time.time() + 120), 401, "not_yet"),
    "of another issuer": (lambda i: i.token(iss="https://other.test"), 401, "wrong_issuer"),
    "of an issuer with a slash more": (lambda i: i.token(iss=f"{i.url}/"), 401, "wrong_issuer"),
    "for another audience": (lambda i: i.token(aud=["other"]), 401, "wrong_audience"),
    "without an audience": (lambda i: i.token(aud=None), 401, "bad_token"),
    "without an end": (lambda i: i.token(exp=None), 401, "bad_token"),
    "without a subject": (lambda i: i.token(sub=None), 401, "bad_token"),
    "with an end that is no number": (lambda i: i.token(exp=1e300), 401, "bad_token"),
    "of another key": (lambda i: i.token(key=IssuerKey("first")), 401, "bad_token"),
    "of another kind": (lambda i: i.token(key=IssuerKey("first", "ES256")), 401, "bad_token"),
    "tampered with": (tampered, 401, "bad_token"),
    "alg none": (lambda i: unsigned(i, alg="none", kid="first"), 401, "bad_token"),
    "alg NONE": (lambda i: unsigned(i, alg="NoNe", kid="first"), 401, "bad_token"),
    "no signature": (lambda i: unsigned(i, alg="RS256", kid="first"), 401, "bad_token"),
    "HS256 with the public key": (signed_with_the_public_key, 401, "bad_token"),
    "an unknown key": (lambda i: i.token(key=IssuerKey("nobody's")), 401, "unknown_signer"),
    "its own key inside": (
        lambda i: i.token(key=(k := IssuerKey("own")), headers={"jwk": k.public}),
        401, "unknown_signer",
    ),
    "a logout token": (lambda i: i.token(headers={"typ": "logout+jwt"}), 401, "bad_token"),
    "bound to the client": (lambda i: i.token(cnf={"jkt": "x"}), 401, "bad_token"),
    "too long": (lambda i: i.token(more="x" * 9_000), 401, "bad_token"),
    "malformed": (lambda _: "eyJ.eyJ.", 401, "bad_token"),
    "no base64": (lambda _: "eyJ!.é.x", 401, "bad_token"),
    "without a scope": (lambda i: i.token(scope=None), 403, "wrong_scope"),
    "of another scope": (lambda i: i.token(scope="clickwise:items openid"), 403, "wrong_scope"),
    "scopes that are no text": (lambda i: i.token(scope=[["clickwise:read"]]), 403, "wrong_scope"),
}  # fmt: skip


@pytest.mark.case(20)
@pytest.mark.parametrize("kind", BAD)
async def test_a_token_that_is_not_good_is_refused_with_its_reason(
    start: Started, issuer: OidcIssuer, kind: str, capfd: pytest.CaptureFixture[str]
) -> None:
    make, status, reason = BAD[kind]
    token = make(issuer)
    client = await start(log_level="debug")

    answer = await client.get(READ, headers=[(b"authorization", f"Bearer {token}".encode())])

    told = capfd.readouterr()
    assert (answer.status_code, answer.headers["www-authenticate"].count("error=")) == (status, 1)
    figures = (await get(client, issuer.token(scope="clickwise:operate"), "/metrics")).text
    assert f'refused_requests_total{{reason="{reason}",scope="read"}}' in figures
    assert token not in told.out + told.err + answer.text
    signature = token.rpartition(".")[2]
    assert len(signature) < 20 or signature not in told.out + told.err


@pytest.mark.parametrize("algorithm", ["RS256", "ES256", "EdDSA"])
async def test_a_good_token_opens_what_its_scopes_say(
    start: Started, issuer: OidcIssuer, algorithm: str
) -> None:
    issuer.rotate(algorithm)
    client = await start()

    reading = issuer.token()
    writing = issuer.token(scope=["clickwise:items", "clickwise:events"])
    put = await client.put(
        "/v1/items/n", json={"kind": "news", "title": "N"},
        headers={"authorization": f"bearer {writing}"},
    )  # fmt: skip

    assert (await get(client, reading)).status_code == 200
    assert (await get(client, writing)).status_code == 403
    assert (await get(client, reading, "/metrics")).status_code == 403
    assert put.status_code == 200


async def test_a_token_just_past_its_end_is_good_for_clocks_that_differ(
    start: Started, issuer: OidcIssuer
) -> None:
    client = await start()

    late = await get(client, issuer.token(exp=time.time() - 5))
    early = await get(client, issuer.token(nbf=time.time() + 5, iat=time.time() + 5))

    assert (late.status_code, early.status_code) == (200, 200)


async def test_claims_of_the_site_are_mapped(start: Started, issuer: OidcIssuer) -> None:
    client = await start(
        oidc_scope_claim="realm_access.roles", oidc_scopes="shop=read,shop=events,ops=operate"
    )
    token = issuer.token(
        realm_access={"roles": ["shop", "offline_access"]}, scope="clickwise:admin"
    )

    event = {"user": "ann", "item": "a", "type": "click"}
    posted = await client.post(
        "/v1/events", json=event, headers={"authorization": f"Bearer {token}"}
    )

    assert (await get(client, token)).status_code == 200
    assert posted.status_code == 200
    assert (await get(client, token, "/metrics")).status_code == 403


async def test_keys_that_the_issuer_changed_are_read_when_a_token_names_one(
    issuer: OidcIssuer,
) -> None:
    keys = IssuerKeys(partial(fetch_keys, load(issuer.environment)), pause_seconds=0.0)
    rules = TokenRules(issuer.url, AUDIENCE, "scope", scopes_by_value(""))
    tokens = Tokens(rules, keys, clock=SystemClock())
    keys.start()
    old = issuer.token()
    before = await tokens.identify(old)

    issuer.rotate()
    after = await tokens.identify(issuer.token())
    with pytest.raises(UnknownKeyError) as refused:
        await tokens.identify(old)

    assert before.scopes == after.scopes == {Scope.READ}
    assert refused.value.reason == "unknown_signer"
    assert issuer.asked <= 4
    keys.stop()


async def test_made_up_keys_do_not_make_the_issuer_be_asked_again_and_again(
    start: Started, issuer: OidcIssuer
) -> None:
    client = await start()
    assert (await get(client, issuer.token())).status_code == 200
    stranger = IssuerKey("")

    answers = [
        await get(client, issuer.token(key=stranger, headers={"kid": f"made-up-{number}"}))
        for number in range(50)
    ]

    assert {one.status_code for one in answers} == {401}
    assert issuer.asked <= 2


@pytest.mark.parametrize("fault", ["hung", "failing", "another's document"])
async def test_an_issuer_that_is_away_costs_keys_nothing_and_says_so_to_tokens(
    start: Started, issuer: OidcIssuer, keys: MemoryKeys, fault: str
) -> None:
    if fault == "hung":
        issuer.hang()
    elif fault == "failing":
        issuer.status = 500
    else:
        issuer.named = "https://other.test"
    key = keys.make(Scope.READ, now=SystemClock().now())
    client = await start()

    async def by_key() -> int:
        return (await client.get(READ, headers={"x-api-key": key})).status_code

    waiting = asyncio.create_task(get(client, issuer.token()))
    # Each of these is answered while the token still waits, or after it where it need not wait.
    statuses = [await by_key() for _ in range(20)]
    done_before = fault == "hung" and waiting.done()
    answer = await asyncio.wait_for(waiting, DEADLINE)

    assert statuses == [200] * 20
    assert not done_before
    assert answer.status_code == 503
    assert int(answer.headers["retry-after"]) >= 1
    issuer.resume()


async def test_keys_that_were_read_open_while_the_issuer_is_away(
    start: Started, issuer: OidcIssuer
) -> None:
    client = await start()
    token = issuer.token()
    assert (await get(client, token)).status_code == 200

    issuer.hang()

    assert (await get(client, issuer.token(sub="another"))).status_code == 200
    issuer.resume()


async def test_a_replayed_event_counts_once(
    start: Started, issuer: OidcIssuer, site: MemorySite
) -> None:
    client = await start()
    event = {"id": "e-1", "user": "ann", "item": "a", "type": "click"}
    headers = {"authorization": f"Bearer {issuer.token(scope='clickwise:events')}"}

    verdicts = [
        (await client.post("/v1/events", json=event, headers=headers)).json()["results"][0][
            "verdict"
        ]
        for _ in range(3)
    ]

    assert verdicts == ["applied", "duplicate", "duplicate"]
    assert len(site.events.events) == 1


async def test_an_open_stream_ends_with_its_token(
    site: MemorySite, issuer: OidcIssuer, keys: MemoryKeys
) -> None:
    app = app_of(site, load(issuer.environment, stream_poll_seconds=0.01), keys)
    identity = None
    async with app.router.lifespan_context(app):
        callers = app.router.default._door.callers
        ends = time.time() - 28
        headers = [(b"authorization", f"Bearer {issuer.token(exp=ends)}".encode())]
        identity = await callers.identify(headers)
        held = callers.holds(identity)
        async with asyncio.timeout(DEADLINE):
            while callers.holds(identity):  # noqa: ASYNC110  # the clock's effect, no event tells it
                await asyncio.sleep(0.05)

    assert held
    assert identity.key.startswith("oidc-")


def test_the_issuer_is_asked_over_tls_that_its_authority_signed(issuer: OidcIssuer) -> None:
    settings = load(issuer.environment)

    assert list(fetch_keys(settings)) == ["first"]
    with pytest.raises(UnavailableError, match="CERTIFICATE_VERIFY_FAILED"):
        fetch_keys(load({**issuer.environment, "CLICKWISE_OIDC_CA_FILE": ""}))
    with pytest.raises(ConfigurationError, match="CLICKWISE_OIDC_CA_FILE=absent"):
        fetch_keys(load({**issuer.environment, "CLICKWISE_OIDC_CA_FILE": "absent"}))


def test_keys_without_tls_are_not_taken(
    issuer: OidcIssuer, monkeypatch: pytest.MonkeyPatch
) -> None:
    plain = f"http://keys.test/{issuer.url}"
    monkeypatch.setattr(
        issuer, "_answer", lambda _: json.dumps({"issuer": issuer.url, "jwks_uri": plain}).encode()
    )

    with pytest.raises(ConfigurationError, match="no https jwks_uri"):
        fetch_keys(load(issuer.environment))


def test_check_asks_the_issuer_and_says_what_is_wrong(issuer: OidcIssuer) -> None:
    (seen,) = checked(load(issuer.environment))

    assert seen.level == "ok"
    assert seen.text.endswith("answers, with 1 keys")
    issuer.status = 404
    with pytest.raises(UnavailableError, match="status 404"):
        list(checked(load(issuer.environment)))
