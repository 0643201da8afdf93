"""The load of `clickwise bench swap`: an open loop of lists and events, in a process of its own.

    python -m clickwise.bench.swap_load < plan > result      (both msgpack; see `Plan`, `Result`)

Each request has its moment; a late answer does not put off the next, and its lateness counts
(latency is measured from the moment on). Readers come in two groups: those who click, whose events
are counted, and those who only look. What the second get depends on the model alone, so a score
that is not the one that the same model gave before comes of two models mixed.
"""

import signal
import sys
import threading
import time
from dataclasses import dataclass, field
from datetime import UTC, datetime

import msgspec

from clickwise.bench.connection import Connection, Reply
from clickwise.bench.requests import APPLIED, recommendations
from clickwise.codec import encode
from clickwise.events import Event
from clickwise.recommend.answers import Answer
from clickwise.types import EventId, EventType, ItemId, UserId

TOLERANCE = 1e-3  # of a score: one more candidate changes the order of a sum, two models far more
_answers = msgspec.json.Decoder(Answer)


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """`requests` and `events` a second; `lanes` connections for each of both.

    `looking` readers get lists only, `clicking` ones lists and events on `items`.
    """

    host: str
    port: int
    requests: float
    events: float
    lanes: int
    looking: list[str]
    clicking: list[str]
    items: list[str]
    limit: int


class Result(msgspec.Struct, frozen=True, kw_only=True):
    """`moments` (monotonic seconds) and `latencies` (seconds) of lists, by the model of each.

    `checked` scores could be compared with an earlier one of the same reader, item and model;
    `told_apart` of them with one of another model that differs. `acknowledged` events by reader.
    """

    moments: list[float]
    latencies: list[float]
    models: list[str]
    failures: int
    first_failure: str
    mixed: int
    checked: int
    told_apart: int
    degraded: int
    acknowledged: dict[str, int]


@dataclass(slots=True)
class Tally:
    """What came back; one for all lanes."""

    moments: list[float] = field(default_factory=list)
    latencies: list[float] = field(default_factory=list)
    models: list[str] = field(default_factory=list)
    failures: int = 0
    first_failure: str = ""
    mixed: int = 0
    checked: int = 0
    degraded: int = 0
    acknowledged: dict[str, int] = field(default_factory=dict)
    scores: dict[tuple[str, str, str], float] = field(default_factory=dict)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def fail(self, why: str) -> None:
        """Count a request without a right answer."""
        with self.lock:
            self.failures += 1
            self.first_failure = self.first_failure or why

    def answered(self, answer: Answer, moment: float, latency: float, *, compare: bool) -> None:
        """Count a list."""
        with self.lock:
            self.moments.append(moment)
            self.latencies.append(latency)
            self.models.append(answer.model)
            self.degraded += bool(answer.degraded)
            if not compare or answer.degraded:
                return
            for one in answer.items:
                name = (answer.user or "", one.item, answer.model)
                known = self.scores.setdefault(name, one.score)
                self.checked += 1
                self.mixed += abs(known - one.score) > TOLERANCE

    def told_apart(self) -> int:
        """Scores that another model gave the same reader and item, and that differ."""
        by_place: dict[tuple[str, str], list[float]] = {}
        for (user, item, _), score in self.scores.items():
            by_place.setdefault((user, item), []).append(score)
        return sum(
            max(scores) - min(scores) > 2 * TOLERANCE
            for scores in by_place.values()
            if len(scores) > 1
        )


class Lanes:
    """Runs one plan."""

    def __init__(self, plan: Plan) -> None:
        self._plan = plan
        self._tally = Tally()
        self._stopped = threading.Event()
        self._begin = time.perf_counter() + 0.2

    def stop(self) -> None:
        """Send nothing more."""
        self._stopped.set()

    def run(self) -> Result:
        """Run it until `stop`."""
        lanes = range(self._plan.lanes)
        threads = [threading.Thread(target=self._ask, args=(lane,)) for lane in lanes]
        threads += [threading.Thread(target=self._click, args=(lane,)) for lane in lanes]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        tally = self._tally
        return Result(
            moments=tally.moments,
            latencies=tally.latencies,
            models=tally.models,
            failures=tally.failures,
            first_failure=tally.first_failure,
            mixed=tally.mixed,
            checked=tally.checked,
            told_apart=tally.told_apart(),
            degraded=tally.degraded,
            acknowledged=tally.acknowledged,
        )

    def _ask(self, lane: int) -> None:
        plan, tally = self._plan, self._tally
        users, looking = [*plan.looking, *plan.clicking], frozenset(plan.looking)
        connection = Connection(plan.host, plan.port)
        number = lane
        while (moment := self._moment(number, plan.requests)) is not None:
            user = users[(number * 7919) % len(users)]
            try:
                reply = connection.ask(recommendations(user, limit=plan.limit))
                answer = _answers.decode(_right(reply))
            except (OSError, msgspec.MsgspecError) as error:
                tally.fail(repr(error))
                connection = Connection(plan.host, plan.port)
            else:
                latency = time.perf_counter() - moment
                tally.answered(answer, moment, latency, compare=user in looking)
            number += plan.lanes

    def _click(self, lane: int) -> None:
        plan, tally = self._plan, self._tally
        connection = Connection(plan.host, plan.port)
        number = lane
        while self._moment(number, plan.events) is not None:
            user = UserId(plan.clicking[number % len(plan.clicking)])
            event = Event(
                id=EventId(f"swap-{number}"),
                user=user,
                item=ItemId(plan.items[(number * 104_729) % len(plan.items)]),
                type=EventType.CLICK,
                time=datetime.now(UTC),
            )
            try:
                _right(connection.post("/v1/events", encode(event)), mark=APPLIED)
            except OSError as error:
                tally.fail(repr(error))
                connection = Connection(plan.host, plan.port)
            else:
                with tally.lock:
                    tally.acknowledged[user] = tally.acknowledged.get(user, 0) + 1
            number += plan.lanes

    def _moment(self, number: int, rate: float) -> float | None:
        """Wait for the moment of the request with this number; None when all is over."""
        moment = self._begin + number / rate
        if self._stopped.wait(max(0.0, moment - time.perf_counter())):
            return None
        return moment


def _right(reply: Reply, mark: bytes = b"") -> bytes:
    """The body of an answer as it should be."""
    if reply.status != 200 or mark not in reply.body:
        raise ConnectionError(f"answered with {reply.status}: {reply.body[:300]!r}")
    return reply.body


def main() -> None:
    """Read a plan, run it until SIGTERM, write its result."""
    plan = msgspec.msgpack.decode(sys.stdin.buffer.read(), type=Plan)
    lanes = Lanes(plan)
    signal.signal(signal.SIGTERM, lambda *_: lanes.stop())
    result = lanes.run()
    sys.stdout.buffer.write(msgspec.msgpack.encode(result))
    sys.stdout.buffer.flush()


if __name__ == "__main__":
    main()
