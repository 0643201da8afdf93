"""Lists for the compacted topic: what stands there is never worse than what could be."""

import asyncio
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import UTC, datetime

import pytest

import streams.publish
from clickwise.recommend.answers import Answer, RecommendRequest
from clickwise.types import ModelVersion, UserId
from streams.kafka import Message
from streams.publish import TRIES, Publisher

NOW = datetime(2026, 11, 25, 12, tzinfo=UTC)


class Outlet:
    """Keeps what is written."""

    def __init__(self) -> None:
        self.written: list[Message] = []

    async def write(self, messages: Sequence[Message]) -> None:
        self.written += messages


class Lists:
    """Makes lists; the first `degraded` of them with a stage that fell back."""

    def __init__(self, degraded: int) -> None:
        self.made = 0
        self._degraded = degraded

    def __call__(self, request: RecommendRequest) -> Answer:
        self.made += 1
        return Answer(
            request_id="r",
            user=UserId(request.user or ""),
            items=(),
            model=ModelVersion("m"),
            policy="p",
            profile_version=1,
            events_applied=1,
            personalized=True,
            generated=NOW,
            degraded=("vectors",) if self.made <= self._degraded else (),
        )


@pytest.fixture(autouse=True)
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(streams.publish, "AGAIN_SECONDS", 0.001)


async def published(lists: Lists, until: Callable[[Outlet, Publisher], bool]) -> list[Message]:
    outlet = Outlet()
    with ThreadPoolExecutor(1) as thread:
        publisher = Publisher(
            lists, outlet=outlet, topic="recommendations", interval_seconds=0.0, thread=thread
        )
        publisher.changed([UserId("ann")])
        running = asyncio.create_task(publisher.run())
        async with asyncio.timeout(20.0):
            while not until(outlet, publisher):  # noqa: ASYNC110  # what it waits for tells nobody
                await asyncio.sleep(0.005)
        running.cancel()
        with suppress(asyncio.CancelledError):
            await running
    return outlet.written


async def test_a_degraded_list_is_made_again_and_only_the_good_one_is_published() -> None:
    lists = Lists(degraded=2)

    written = await published(lists, lambda outlet, _: bool(outlet.written))

    assert lists.made == 3
    assert len(written) == 1


async def test_a_list_that_stays_degraded_is_let_go() -> None:
    lists = Lists(degraded=1_000)

    written = await published(
        lists, lambda _, publisher: lists.made >= TRIES and not publisher._tried
    )

    assert lists.made == TRIES
    assert written == []


async def test_who_waits_when_the_worker_stops_gets_a_list_before_it_ends() -> None:
    outlet = Outlet()
    users = [UserId(f"u{number}") for number in range(20)]
    with ThreadPoolExecutor(1) as thread:
        publisher = Publisher(
            Lists(degraded=0), outlet=outlet, topic="t", interval_seconds=3_600.0, thread=thread
        )
        publisher.changed(users)

        await publisher.finish()

    assert [message.key for message in outlet.written] == [user.encode() for user in users]


async def test_a_list_that_is_not_written_when_the_worker_stops_is_made_again() -> None:
    outlet = Outlet()
    away = asyncio.Event()

    class Stuck(Outlet):
        async def write(self, messages: Sequence[Message]) -> None:
            if not away.is_set():
                away.set()
                await asyncio.Event().wait()
            outlet.written += messages

    with ThreadPoolExecutor(1) as thread:
        publisher = Publisher(
            Lists(degraded=0), outlet=Stuck(), topic="t", interval_seconds=0.0, thread=thread
        )
        publisher.changed([UserId("ann")])
        running = asyncio.create_task(publisher.run())
        async with asyncio.timeout(20.0):
            await away.wait()
        running.cancel()
        with suppress(asyncio.CancelledError):
            await running

        await publisher.finish()

    assert [message.key for message in outlet.written] == [b"ann"]
