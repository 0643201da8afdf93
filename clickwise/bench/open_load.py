"""An open loop of requests over plain sockets, in a process of its own.

    python -m clickwise.bench.open_load < plan > result      (both msgpack; see `Plan`, `Result`)

Each request has a moment, fixed beforehand, and its latency counts from there: neither a late
answer nor a late sender hides that others had to wait ("coordinated omission"). It shares the
machine with the server that it measures, so it does as little as it can (`clickwise.bench.load`),
and it says how late it was itself.
"""

import gc
import select
import sys
import time
from array import array
from collections import deque

import msgspec

from clickwise.bench.arrivals import Spacing, moments
from clickwise.bench.load import PATIENCE_SECONDS, Exchange

_IDLE_SECONDS = 0.2
_OK, _REFUSED = b"200", b"429"


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """What to send and when. `requests` are whole HTTP/1.1 requests, sent in turn.

    An answer is right when its status is 200 and `mark` is `marks` times in its body, or when it
    is 429 with `Retry-After`. Requests wait for a connection when all `connections` are in use.
    """

    host: str
    port: int
    connections: int
    requests: list[bytes]
    rate: float
    seconds: float
    spacing: Spacing
    seed: int
    mark: bytes = b""
    marks: int = 0


class Result(msgspec.Struct, frozen=True, kw_only=True):
    """What came back, by the moment of the request; float64, seconds.

    `latencies`: from the moment to the whole answer. `admitted`: one byte each, 1 for 200 and 0
    for 429. `lags`: from the moment to the sending, of all requests. `seconds`: the whole run.
    """

    moments: bytes
    latencies: bytes
    admitted: bytes
    lags: bytes
    seconds: float
    failures: int
    first_failure: str
    cpu_seconds: float


class OpenLoop:
    """Runs one plan."""

    def __init__(self, plan: Plan) -> None:
        self._plan = plan
        self._due: deque[float] = deque(
            moments(plan.spacing, rate=plan.rate, seconds=plan.seconds, seed=plan.seed).tolist()
        )
        self._begin = 0.0
        self._sent = 0
        self._poll = select.epoll()
        self._all: dict[int, Exchange] = {}
        self._free: deque[Exchange] = deque()
        self._waiting: dict[int, float] = {}
        self._moments, self._latencies = array("d"), array("d")
        self._admitted, self._lags = bytearray(), array("d")
        self._failures = 0
        self._first_failure = ""

    def run(self) -> Result:
        """Send everything at its moment, and wait for the answers."""
        for _ in range(self._plan.connections):
            client = Exchange(self._plan.host, self._plan.port)
            self._all[client.connection.fileno()] = client
            self._free.append(client)
            self._poll.register(client.connection.fileno(), select.EPOLLIN)
        cpu = time.process_time()
        self._begin = last = time.perf_counter()
        while self._due or self._waiting:
            self._send()
            # epoll counts in milliseconds; select on its descriptor in microseconds.
            select.select([self._poll], [], [], self._pause())
            ready = self._poll.poll(0)
            if ready or not self._waiting:
                last = time.perf_counter()
            elif time.perf_counter() - last > PATIENCE_SECONDS:
                times = len(self._waiting)
                self._fail(f"no answer within {PATIENCE_SECONDS:g} s", times=times)
                break
            for number, _ in ready:
                self._receive(number)
        for client in self._all.values():
            client.connection.close()
        self._poll.close()
        return Result(
            moments=self._moments.tobytes(),
            latencies=self._latencies.tobytes(),
            admitted=bytes(self._admitted),
            lags=self._lags.tobytes(),
            seconds=time.perf_counter() - self._begin,
            failures=self._failures,
            first_failure=self._first_failure,
            cpu_seconds=time.process_time() - cpu,
        )

    def _pause(self) -> float:
        """Until the next moment that can be kept."""
        if not self._due or not self._free:
            return _IDLE_SECONDS
        return min(_IDLE_SECONDS, max(0.0, self._begin + self._due[0] - time.perf_counter()))

    def _send(self) -> None:
        """Send all that is due, as far as there are connections."""
        requests = self._plan.requests
        while self._due and self._free:
            moment = self._due[0]
            now = time.perf_counter() - self._begin
            if moment > now:
                return
            self._due.popleft()
            client = self._free.popleft()
            self._waiting[client.connection.fileno()] = moment
            client.send(requests[self._sent % len(requests)])
            self._lags.append(now - moment)
            self._sent += 1

    def _receive(self, number: int) -> None:
        client = self._all[number]
        try:
            answer = client.receive()
        except OSError as error:
            self._fail(str(error))
            self._due.clear()
            self._poll.unregister(number)
            self._waiting.pop(number, None)
            return
        if answer is None:
            return
        latency = time.perf_counter() - self._begin - self._waiting[number]
        status = answer[9:12]
        admitted = status == _OK and answer.count(self._plan.mark) == self._plan.marks
        if admitted or (status == _REFUSED and b"\r\nretry-after: " in answer):
            self._moments.append(self._waiting[number])
            self._latencies.append(latency)
            self._admitted.append(admitted)
        else:
            self._fail(answer[:400].decode(errors="replace"))
        del self._waiting[number]
        self._free.append(client)

    def _fail(self, why: str, *, times: int = 1) -> None:
        self._failures += times
        self._first_failure = self._first_failure or why


def main() -> None:
    """Read a plan, run it, write its result."""
    loop = OpenLoop(msgspec.msgpack.decode(sys.stdin.buffer.read(), type=Plan))
    gc.freeze()
    gc.disable()  # nothing here goes in circles, and a collection would be late for a moment
    sys.stdout.buffer.write(msgspec.msgpack.encode(loop.run()))
    sys.stdout.buffer.flush()


if __name__ == "__main__":
    main()
