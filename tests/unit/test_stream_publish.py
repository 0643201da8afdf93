"""Lists for the compacted topic: what stands there is never worse than what could be."""

import asyncio
from collections.abc import AsyncIterator, Callable, Collection, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager, contextmanager, suppress
from datetime import UTC, datetime

import msgspec
import pytest

import streams.publish
from clickwise.errors import BundleError, UnavailableError
from clickwise.recommend.answers import Answer, RecommendRequest
from clickwise.types import ModelVersion, UserId
from streams.kafka import Message
from streams.marks import Marks
from streams.publish import HELD_TRIES, SLICE, TRIES, Publisher

NOW = datetime(2026, 11, 25, 12, tzinfo=UTC)
ANN = UserId("ann")


class Outlet:
    """Keeps what is written."""

    def __init__(self) -> None:
        self.written: list[Message] = []

    async def write(self, messages: Sequence[Message]) -> None:
        self.written += messages


class Lists:
    """Makes lists of the users' newest versions; the first ones not as they should be."""

    def __init__(
        self, *, degraded: int = 0, fault: Exception | None = None, never: UserId | None = None
    ) -> None:
        """`never`: whose list is always degraded."""
        self.made = 0
        self.never = never
        self.versions: dict[UserId, int] = {ANN: 1}
        self._degraded = degraded
        self._fault = fault

    def __call__(self, request: RecommendRequest) -> Answer:
        self.made += 1
        if self._fault is not None:
            raise self._fault
        user = UserId(request.user or "")
        degraded = self.made <= self._degraded or user == self.never
        return Answer(
            request_id="r",
            user=user,
            items=(),
            model=ModelVersion("m"),
            policy="p",
            # As it comes while the state is away: who asks is not known.
            profile_version=0 if degraded else self.versions.get(user, 0),
            events_applied=1,
            personalized=True,
            generated=NOW,
            degraded=("profile",) if degraded else (),
        )

    def newest(self, users: Collection[UserId]) -> dict[UserId, int]:
        return {user: self.versions[user] for user in users if user in self.versions}


@pytest.fixture(autouse=True)
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(streams.publish, "AGAIN_SECONDS", 0.001)


@contextmanager
def publishing(
    lists: Lists, outlet: Outlet, *, interval_seconds: float = 0.0, max_waiting: int = 20_000
) -> Iterator[tuple[Publisher, Marks]]:
    marks = Marks()
    marks.begin(0, 0)
    marks.now()
    with ThreadPoolExecutor(1) as thread:
        publisher = Publisher(
            lists,
            versions=lists.newest,
            marks=marks,
            outlet=outlet,
            topic="recommendations",
            interval_seconds=interval_seconds,
            thread=thread,
            max_waiting=max_waiting,
        )
        yield publisher, marks


@asynccontextmanager
async def running(publisher: Publisher) -> AsyncIterator[None]:
    task = asyncio.create_task(publisher.run())
    try:
        async with asyncio.timeout(20.0):
            yield
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


async def until(true: Callable[[], bool]) -> None:
    while not true():  # noqa: ASYNC110  # what it waits for tells nobody
        await asyncio.sleep(0.005)


def versions(outlet: Outlet) -> list[int | None]:
    return [
        None if one.value is None else msgspec.json.decode(one.value)["profile_version"]
        for one in outlet.written
    ]


async def test_a_degraded_list_is_made_again_until_it_is_good_and_only_that_is_published() -> None:
    lists, outlet = Lists(degraded=TRIES + 2), Outlet()

    with publishing(lists, outlet) as (publisher, marks):
        publisher.changed([ANN], {0: 1})
        async with running(publisher):
            await until(lambda: lists.made > 1)
            assert marks.now() == {0: 0}
            await until(lambda: marks.now() == {0: 1})

    assert lists.made == TRIES + 3
    assert versions(outlet) == [1]


async def test_a_list_that_a_fault_of_ours_prevents_is_let_go_in_the_end() -> None:
    lists, outlet = Lists(fault=BundleError("of two models")), Outlet()

    with publishing(lists, outlet) as (publisher, marks):
        publisher.changed([ANN], {0: 1})
        async with running(publisher):
            await until(lambda: marks.now() == {0: 1})

    assert lists.made == TRIES
    assert outlet.written == []


async def test_a_list_that_a_lost_service_prevents_is_made_again() -> None:
    lists, outlet = Lists(fault=UnavailableError("away")), Outlet()

    with publishing(lists, outlet) as (publisher, marks):
        publisher.changed([ANN], {0: 1})
        async with running(publisher):
            await until(lambda: lists.made > HELD_TRIES)
            assert marks.now() == {0: 0}


async def test_a_list_that_alone_stays_degraded_holds_up_the_marks_for_some_tries() -> None:
    lists, outlet = Lists(never=ANN), Outlet()
    bob = UserId("bob")
    lists.versions[bob] = 1

    with publishing(lists, outlet) as (publisher, marks):
        publisher.changed([ANN], {0: 1})
        async with running(publisher):
            await until(lambda: lists.made >= 2 * HELD_TRIES)
            publisher.changed([bob], {0: 2})
            assert marks.now() == {0: 0}
            await until(lambda: marks.now() == {0: 2})

            lists.never = None
            await until(lambda: len(outlet.written) == 2)

    assert [message.key for message in outlet.written] == [b"bob", b"ann"]


async def test_a_list_written_after_that_of_a_newer_profile_is_made_anew() -> None:
    lists = Lists()

    class Late(Outlet):
        async def write(self, messages: Sequence[Message]) -> None:
            if not self.written:  # this worker stood still; another has written version 2
                lists.versions[ANN] = 2
            await super().write(messages)

    outlet = Late()
    with publishing(lists, outlet) as (publisher, _):
        publisher.changed([ANN], {})
        async with running(publisher):
            await until(lambda: len(outlet.written) == 2)

    assert versions(outlet) == [1, 2]


async def test_a_list_written_after_its_user_was_erased_is_taken_back() -> None:
    lists = Lists()

    class Late(Outlet):
        async def write(self, messages: Sequence[Message]) -> None:
            lists.versions.clear()
            await super().write(messages)

    outlet = Late()
    with publishing(lists, outlet) as (publisher, marks):
        publisher.changed([ANN], {0: 1})
        async with running(publisher):
            await until(lambda: marks.now() == {0: 1})

    assert versions(outlet) == [1, None]


async def test_who_was_found_by_looking_back_comes_behind_who_changes_now() -> None:
    lists, outlet = Lists(), Outlet()
    found = [UserId(f"late{number}") for number in range(3 * SLICE)]
    fresh = [UserId(f"fresh{number}") for number in range(2 * SLICE)]
    lists.versions = dict.fromkeys([*found, *fresh], 1)

    with publishing(lists, outlet) as (publisher, _):
        publisher.found(found)
        publisher.changed([*fresh, found[-1]], {})
        async with running(publisher):
            await until(lambda: len(outlet.written) == len(found) + len(fresh))

    keys = [message.key.decode() for message in outlet.written if message.key]
    assert [key.rstrip("0123456789") for key in keys[:SLICE]] == ["fresh"] * (SLICE - 1) + ["late"]
    assert {*fresh, found[-1]} <= {*keys[: 3 * SLICE]}
    assert len({*keys}) == len(keys)


async def test_who_was_found_by_looking_back_waits_for_an_interval() -> None:
    lists, outlet = Lists(), Outlet()
    bob = UserId("bob")
    lists.versions[bob] = 1

    with publishing(lists, outlet, interval_seconds=3_600.0) as (publisher, marks):
        publisher.found([ANN, bob])
        marks.reached({0: 2})
        publisher.changed([bob], {})
        async with running(publisher):
            await until(lambda: bool(outlet.written))
        assert marks.now() == {0: 0}
        await publisher.finish()

        assert marks.now() == {0: 2}
    # Bob's once more where `run` was cut off between the write and the look after it.
    assert list(dict.fromkeys(one.key for one in outlet.written)) == [b"bob", b"ann"]


async def test_looking_back_fills_half_of_the_queue_and_goes_first_over_the_bound() -> None:
    lists, outlet = Lists(), Outlet()
    found, fresh = [UserId("f0"), UserId("f1")], [UserId("c0"), UserId("c1"), UserId("c2")]
    lists.versions = dict.fromkeys([*found, *fresh], 1)

    with publishing(lists, outlet, max_waiting=4) as (publisher, _):
        publisher.found(found[:1])
        assert not publisher.full()
        publisher.found(found[1:])
        assert publisher.full()
        publisher.changed(fresh, {})
        await publisher.finish()
        assert not publisher.full()

    assert [message.key for message in outlet.written] == [b"c0", b"c1", b"c2", b"f1"]


async def test_who_waits_when_the_worker_stops_gets_a_list_before_it_ends() -> None:
    lists, outlet = Lists(), Outlet()
    users = [UserId(f"u{number}") for number in range(20)]
    lists.versions = dict.fromkeys(users, 1)

    with publishing(lists, outlet, interval_seconds=3_600.0) as (publisher, marks):
        publisher.changed(users, {0: 20})
        await publisher.finish()

        assert marks.now() == {0: 20}
    assert [message.key for message in outlet.written] == [user.encode() for user in users]


async def test_a_list_that_is_not_written_when_the_worker_stops_is_made_again() -> None:
    lists = Lists()

    class Stuck(Outlet):
        stuck = asyncio.Event()

        async def write(self, messages: Sequence[Message]) -> None:
            if not self.stuck.is_set():
                self.stuck.set()
                await asyncio.Event().wait()
            await super().write(messages)

    outlet = Stuck()
    with publishing(lists, outlet) as (publisher, marks):
        publisher.changed([ANN], {0: 1})
        async with running(publisher):
            await outlet.stuck.wait()
            assert marks.now() == {0: 0}

        await publisher.finish()

        assert marks.now() == {0: 1}
    assert [message.key for message in outlet.written] == [b"ann"]


async def test_who_is_let_go_by_a_full_queue_holds_up_no_mark() -> None:
    lists, outlet = Lists(), Outlet()
    marks = Marks()
    marks.begin(0, 0)
    marks.now()
    with ThreadPoolExecutor(1) as thread:
        publisher = Publisher(
            lists, versions=lists.newest, marks=marks, outlet=outlet, topic="t",
            interval_seconds=0.0, thread=thread, max_waiting=1,
        )  # fmt: skip
        publisher.changed([UserId("bob")], {0: 1})
        marks.now()
        publisher.changed([ANN], {0: 2})

    assert marks.now() == {0: 1}
