"""Server-sent streams: the present list, then a new one for each change; bounded, clean ends."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any

import httpx
import pytest
from prometheus_client import REGISTRY
from starlette.applications import Starlette

from clickwise.access import Scope
from clickwise.errors import UnavailableError
from clickwise.events import Event
from clickwise.testing.doors import MemorySite, StoppedClock
from clickwise.testing.keys import MemoryKeys
from clickwise.types import EventId, EventType, ItemId, UserId
from serving.stream import StreamHub

AppOf = Callable[..., Starlette]
ClientOf = Callable[[Starlette], httpx.AsyncClient]

DEADLINE = 5.0


class Listener:
    """A client of one stream, spoken to in ASGI: the test says when it reads and leaves."""

    def __init__(self, app: Starlette, path: str, query: str = "", key: str = "") -> None:
        self.status = 0
        self.headers: dict[str, str] = {}
        self.reading = asyncio.Event()
        self.reading.set()
        self._left = asyncio.Event()
        self._pieces: asyncio.Queue[bytes | None] = asyncio.Queue()
        scope = {
            "type": "http",
            "asgi": {"version": "3.0", "spec_version": "2.3"},
            "http_version": "1.1",
            "method": "GET",
            "scheme": "http",
            "path": path,
            "raw_path": path.encode(),
            "query_string": query.encode(),
            "root_path": "",
            "headers": [(b"x-api-key", key.encode())] if key else [],
            "client": ("127.0.0.1", 1),
            "server": ("127.0.0.1", 80),
        }
        self.task = asyncio.create_task(app(scope, self._receive, self._send))

    async def _receive(self) -> dict[str, Any]:
        await self._left.wait()
        return {"type": "http.disconnect"}

    async def _send(self, message: Any) -> None:
        await self.reading.wait()
        if message["type"] == "http.response.start":
            self.status = message["status"]
            self.headers = {k.decode(): v.decode() for k, v in message["headers"]}
            return
        if message.get("body"):
            self._pieces.put_nowait(message["body"])
        if not message.get("more_body", False):
            self._pieces.put_nowait(None)

    async def piece(self) -> str | None:
        """The next piece as sent; None at the end."""
        body = await asyncio.wait_for(self._pieces.get(), DEADLINE)
        return None if body is None else body.decode()

    async def answer(self) -> tuple[str, dict[str, Any]]:
        """Id and data of the next list; comments and `retry` are passed over."""
        while True:
            piece = await self.piece()
            assert piece is not None, "the stream ended"
            if "event: recommendations\n" in piece:
                number, data = piece.partition("event: recommendations\n")[2].splitlines()[:2]
                return number.removeprefix("id: "), json.loads(data.removeprefix("data: "))

    async def rest(self) -> list[str]:
        """Every piece up to the end."""
        pieces = []
        while (piece := await self.piece()) is not None:
            pieces.append(piece)
        return pieces

    async def leave(self) -> None:
        self._left.set()
        await asyncio.wait_for(self.task, DEADLINE)


@asynccontextmanager
async def running(app: Starlette) -> AsyncIterator[Starlette]:
    async with app.router.lifespan_context(app):
        yield app


async def click(site: MemorySite, number: int, item: str = "a", user: str = "ann") -> None:
    event = Event(
        id=EventId(f"{user}-{number}"),
        user=UserId(user),
        item=ItemId(item),
        type=EventType.CLICK,
        time=site.clock.now(),
    )
    await site.events.post([event])


def streams_open() -> float:
    return REGISTRY.get_sample_value("clickwise_streams_open") or 0.0


async def until(condition: Any) -> None:
    async with asyncio.timeout(DEADLINE):
        while not condition():  # noqa: ASYNC110  # another task's effect, no event tells it
            await asyncio.sleep(0.001)


async def test_the_present_list_comes_first_and_a_new_one_after_a_click(
    app_of: AppOf, site: MemorySite
) -> None:
    async with running(app_of()) as app:
        listener = Listener(app, "/v1/users/ann/stream", "limit=2")
        first_id, first = await listener.answer()
        await click(site, 1, item="c")
        second_id, second = await listener.answer()
        await listener.leave()

    assert listener.status == 200
    assert listener.headers["content-type"].startswith("text/event-stream")
    assert listener.headers["x-content-type-options"] == "nosniff"
    assert (first_id, second_id) == ("0", "1")
    assert [item["item"] for item in first["items"]] == ["c", "b"]
    assert [item["item"] for item in second["items"]] == ["b", "a"]


async def test_each_list_of_a_stream_is_logged_as_shown(app_of: AppOf, site: MemorySite) -> None:
    async with running(app_of()) as app:
        listener = Listener(app, "/v1/users/ann/stream")
        await listener.answer()
        await click(site, 1)
        await listener.answer()
        await listener.leave()

    assert len(site.exposures.exposures) == 2


async def test_somebody_else_s_click_sends_nothing(app_of: AppOf, site: MemorySite) -> None:
    async with running(app_of()) as app:
        listener = Listener(app, "/v1/users/ann/stream")
        await listener.answer()
        await click(site, 1, user="bob")
        await click(site, 1, user="ann")
        number, _ = await listener.answer()
        await listener.leave()

    assert number == "1"
    assert len(site.recommender.asked) == 2


@pytest.mark.case(20)
async def test_a_stream_ends_with_the_key_that_it_was_opened_with(
    app_of: AppOf, site: MemorySite, keys: MemoryKeys
) -> None:
    assert isinstance(site.clock, StoppedClock)
    now = site.clock.now()
    key = keys.make(Scope.READ, now=now, expires=now + timedelta(hours=1))
    async with running(app_of()) as app:
        listener = Listener(app, "/v1/users/ann/stream", key=key)
        await listener.answer()
        await click(site, 1)
        number, _ = await listener.answer()
        site.clock.time = now + timedelta(hours=1)
        await click(site, 2)
        async with asyncio.timeout(DEADLINE):  # comments would go on
            rest = await listener.rest()
        await listener.leave()

    assert number == "1"
    assert not any("event: recommendations" in piece for piece in rest)


async def test_a_quiet_stream_is_kept_open_by_comments(app_of: AppOf) -> None:
    async with running(app_of()) as app:
        listener = Listener(app, "/v1/users/ann/stream")
        pieces = [await listener.piece() for _ in range(3)]
        await listener.leave()

    assert pieces[0] is not None
    assert pieces[0].startswith("retry: 2000\nevent: ")
    assert pieces[1:] == [": still here\n\n"] * 2


async def test_a_slow_client_gets_the_newest_list_not_a_queue(
    app_of: AppOf, site: MemorySite
) -> None:
    async with running(app_of()) as app:
        listener = Listener(app, "/v1/users/ann/stream")
        await listener.answer()
        listener.reading.clear()
        for number in range(1, 21):
            await click(site, number)
            await asyncio.sleep(0.002)
        listener.reading.set()
        numbers = [int((await listener.answer())[0])]
        while numbers[-1] < 20:
            numbers.append(int((await listener.answer())[0]))
        await listener.leave()

    assert numbers[-1] == 20
    assert len(numbers) <= 3


async def test_a_click_between_the_list_and_the_first_look_is_seen(
    app_of: AppOf, site: MemorySite
) -> None:
    await click(site, 1)
    async with running(app_of()) as app:
        listener = Listener(app, "/v1/users/ann/stream")
        await click(site, 2)
        numbers = [(await listener.answer())[0]]
        while numbers[-1] != "2":
            numbers.append((await listener.answer())[0])
        await listener.leave()

    assert numbers in (["1", "2"], ["2"])


async def test_a_client_that_leaves_gives_its_place_back(app_of: AppOf) -> None:
    before = streams_open()
    async with running(app_of(max_streams=1)) as app:
        first = Listener(app, "/v1/users/ann/stream")
        await first.answer()
        refused = Listener(app, "/v1/users/bob/stream")
        await refused.task
        await first.leave()
        second = Listener(app, "/v1/users/bob/stream")
        await second.answer()
        open_now = streams_open()
        await second.leave()

    assert refused.status == 503
    assert int(refused.headers["retry-after"]) >= 1
    assert open_now == before + 1
    assert streams_open() == before


async def test_streams_take_no_place_among_the_requests_in_work(
    app_of: AppOf, client_of: ClientOf
) -> None:
    async with running(app_of(max_in_flight=1)) as app, client_of(app) as client:
        listeners = [Listener(app, "/v1/users/ann/stream") for _ in range(3)]
        for listener in listeners:
            await listener.answer()
        response = await client.get("/v1/items/a")
        for listener in listeners:
            await listener.leave()

    assert response.status_code == 200


async def test_streams_end_when_the_process_stops(app_of: AppOf) -> None:
    async with running(app_of()) as app:
        listener = Listener(app, "/v1/users/ann/stream")
        await listener.answer()
    rest = await listener.rest()

    await asyncio.wait_for(listener.task, DEADLINE)
    assert all(piece.startswith(":") for piece in rest)


@pytest.mark.case(18)
async def test_a_stream_survives_a_database_that_goes_away_and_comes_back(
    app_of: AppOf, site: MemorySite
) -> None:
    before = REGISTRY.get_sample_value(
        "clickwise_errors_total", {"kind": "unavailable", "where": "stream"}
    )

    def failed() -> bool:
        now = REGISTRY.get_sample_value(
            "clickwise_errors_total", {"kind": "unavailable", "where": "stream"}
        )
        return (now or 0.0) >= (before or 0.0) + 2

    async with running(app_of()) as app:
        listener = Listener(app, "/v1/users/ann/stream")
        await listener.answer()
        site.lookups.fault = UnavailableError("away")
        await click(site, 1)
        await until(failed)
        site.lookups.fault = None
        number, _ = await listener.answer()
        await listener.leave()

    assert number == "1"


async def test_a_stream_waits_for_a_recommender_that_is_away(
    app_of: AppOf, site: MemorySite
) -> None:
    async with running(app_of()) as app:
        listener = Listener(app, "/v1/users/ann/stream")
        await listener.answer()
        site.recommender.fault = UnavailableError("away", retry_after_seconds=0.0)
        await click(site, 1)
        await until(lambda: site.recommender.refused >= 1)
        site.recommender.fault = None
        number, _ = await listener.answer()
        await listener.leave()

    assert number == "1"


async def test_a_fault_before_the_first_list_is_a_plain_answer(
    app_of: AppOf, site: MemorySite
) -> None:
    before = streams_open()
    site.recommender.fault = UnavailableError("away")
    async with running(app_of()) as app:
        faulty = Listener(app, "/v1/users/ann/stream")
        wrong = Listener(app, "/v1/users/ann/stream", "limit=0")
        await faulty.task
        await wrong.task

    assert (faulty.status, wrong.status) == (503, 422)
    assert streams_open() == before


async def test_nobody_connected_asks_the_database_nothing(site: MemorySite) -> None:
    asked = 0

    class Counting:
        item = site.lookups.item

        def profile_versions(self, users: Any) -> dict[UserId, int]:
            nonlocal asked
            asked += 1
            return site.lookups.profile_versions(users)

    hub = StreamHub(Counting(), limit=5, poll_seconds=0.001)
    polling = asyncio.create_task(hub.poll())
    for _ in range(20):
        await asyncio.sleep(0)
    assert asked == 0
    first = hub.join(UserId("ann"))
    second = hub.join(UserId("ann"))
    await until(lambda: asked >= 2)
    hub.leave(first)
    hub.leave(second)
    polling.cancel()

    assert len(hub) == 0
