"""Turns of requests, and who is turned away: with a clock that the work moves by hand."""

import asyncio
import threading
from collections.abc import AsyncIterator, Callable
from contextvars import ContextVar
from dataclasses import dataclass, field
from functools import partial

import pytest

from clickwise.errors import OverloadedError, UnavailableError
from serving.admission import ALWAYS, Admission
from serving.turns import THREAD

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

    async def anew(self, limit: int, *, max_wait_seconds: float) -> None:
        """With other bounds, and no turn known."""
        await self.admission.turns.end()
        self.admission = Admission(
            limit, max_wait_seconds=max_wait_seconds, monotonic=lambda: self.now
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

    def pass_by(self, seconds: float) -> None:
        """Time passes."""
        self.now += seconds

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
            await self.admission.turn("list", work)
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
    await one.admission.turns.end()


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

    assert await worker.admission.turn("list", lambda: 7) == 7
    with pytest.raises(ValueError, match="no"):
        await worker.admission.turn("list", fails)
    with pytest.raises(RuntimeError, match="ran out"):
        await worker.admission.turn("list", lambda: next(iter(())))


async def test_work_sees_the_context_of_who_asked(worker: Worker) -> None:
    _who.set("trace")

    assert await worker.admission.turn("list", _who.get) == "trace"


async def test_a_few_may_wait_however_long_turns_are(worker: Worker) -> None:
    await worker.anew(1_000, max_wait_seconds=0.001)
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

    assert worker.admission.turns.requests.waiting == 2
    assert await worker.end() == ["held", "r0", "r2"]
    assert first.done()
    assert third.done()
    assert worker.admission.turns.requests.waiting == 0
    assert worker.admission.now == 0


async def test_every_place_taken_is_refused_whoever_waits(worker: Worker) -> None:
    await worker.anew(3, max_wait_seconds=0.105)
    await worker.held(*names(5))

    told = await worker.end()

    assert told == ["r2 refused", "r3 refused", "r4 refused", "held", "r0", "r1"]


async def test_cheap_turns_do_not_hide_that_dear_ones_wait(worker: Worker) -> None:
    for _ in range(50):
        await worker.admission.turn("parse", lambda: None)
    await worker.held(*names(30))

    assert let_in(await worker.end()) == ["held", *names(11)]


async def test_who_comes_back_with_a_body_is_refused_as_others_are(worker: Worker) -> None:
    for _ in range(30):
        worker.admission.enter()  # all at once, while nobody waits
    await worker.held()
    turns = [asyncio.create_task(worker.admission.turn("list", lambda: None)) for _ in range(30)]
    await asyncio.sleep(0)

    await worker.end()
    outcomes = await asyncio.gather(*turns, return_exceptions=True)

    assert sum(isinstance(outcome, OverloadedError) for outcome in outcomes) == 19


async def test_streams_wait_in_a_line_of_their_own_and_take_every_second_turn(
    worker: Worker,
) -> None:
    await worker.held()
    streams = [
        asyncio.create_task(
            worker.admission.stream_turn("stream", partial(worker.told.append, f"s{number}"))
        )
        for number in range(100)
    ]
    await asyncio.sleep(0)
    await worker.arrive(*names(3))

    told = await worker.end()
    await asyncio.wait(streams)

    assert told[:7] == ["held", "s0", "r0", "s1", "r1", "s2", "r2"]


@pytest.mark.parametrize(("number", "most"), [(0, 11), (2, 9), (100, ALWAYS)])
async def test_streams_that_wait_cost_requests_one_list_each_at_most(
    worker: Worker, number: int, most: int
) -> None:
    await worker.admission.stream_turn("stream", lambda: worker.pass_by(TURN))
    await worker.held()
    streams = [
        asyncio.create_task(worker.admission.stream_turn("stream", lambda: None))
        for _ in range(number)
    ]
    await asyncio.sleep(0)
    await worker.arrive(*names(30))

    assert let_in(await worker.end()) == ["held", *names(most)]
    await asyncio.gather(*streams)


async def test_at_the_end_who_waits_is_refused_and_what_has_begun_is_not(worker: Worker) -> None:
    await worker.held()
    waiting = asyncio.create_task(worker.admission.turn("list", lambda: None))
    await asyncio.sleep(0)
    ending = asyncio.create_task(worker.admission.turns.end())
    await asyncio.sleep(0)

    with pytest.raises(UnavailableError, match="stopping"):
        await waiting
    with pytest.raises(UnavailableError, match="stopping"):
        await worker.admission.turn("list", lambda: None)
    assert await worker.end() == ["held"]
    await ending
    assert THREAD not in {thread.name for thread in threading.enumerate()}

    worker.admission.turns.begin()  # as an application that is started again
    assert await worker.admission.turn("list", lambda: 7) == 7
    assert worker.admission.turns.requests.waiting == 0


async def test_the_refusal_says_when_to_come_back() -> None:
    admission = Admission(1, max_wait_seconds=1.0, monotonic=lambda: 0.0)
    admission.enter()

    with pytest.raises(OverloadedError, match="1 requests are in work") as caught:
        admission.enter()

    assert caught.value.retry_after_seconds >= 1.0
