"""`clickwise bench elastic`: stream workers join and leave while events come in.

A real Kafka and PostgreSQL, and a backlog that is kept up, so that the workers always have enough
to do. At each change: how long until every worker has its partitions, and the longest time in which
no event took effect; then, with that many workers, events a second. In the end every profile is
compared with what was sent. All share this machine, so more workers than cores bring nothing.
"""

import asyncio
import signal
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack
from datetime import UTC, datetime
from itertools import islice
from threading import Event as Flag
from threading import Thread
from types import TracebackType
from typing import Self

import msgspec
from rich.console import Console
from rich.progress import Progress

from clickwise.bench.children import clickwise
from clickwise.bench.counting import lost_and_twice
from clickwise.bench.distributed import ASSIGNED, distributed
from clickwise.bench.gaps import Timeline
from clickwise.bench.machine import Machine, machine
from clickwise.bench.report import bars, progress, shown, table
from clickwise.bench.site import Shape, make_site
from clickwise.bench.streamed import LOOK_SECONDS, applied, produce
from clickwise.bench.synthetic import stream_of_events
from clickwise.cli import wiring
from clickwise.events import Event
from clickwise.profile import from_stored
from clickwise.settings import Settings
from clickwise.state.port import State
from clickwise.testing.processes import Program
from clickwise.types import UserId

SITE = Shape(items=2_000, users=0, events_per_user=0, dimension=384)
CHUNK = 1_000
MOST_EVENTS = 2_000_000
CHANGE_SECONDS = 90.0
DRAIN_SECONDS = 300.0


class Phase(msgspec.Struct, frozen=True, kw_only=True):
    """A number of workers. `change_seconds`: from the change until each has its partitions.

    `change_gap_seconds` and `gap_seconds`: the longest without an applied event, meanwhile and
    afterwards; looked at 50 times a second. The first change is from no worker at all.
    """

    workers: int
    change_seconds: float
    change_gap_seconds: float
    events_per_second: float
    gap_seconds: float


class ElasticReport(msgspec.Struct, frozen=True, kw_only=True):
    """`backlog`: events that waited at least, whenever there was time to send more."""

    machine: Machine
    users: int
    partitions: int
    backlog: int
    seconds_per_phase: float
    phases: list[Phase]
    num_events: int
    events_lost: int
    events_twice: int
    longest_gap_seconds: float


def bench_elastic(
    workers: Sequence[int], *, users: int, backlog: int, seconds: float, console: Console
) -> ElasticReport:
    """Measure each number of workers in turn, and clean up.

    Raises:
        RuntimeError: a worker ended, or events cannot be sent. TimeoutError: no worker got on.
    """
    facts = machine()
    with ExitStack() as stack:
        bar = stack.enter_context(progress(console))
        services = stack.enter_context(distributed(bar))
        settings = services.settings(dimension=SITE.dimension)
        made = make_site(settings, SITE, progress=bar)
        services.create_topics(settings)
        state = wiring.state_of(settings, stack)
        events = stream_of_events(
            made, users=users, count=MOST_EVENTS, until=datetime.now(UTC), seed=5
        )
        timeline = Timeline()
        feeder = stack.enter_context(Feeder(settings, events, timeline, backlog=backlog))
        fleet = stack.enter_context(Fleet(settings, state, timeline, feeder))
        phases = [fleet.phase(number, seconds, bar) for number in workers]
        feeder.stop()
        fleet.watch(lambda: timeline.count >= feeder.num_sent, DRAIN_SECONDS, "all events applied")
        lost, twice = lost_and_twice(feeder.sent, _in_profiles(state, feeder.sent))
    return ElasticReport(
        machine=facts,
        users=users,
        partitions=settings.kafka_partitions,
        backlog=backlog,
        seconds_per_phase=seconds,
        phases=phases,
        num_events=feeder.num_sent,
        events_lost=lost,
        events_twice=twice,
        longest_gap_seconds=max(
            [phases[0].gap_seconds]
            + [max(phase.change_gap_seconds, phase.gap_seconds) for phase in phases[1:]]
        ),
    )


class Feeder(Thread):
    """Sends events whenever fewer than `backlog` wait, until the end of the `with` block."""

    def __init__(
        self, settings: Settings, events: Iterator[Event], timeline: Timeline, *, backlog: int
    ) -> None:
        super().__init__(daemon=True)
        self._settings = settings
        self._events = events
        self._timeline = timeline
        self._backlog = backlog
        self._over = Flag()
        self.sent: Counter[str] = Counter()
        self.num_sent = 0
        self.fault: Exception | None = None

    def run(self) -> None:
        """See Thread."""
        try:
            while not self._over.is_set():
                if self.num_sent - self._timeline.count >= self._backlog:
                    self._over.wait(LOOK_SECONDS)
                    continue
                chunk = list(islice(self._events, CHUNK))
                asyncio.run(produce(self._settings, chunk))
                self.sent.update(event.user for event in chunk)
                self.num_sent += len(chunk)
        except Exception as error:  # noqa: BLE001  # told to who watches
            self.fault = error

    def stop(self) -> None:
        """Send no more; return when all is sent."""
        self._over.set()
        self.join()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()


class Fleet:
    """Stream workers that come and go, and what they get done; all end with the `with` block."""

    def __init__(
        self, settings: Settings, state: State, timeline: Timeline, feeder: Feeder
    ) -> None:
        self._settings = msgspec.structs.replace(settings, log_level="info")
        self._state = state
        self._timeline = timeline
        self._feeder = feeder
        self._stack = ExitStack()
        self._workers: list[Program] = []
        self._started = 0

    def phase(self, number: int, seconds: float, bar: Progress) -> Phase:
        """Make it so many workers, wait until each has its partitions, then watch them work."""
        task = bar.add_task(f"{number} workers", total=None)
        begin = time.perf_counter()
        said = {worker: _times_assigned(worker) for worker in self._workers}
        leaving = self._workers[number:]
        self._workers = self._workers[:number]
        for worker in leaving:
            worker.send(signal.SIGTERM)
        while len(self._workers) < number:
            self._started += 1
            program = clickwise(self._settings, "stream", name=f"stream-{self._started}")
            self._workers.append(self._stack.enter_context(program))
        self.watch(
            lambda: (
                not any(worker.running for worker in leaving)
                and all(_times_assigned(one) > said.get(one, 0) for one in self._workers)
            ),
            CHANGE_SECONDS,
            f"{number} workers with partitions",
        )
        settled = time.perf_counter()
        self.watch(lambda: time.perf_counter() >= settled + seconds, 2 * seconds + 60.0, "the end")
        end = time.perf_counter()
        bar.remove_task(task)
        return Phase(
            workers=number,
            change_seconds=round(settled - begin, 3),
            change_gap_seconds=round(self._timeline.longest_gap(begin, settled), 3),
            events_per_second=round(self._timeline.per_second(settled, end), 1),
            gap_seconds=round(self._timeline.longest_gap(settled, end), 3),
        )

    def watch(self, condition: Callable[[], bool], seconds: float, what: str) -> None:
        """Look at what is applied until `condition` holds.

        Raises:
            RuntimeError: a worker ended, or events cannot be sent. TimeoutError: not in time.
        """
        deadline = time.perf_counter() + seconds
        while True:
            self._timeline.look(time.perf_counter(), applied(self._state, self._settings))
            if condition():
                return
            if self._feeder.fault is not None:
                raise RuntimeError(f"events cannot be sent: {self._feeder.fault}")
            for worker in self._workers:
                if not worker.running:
                    raise RuntimeError(f"a stream worker ended:\n{worker.output[-3000:]}")
            if time.perf_counter() > deadline:
                raise TimeoutError(f"not within {seconds:g} s: {what}")
            time.sleep(LOOK_SECONDS)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._stack.close()


def _times_assigned(worker: Program) -> int:
    return worker.output.count(ASSIGNED)


def _in_profiles(state: State, users: Iterable[str]) -> dict[str, int]:
    """How many events each user's profile rests on."""
    found = {}
    for user in users:
        stored, _ = state.profile(UserId(user))
        found[user] = from_stored(stored.body)[0].events_applied if stored is not None else 0
    return found


def draw_elastic(report: ElasticReport, console: Console) -> None:
    """The report for people."""
    console.print(
        table(
            f"stream workers join and leave: {report.num_events:,} events of {report.users:,}"
            f" users, {report.partitions} partitions",
            ("workers", "change", "without events meanwhile", "events a second", "afterwards"),
            [
                (
                    str(phase.workers),
                    shown(phase.change_seconds),
                    shown(phase.change_gap_seconds),
                    f"{phase.events_per_second:,.0f}",
                    shown(phase.gap_seconds),
                )
                for phase in report.phases
            ],
        )
    )
    console.print(
        bars(
            "events a second",
            [
                (f"{phase.workers} workers", phase.events_per_second,
                 f"{phase.events_per_second:,.0f}")
                for phase in report.phases
            ],
        )
    )  # fmt: skip
    console.print(
        f"events lost {report.events_lost}, twice {report.events_twice}; longest time without one,"
        f" once there was a worker: {shown(report.longest_gap_seconds)}"
    )
