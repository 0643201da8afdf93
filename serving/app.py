"""The HTTP application: the table of operations, their gate, and the process's start and end."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from functools import partial
from urllib.parse import quote

from starlette.applications import Starlette
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

from clickwise import codec
from clickwise.access import scopes_by_value
from clickwise.audit import SUM_SECONDS, AuditLog
from clickwise.masking import masking_of
from clickwise.tls import trusting
from serving.admission import Admission
from serving.callers import Callers, Tokens
from serving.cors import AllowedOrigins
from serving.discovery import OIDC_CA_FILE, fetch_keys
from serving.door import Door
from serving.gate import Gate
from serving.health import ReadyProbe
from serving.issuer import IssuerKeys
from serving.keyring import KeyRing
from serving.openapi import openapi
from serving.operation import Operation
from serving.parts import Parts
from serving.quotas import Quotas
from serving.rates import Rates
from serving.routes import OPERATIONS
from serving.shutdown import end_before_stop
from serving.stream import StreamHub
from serving.tokens import TokenRules

HEARTBEAT_SECONDS = 15.0


def create_app(parts: Parts, *, heartbeat_seconds: float = HEARTBEAT_SECONDS) -> Starlette:
    """The ASGI application of one serving process.

    Raises:
        UnavailableError: the database does not tell its keys.
        ConfigurationError: a file that the settings name cannot be read.
    """
    settings = parts.settings
    keys = KeyRing(
        settings.keys,
        parts.keys,
        metrics_keys=settings.keys_of_metrics,
        clock=parts.clock,
        always=settings.closed,
    )
    keys.refresh()
    door = Door(
        parts=parts,
        callers=Callers(keys, _tokens(parts)),
        rates=Rates(settings.key_rate, monotonic=parts.clock.monotonic),
        quotas=Quotas(parts.keys, clock=parts.clock),
        audit=AuditLog(),
        admission=Admission(
            settings.max_in_flight,
            max_wait_seconds=settings.max_wait_seconds,
            monotonic=parts.clock.monotonic,
        ),
        streams=StreamHub(
            parts.state, limit=settings.max_streams, poll_seconds=settings.stream_poll_seconds
        ),
        ready=ReadyProbe(parts.health),
        heartbeat_seconds=heartbeat_seconds,
        document=codec.encode(openapi(settings.oidc_issuer)),
        masking=masking_of(settings.mask),
    )
    by_path: dict[str, dict[str, Operation]] = {}
    for operation in OPERATIONS:
        by_path.setdefault(operation.path, {})[operation.method] = operation
    app = Starlette(
        routes=[Route(path, Gate(door, operations)) for path, operations in by_path.items()],
        lifespan=lambda _: _lifespan(door),
    )
    app.state.turns = door.admission.turns  # for who wants to see what waits
    app.router.redirect_slashes = False
    app.router.default = Gate(door, {})
    app.add_middleware(AsSent)
    if settings.origins:
        app.add_middleware(AllowedOrigins, origins=settings.origins)
    return app


def _tokens(parts: Parts) -> Tokens | None:
    settings = parts.settings
    if not settings.oidc_issuer:
        return None
    rules = TokenRules(
        issuer=settings.oidc_issuer,
        audience=settings.oidc_audience,
        scope_claim=settings.oidc_scope_claim,
        scopes=scopes_by_value(settings.oidc_scopes),
    )
    trusting(settings.oidc_ca_file, OIDC_CA_FILE)  # told at the start, not by the thread
    return Tokens(rules, IssuerKeys(partial(fetch_keys, settings)), clock=parts.clock)


class AsSent:
    """Routes by the path as it was sent, so that `%2F` in an id is not a `/` of the address."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """See the ASGI specification."""
        if scope["type"] == "http":
            raw = scope.get("raw_path")
            scope["path"] = raw.decode("latin-1") if raw else quote(scope["path"])
        await self._app(scope, receive, send)


@contextlib.asynccontextmanager
async def _lifespan(door: Door) -> AsyncIterator[None]:
    await door.parts.on_start()
    door.admission.turns.begin()
    door.streams.begin()
    door.callers.start()
    door.quotas.start()
    polling = asyncio.create_task(door.streams.poll())
    summing = asyncio.create_task(_sum_up(door.audit))
    end_before_stop(partial(_last_words, door))
    try:
        yield
    finally:
        door.streams.end()
        polling.cancel()
        summing.cancel()
        await asyncio.wait({polling, summing})
        await door.admission.turns.end()
        door.audit.flush()
        await asyncio.to_thread(door.callers.stop)
        await asyncio.to_thread(door.quotas.stop)
        await door.parts.on_stop()


def _last_words(door: Door) -> None:
    """What is not put off to the lifespan's end: a client that has sent half a request can hold
    that up until the process is killed.
    """
    door.streams.end()
    door.audit.flush()


async def _sum_up(audit: AuditLog) -> None:
    while True:
        await asyncio.sleep(SUM_SECONDS)
        audit.flush()
