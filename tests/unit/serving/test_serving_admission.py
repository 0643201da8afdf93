"""Turns of requests, and who is turned away: with a clock that the work moves by hand."""

import asyncio
import threading
from collections.abc import AsyncIterator, Callable
from contextvars import ContextVar
from dataclasses import dataclass, field

import pytest

from clickwise.errors import OverloadedError
from serving.admission import ALWAYS, Admission

TURN = 0.010
_who: ContextVar[str] = ContextVar("_who")


@dataclass
class Worker:
    """Work that takes `TURN` each, and what happened, in order.

    While `held` no turn ends, so that the loop goes first.
    """

    max_wait_seconds: float = 0.105
    limit: int = 1_000
    now: float = 0.0
    told: list[str] = field(default_factory=list)
    tasks: list[asyncio.Task[None]] = field(default_factory=list)
    free: threading.Event = field(default_factory=threading.Event)

    def __post_init__(self) -> None:
        self.free.set()
        self.admission = Admission(
            self.limit, max_wait_seconds=self.max_wait_seconds, monotonic=lambda: self.now
        )

    async def arrive(self, *names: str, seconds: float = TURN) -> None:
        """Let them ask at once: who gets a place has been decided when this returns."""
        self.tasks += [asyncio.create_task(self._ask(name, seconds)) for name in names]
        await asyncio.sleep(0)

    async def held(self, *names: str, seconds: float = TURN) -> None:
        """One whose turn begins and does not end before `end`, then the others."""
        self.free.clear()
        began = threading.Event()
        self.tasks.append(asyncio.create_task(self._ask("held", seconds, began.set)))
        await asyncio.to_thread(began.wait)
        await self.arrive(*names, seconds=seconds)

    async def end(self) -> list[str]:
        """Wait for all; what was told."""
        self.free.set()
        waiting, self.tasks = self.tasks, []
        await asyncio.wait(waiting)
        told, self.told = self.told, []
        return told

    async def _ask(
        self, name: str, seconds: float, began: Callable[[], None] = lambda: None
    ) -> None:
        try:
            self.admission.enter()
        except OverloadedError:
            self.told.append(f"{name} refused")
            return

        def work() -> None:
            began()
            self.free.wait()
            self.now += seconds
            self.told.append(name)

        try:
            await self.admission.turn(work)
        finally:
            self.admission.leave()


@pytest.fixture
async def worker() -> AsyncIterator[Worker]:
    """After a request alone, so that it is known how long a turn is."""
    one = Worker()
    await one.arrive("first")
    await one.end()
    yield one
    one.free.set()
    one.admission.close()


def names(count: int) -> list[str]:
    return [f"r{number}" for number in range(count)]


def let_in(told: list[str]) -> list[str]:
    return [name for name in told if not name.endswith("refused")]


async def test_turns_go_in_the_order_of_arrival(worker: Worker) -> None:
    await worker.held(*names(5))

    assert await worker.end() == ["held", *names(5)]
    assert worker.admission.now == 0


async def test_who_would_wait_too_long_is_refused_and_the_others_are_not(worker: Worker) -> None:
    await worker.held(*names(30))

    told = await worker.end()

    assert let_in(told) == ["held", *names(11)]  # ten turns of 10 ms before the last of them
    assert len(told) == 31


async def test_a_refusal_waits_for_no_turn(worker: Worker) -> None:
    await worker.held(*names(11), "late")

    assert worker.told == ["late refused"]  # while the first turn has not ended
    assert let_in(await worker.end()) == ["held", *names(11)]


async def test_the_loop_goes_on_while_a_list_is_made(worker: Worker) -> None:
    await worker.held()

    assert await asyncio.to_thread(lambda: 1) == 1
    assert worker.told == []
    assert await worker.end() == ["held"]


async def test_a_turn_returns_what_its_work_does_and_raises_what_it_does(worker: Worker) -> None:
    def fails() -> None:
        raise ValueError("no")

    assert await worker.admission.turn(lambda: 7) == 7
    with pytest.raises(ValueError, match="no"):
        await worker.admission.turn(fails)


async def test_work_sees_the_context_of_who_asked(worker: Worker) -> None:
    _who.set("trace")

    assert await worker.admission.turn(_who.get) == "trace"


async def test_a_few_may_wait_however_long_turns_are(worker: Worker) -> None:
    worker.admission = Admission(1_000, max_wait_seconds=0.001, monotonic=lambda: worker.now)
    await worker.arrive("first", seconds=5.0)
    await worker.end()
    await worker.held(*names(ALWAYS + 3), seconds=5.0)

    assert let_in(await worker.end()) == ["held", *names(ALWAYS)]


async def test_shorter_turns_let_more_in(worker: Worker) -> None:
    for _ in range(20):
        await worker.arrive(*names(ALWAYS), seconds=TURN / 10)
        await worker.end()
    await worker.held(*names(30), seconds=TURN / 10)

    assert await worker.end() == ["held", *names(30)]


async def test_one_long_pause_turns_nobody_away(worker: Worker) -> None:
    await worker.arrive("paused", seconds=10.0)
    await worker.end()
    await worker.held(*names(ALWAYS + 1))

    assert await worker.end() == ["held", *names(ALWAYS + 1)]


async def test_time_in_which_nobody_asks_is_no_turn(worker: Worker) -> None:
    worker.now += 3_600.0
    await worker.held(*names(11))

    assert await worker.end() == ["held", *names(11)]


async def test_who_gives_up_waiting_loses_no_turn_for_others(worker: Worker) -> None:
    await worker.held(*names(4))
    _, first, second, third, fourth = worker.tasks
    second.cancel()
    fourth.cancel()
    await asyncio.sleep(0)

    assert worker.admission.waiting == 2
    assert await worker.end() == ["held", "r0", "r2"]
    assert first.done()
    assert third.done()
    assert worker.admission.waiting == 0
    assert worker.admission.now == 0


async def test_every_place_taken_is_refused_whoever_waits(worker: Worker) -> None:
    worker.admission = Admission(3, max_wait_seconds=0.105, monotonic=lambda: worker.now)
    await worker.held(*names(5))

    told = await worker.end()

    assert told == ["r2 refused", "r3 refused", "r4 refused", "held", "r0", "r1"]


async def test_closing_waits_for_turns_and_an_application_may_be_started_again(
    worker: Worker,
) -> None:
    await worker.held("r0")
    closing = asyncio.create_task(asyncio.to_thread(worker.admission.close))
    await asyncio.sleep(0)

    assert await worker.end() == ["held", "r0"]
    await closing
    await worker.arrive("next")
    assert await worker.end() == ["next"]


async def test_the_refusal_says_when_to_come_back() -> None:
    admission = Admission(1, max_wait_seconds=1.0, monotonic=lambda: 0.0)
    admission.enter()

    with pytest.raises(OverloadedError, match="1 requests are in work") as caught:
        admission.enter()

    assert caught.value.retry_after_seconds >= 1.0
