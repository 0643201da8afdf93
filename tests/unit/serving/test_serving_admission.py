"""Turns of requests, and who is turned away: with a clock that handlers move by hand."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field

import pytest

from clickwise.errors import OverloadedError
from serving.admission import ALWAYS, Admission

TURN = 0.010


@dataclass
class Worker:
    """Handlers that take `TURN` each, and what happened, in order."""

    max_wait_seconds: float = 0.105
    limit: int = 1_000
    now: float = 0.0
    told: list[str] = field(default_factory=list)
    tasks: list[asyncio.Task[None]] = field(default_factory=list)
    during: dict[str, Callable[[], None]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.admission = Admission(
            self.limit, max_wait_seconds=self.max_wait_seconds, monotonic=lambda: self.now
        )

    def arrive(self, *names: str, seconds: float = TURN) -> None:
        self.tasks += [asyncio.create_task(self._ask(name, seconds)) for name in names]

    async def end(self) -> list[str]:
        """Wait for all, also for those that arrive meanwhile; what was told."""
        while self.tasks:
            waiting, self.tasks = self.tasks, []
            await asyncio.wait(waiting)
        await asyncio.sleep(0)  # the last turn is over
        told, self.told = self.told, []
        return told

    async def _ask(self, name: str, seconds: float) -> None:
        try:
            self.admission.enter()
        except OverloadedError:
            self.told.append(f"{name} refused")
            return
        try:
            await self.admission.turn()
            self.now += seconds
            self.told.append(name)
            self.during.get(name, lambda: None)()
        finally:
            self.admission.leave()


def names(count: int) -> list[str]:
    return [f"r{number}" for number in range(count)]


async def known(worker: Worker) -> Worker:
    """After a request alone, so that it is known how long a turn is."""
    worker.arrive("first")
    await worker.end()
    return worker


async def test_turns_go_in_the_order_of_arrival() -> None:
    worker = Worker()
    worker.arrive(*names(5))

    assert await worker.end() == names(5)
    assert worker.admission.now == 0


async def test_who_would_wait_too_long_is_refused_and_the_others_are_not() -> None:
    worker = await known(Worker(max_wait_seconds=0.105))
    worker.arrive(*names(30))

    told = await worker.end()

    let_in = [name for name in told if not name.endswith("refused")]
    assert let_in == names(11)  # ten turns of 10 ms before the last of them
    assert len(told) == 30


async def test_a_refusal_waits_for_one_handler_and_not_for_the_queue() -> None:
    worker = await known(Worker(max_wait_seconds=0.105))
    worker.arrive(*names(11))

    worker.during["r0"] = lambda: worker.arrive("w", "x", "y", "z")
    told = await worker.end()

    # Nine wait once it is the turn of r1, so two more may.
    assert told[:4] == ["r0", "y refused", "z refused", "r1"]
    assert told[-2:] == ["w", "x"]


async def test_a_few_may_wait_however_long_turns_are() -> None:
    worker = Worker(max_wait_seconds=0.001)
    worker.arrive("first", seconds=5.0)
    await worker.end()
    worker.arrive(*names(ALWAYS + 3), seconds=5.0)

    told = await worker.end()

    assert [name for name in told if not name.endswith("refused")] == names(ALWAYS)


async def test_shorter_turns_let_more_in() -> None:
    worker = await known(Worker(max_wait_seconds=0.105))
    for _ in range(20):
        worker.arrive(*names(ALWAYS), seconds=TURN / 10)
        await worker.end()
    worker.arrive(*names(30), seconds=TURN / 10)

    assert await worker.end() == names(30)


async def test_one_long_pause_turns_nobody_away() -> None:
    worker = await known(Worker(max_wait_seconds=0.2))
    worker.arrive("paused", seconds=10.0)
    await worker.end()
    worker.arrive(*names(ALWAYS + 4))

    assert await worker.end() == names(ALWAYS + 4)


async def test_time_in_which_nobody_asks_is_no_turn() -> None:
    worker = await known(Worker(max_wait_seconds=0.105))
    worker.now += 3_600.0
    worker.arrive(*names(11))

    assert await worker.end() == names(11)


async def test_who_gives_up_waiting_loses_no_turn_for_others() -> None:
    worker = await known(Worker())
    worker.arrive(*names(4))
    await asyncio.sleep(0)  # all have taken their places
    worker.tasks[1].cancel()
    worker.tasks[3].cancel()

    assert await worker.end() == ["r0", "r2"]
    assert worker.admission.now == 0
    worker.arrive("next")
    assert await worker.end() == ["next"]


async def test_every_place_taken_is_refused_whoever_waits() -> None:
    worker = Worker(limit=3)
    worker.arrive(*names(5))

    told = await worker.end()

    assert sorted(told) == ["r0", "r1", "r2", "r3 refused", "r4 refused"]


async def test_the_refusal_says_when_to_come_back() -> None:
    admission = Admission(1, max_wait_seconds=1.0, monotonic=lambda: 0.0)
    admission.enter()

    with pytest.raises(OverloadedError, match="1 requests are in work") as caught:
        admission.enter()

    assert caught.value.retry_after_seconds >= 1.0
