"""Who waits for a list outlives who knew of it: found between the mark and what is applied."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path

import pytest

import streams.handover
from clickwise.errors import UnavailableError
from clickwise.settings import load
from clickwise.state.alias_port import Alias
from clickwise.state.port import Partition, State
from clickwise.state.sql import open_state
from clickwise.types import UserId
from streams.handover import LOOK_BACK, Handover
from streams.marks import Marks

SETTINGS = load({}, kafka_topic_prefix="t", kafka_group="workers", kafka_partitions=2)
PAGE = 5_000
NOW = datetime(2026, 11, 27, 12, tzinfo=UTC)


class Log:
    """A topic in which the event at an offset is that of a user of its own, `p0-17`."""

    def __init__(self) -> None:
        self.read: list[dict[int, range]] = []
        self.faults: list[Exception] = []

    async def between(
        self, topic: str, slices: Mapping[int, range]
    ) -> AsyncGenerator[list[UserId], None]:
        assert topic == "t.events"
        self.read.append(dict(slices))
        if self.faults:
            raise self.faults.pop()
        for number, offsets in slices.items():
            for begin in range(0, len(offsets), PAGE):
                yield [UserId(f"p{number}-{at}") for at in offsets[begin : begin + PAGE]]


class Owner:
    """One worker's part in it."""

    def __init__(self, state: State, log: Log) -> None:
        self.marks = Marks()
        self.waiting: list[UserId] = []
        self.room = 1_000_000
        self.handover = Handover(
            settings=SETTINGS,
            state=state,
            marks=self.marks,
            found=self.hear,
            full=lambda: len(self.waiting) >= self.room,
            read=log.between,
        )

    def hear(self, users: Sequence[UserId]) -> None:
        for user in users:
            self.marks.wait(user)
        self.waiting += users

    def publish(self) -> None:
        self.marks.take(self.waiting)
        self.marks.done()
        self.waiting.clear()

    @asynccontextmanager
    async def running(self, *partitions: int) -> AsyncIterator[None]:
        task = asyncio.create_task(self.handover.run())
        self.handover.placed([(f"t.{name}", n) for n in partitions for name in ("events", "items")])
        try:
            async with asyncio.timeout(20.0):
                yield
        finally:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task


@pytest.fixture
def state(tmp_path: Path) -> Iterator[State]:
    opened = open_state(f"sqlite:///{tmp_path / 'state.db'}", timeout_seconds=5.0, pool_size=2)
    opened.migrate()
    yield opened
    opened.close()


@pytest.fixture(autouse=True)
def often(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(streams.handover, "MARK_SECONDS", 0.01)


def store(state: State, topic: str, **offsets: int) -> None:
    with state.write() as write:
        write.put_offsets(
            {Partition("workers", f"t.{topic}", int(name[1:])): at for name, at in offsets.items()}
        )


def kept(state: State) -> dict[int, int]:
    return {
        place.partition: at
        for place, at in state.offsets("workers").items()
        if place.topic == "t.recommendations"
    }


async def until(true: Callable[[], object]) -> None:
    while not true():  # noqa: ASYNC110  # what it waits for tells nobody
        await asyncio.sleep(0.005)


async def test_who_changed_between_the_mark_and_what_is_applied_waits(state: State) -> None:
    store(state, "events", p0=12, p1=3)
    store(state, "recommendations", p0=10, p1=3)
    owner = Owner(state, Log())

    async with owner.running(0, 1):
        await until(lambda: owner.waiting)

    assert owner.waiting == ["p0-10", "p0-11"]


async def test_the_mark_follows_only_when_they_have_their_lists(state: State) -> None:
    store(state, "events", p0=12)
    store(state, "recommendations", p0=10)
    owner = Owner(state, Log())

    async with owner.running(0):
        await until(lambda: owner.waiting and owner.marks._begun)
        owner.marks.reached({0: 15})
        for _ in range(3):
            owner.marks.now()
        await asyncio.sleep(0.05)
        assert kept(state) == {0: 10}
        owner.publish()
        await until(lambda: kept(state) == {0: 15})


async def test_only_partitions_of_ones_own_are_read_again(state: State) -> None:
    store(state, "events", p0=12, p1=3)
    log = Log()
    owner = Owner(state, log)

    async with owner.running(1):
        await until(lambda: owner.waiting)

    assert log.read == [{1: range(3)}]


async def test_however_far_the_mark_is_behind_a_bounded_number_of_events_is_read(
    state: State,
) -> None:
    store(state, "events", p0=10 * LOOK_BACK)
    store(state, "recommendations", p0=5)
    log = Log()
    owner = Owner(state, log)

    async with owner.running(0):
        await until(lambda: owner.marks._begun == {0})

    assert log.read == [{0: range(9 * LOOK_BACK, 10 * LOOK_BACK)}]
    assert len(owner.waiting) == LOOK_BACK


async def test_a_look_back_waits_while_too_many_wait_and_keeps_the_other_marks(
    state: State,
) -> None:
    store(state, "events", p0=2 * PAGE, p1=3)
    store(state, "recommendations", p0=1, p1=3)
    owner = Owner(state, Log())
    owner.room = PAGE

    async with owner.running(0, 1):
        await until(lambda: len(owner.waiting) == PAGE)
        owner.marks.take(owner.waiting)
        owner.marks.done()
        owner.marks.reached({1: 4})
        await until(lambda: kept(state) == {0: 1, 1: 4})
        assert len(owner.waiting) == PAGE
        owner.waiting.clear()
        await until(lambda: owner.marks._begun == {0, 1})

    assert len(owner.waiting) == PAGE - 1


async def test_a_look_back_that_waits_ends_when_the_partitions_move(state: State) -> None:
    store(state, "events", p0=2 * PAGE)
    log = Log()
    owner = Owner(state, log)
    owner.room = PAGE

    async with owner.running(0):
        await until(lambda: len(owner.waiting) == PAGE)
        owner.handover.placed([("t.events", 1)])
        await until(lambda: owner.marks._begun == {1})

    assert len(owner.waiting) == PAGE
    assert log.read == [{0: range(2 * PAGE)}]


async def test_nothing_is_read_again_where_everybody_has_a_list(state: State) -> None:
    store(state, "events", p0=12)
    store(state, "recommendations", p0=12)
    log = Log()
    owner = Owner(state, log)

    async with owner.running(0):
        await until(lambda: owner.marks._begun == {0})

    assert log.read == []


async def test_a_partition_that_comes_back_is_read_from_where_another_owner_left_it(
    state: State,
) -> None:
    store(state, "events", p0=12)
    store(state, "recommendations", p0=12)
    log = Log()
    owner = Owner(state, log)

    async with owner.running(0):
        await until(lambda: owner.marks._begun == {0})
        owner.handover.placed(())
        owner.marks.reached({0: 14})  # a batch that it still had in hand
        store(state, "events", p0=30)
        store(state, "recommendations", p0=25)
        await asyncio.sleep(0.05)
        assert kept(state) == {0: 25}
        owner.handover.placed([("t.events", 0)])
        await until(lambda: owner.waiting)

    assert log.read == [{0: range(25, 30)}]


async def test_a_partition_that_the_worker_keeps_is_not_read_again(state: State) -> None:
    store(state, "events", p0=12, p1=4)
    store(state, "recommendations", p0=10, p1=4)
    log = Log()
    owner = Owner(state, log)

    async with owner.running(0):
        await until(lambda: owner.marks._begun == {0})
        store(state, "events", p0=15, p1=7)
        owner.marks.wait(UserId("ann"))
        owner.marks.reached({0: 15})
        owner.handover.placed(())
        owner.handover.placed([("t.events", 0), ("t.events", 1)])
        await until(lambda: owner.marks._begun == {0, 1})
        assert kept(state)[0] == 10  # ann and those two still wait

    assert log.read == [{0: range(10, 12)}, {1: range(4, 7)}]


async def test_of_a_partition_that_the_worker_had_only_what_others_applied_is_read(
    state: State,
) -> None:
    store(state, "events", p0=12)
    store(state, "recommendations", p0=10)
    log = Log()
    owner = Owner(state, log)

    async with owner.running(0):
        await until(lambda: owner.marks._begun == {0})
        owner.handover.placed(())
        store(state, "events", p0=30)  # and who did that was killed
        owner.handover.placed([("t.events", 0)])
        await until(lambda: owner.marks._begun == {0})

    assert log.read == [{0: range(10, 12)}, {0: range(12, 30)}]


async def test_a_guest_who_became_a_user_is_that_user(state: State) -> None:
    store(state, "events", p0=1)
    state.aliases.pair(Alias(UserId("p0-0"), UserId("ann"), "m", NOW))
    owner = Owner(state, Log())

    async with owner.running(0):
        await until(lambda: owner.waiting)

    assert owner.waiting == ["ann"]


async def test_a_log_that_is_away_is_waited_for(state: State) -> None:
    store(state, "events", p0=1)
    log = Log()
    log.faults = [UnavailableError("no broker")]
    owner = Owner(state, log)

    async with owner.running(0):
        await until(lambda: owner.waiting)

    assert len(log.read) == 2


async def test_a_worker_that_is_told_to_stop_keeps_its_marks(state: State) -> None:
    owner = Owner(state, Log())
    owner.marks.begin(1, 7)

    await owner.handover.finish()

    assert kept(state) == {1: 7}
