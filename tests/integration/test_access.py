"""Keys of the database over HTTP: servers learn of a change while they run."""

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import httpx
import pytest

from clickwise.access import Scope, digest_of, new_key
from clickwise.clock import SystemClock
from clickwise.settings import load
from clickwise.state.key_port import StoredKey
from clickwise.state.sql import SqlState, open_state
from clickwise.testing.doors import MemorySite
from serving.app import create_app
from serving.parts import Parts

DEADLINE = 20.0


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'state.db'}"
    return str(request.getfixturevalue("postgres_url"))


def opened(url: str) -> SqlState:
    return open_state(url, timeout_seconds=5.0, pool_size=2)


@pytest.fixture
async def servers(url: str) -> AsyncIterator[list[httpx.AsyncClient]]:
    """Two serving processes' worth, each with its own connections."""
    states = [opened(url), opened(url)]
    states[0].migrate()
    site = MemorySite(SystemClock())
    apps = [
        create_app(
            Parts(
                settings=load({}, access="keys"), recommender=site.recommender,
                state=site.lookups, events=site.events, items=site.items,
                exposures=site.exposures, people=site.people, clock=site.clock, health=list,
                keys=state.keys,
            )
        )
        for state in states
    ]  # fmt: skip
    async with (
        apps[0].router.lifespan_context(apps[0]),
        apps[1].router.lifespan_context(apps[1]),
    ):
        clients = [
            httpx.AsyncClient(transport=httpx.ASGITransport(app=app), base_url="http://shop.test")
            for app in apps
        ]
        yield clients
        for client in clients:
            await client.aclose()
    for state in states:
        state.close()


async def until_all_answer(servers: list[httpx.AsyncClient], key: str, status: int) -> None:
    """Every server answers `status` to a request with that key."""
    async with asyncio.timeout(DEADLINE):
        for server in servers:
            while (  # noqa: ASYNC110  # another thread's effect, no event tells it
                await server.get("/metrics", headers={"x-api-key": key})
            ).status_code != status:
                await asyncio.sleep(0.05)


@pytest.mark.case(20)
async def test_running_servers_learn_of_created_rotated_and_revoked_keys(
    servers: list[httpx.AsyncClient], url: str
) -> None:
    state = opened(url)
    old_id, old = new_key()
    new_id, new = new_key()
    now = SystemClock().now()
    first = StoredKey(
        id=old_id, digest=digest_of(old.reveal()), name="ops", scopes=(Scope.OPERATE,), rate=0.0,
        created=now,
    )  # fmt: skip
    second = StoredKey(
        id=new_id, digest=digest_of(new.reveal()), name="ops", scopes=(Scope.OPERATE,), rate=0.0,
        created=now, replaces=old_id,
    )  # fmt: skip

    await until_all_answer(servers, old.reveal(), 401)
    state.keys.add(first)
    await until_all_answer(servers, old.reveal(), 200)
    state.keys.rotate(second, until=now - timedelta(seconds=1))
    await until_all_answer(servers, old.reveal(), 401)
    await until_all_answer(servers, new.reveal(), 200)
    state.keys.revoke(new_id, at=now)
    await until_all_answer(servers, new.reveal(), 401)
    state.close()
