"""A whole HTTP application over a site in memory, and a client of it without a socket."""

from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import UTC, datetime

import httpx
import pytest
from starlette.applications import Starlette

from clickwise.items import parse_item
from clickwise.settings import load
from clickwise.testing.doors import MemorySite, StoppedClock
from clickwise.testing.keys import MemoryKeys
from serving.app import create_app
from serving.parts import Health, Parts, nothing

NOW = datetime(2026, 11, 25, 8, 30, tzinfo=UTC)

Step = Callable[[], Awaitable[None]]
AppOf = Callable[..., Starlette]


@pytest.fixture
def site() -> MemorySite:
    """Three items, no events."""
    made = MemorySite(StoppedClock(NOW))
    for name in ("a", "b", "c"):
        item, _ = parse_item({"kind": "news", "title": name.upper()}, received=NOW, item=name)
        made.items.items[item.id] = item
    return made


@pytest.fixture
def health() -> list[Health]:
    return [Health(name="database", ok=True)]


@pytest.fixture
def keys() -> MemoryKeys:
    """The database's keys: none. The application reads them when it is made."""
    return MemoryKeys()


@pytest.fixture
def app_of(site: MemorySite, health: list[Health], keys: MemoryKeys) -> AppOf:
    """Makes the application with some settings changed."""

    def make(on_start: Step = nothing, on_stop: Step = nothing, **overrides: object) -> Starlette:
        parts = Parts(
            settings=load({}, stream_poll_seconds=0.01, **overrides),
            recommender=site.recommender,
            state=site.lookups,
            events=site.events,
            items=site.items,
            exposures=site.exposures,
            people=site.people,
            clock=site.clock,
            health=lambda: health,
            keys=keys,
            on_start=on_start,
            on_stop=on_stop,
        )
        return create_app(parts, heartbeat_seconds=0.05)

    return make


@pytest.fixture
def client_of() -> Callable[[Starlette], httpx.AsyncClient]:
    def make(app: Starlette) -> httpx.AsyncClient:
        transport = httpx.ASGITransport(app=app, raise_app_exceptions=False)
        return httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1")

    return make


@pytest.fixture
async def client(
    app_of: AppOf, client_of: Callable[[Starlette], httpx.AsyncClient]
) -> AsyncIterator[httpx.AsyncClient]:
    """A client of an application with no keys set."""
    async with client_of(app_of()) as made:
        yield made
