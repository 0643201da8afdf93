"""The load generator: a closed loop of clients over plain sockets, in a process of its own.

    python -m clickwise.bench.load < plan > result      (both msgpack; see `Plan`, `Result`)

It shares the machine with the server that it measures, so it does as little as it can: one
thread, `epoll`, requests encoded beforehand, answers checked by their status and by counting a
mark in the body. Each client waits for its answer before it asks again. Requests under way when
the time is up are waited for and counted, so that a starved connection shows.
"""

import select
import signal
import socket
import sys
import time
from array import array
from collections.abc import Iterator
from itertools import cycle

import msgspec

PATIENCE_SECONDS = 20.0
_RECEIVE_BYTES = 1 << 18
_LENGTH = b"content-length:"


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """What to send, and what an answer has to be.

    `requests` are whole HTTP/1.1 requests, sent in order by whichever client is free, and again
    from the start when `repeat`. An answer is right when its status is `status` and `mark` is
    `marks` times in its body. `note`: a text whose absence in a right answer is counted.
    """

    host: str
    port: int
    clients: int
    requests: list[bytes]
    repeat: bool
    warmup_seconds: float
    seconds: float
    status: int = 200
    mark: bytes = b""
    marks: int = 0
    note: bytes = b""


class Result(msgspec.Struct, frozen=True, kw_only=True):
    """What came back. `ends` (monotonic seconds, float64) and `latencies` (seconds, float64) of
    each right answer after the warm-up; `window_seconds` is how long requests were sent for.
    """

    ends: bytes
    latencies: bytes
    window_seconds: float
    failures: int
    first_failure: str
    without_note: int
    cpu_seconds: float


class Exchange:
    """One connection and the answer that it waits for."""

    __slots__ = ("buffer", "connection", "needed", "started")

    def __init__(self, host: str, port: int) -> None:
        self.connection = socket.create_connection((host, port), PATIENCE_SECONDS)
        self.connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.buffer = b""
        self.needed = 0
        self.started = 0.0

    def send(self, request: bytes) -> None:
        """Ask."""
        self.buffer = b""
        self.needed = 0
        self.started = time.perf_counter()
        self.connection.sendall(request)

    def receive(self) -> bytes | None:
        """The whole answer once it is there.

        Raises:
            OSError: the server closed the connection, or sent what is not understood here.
        """
        data = self.connection.recv(_RECEIVE_BYTES)
        if not data:
            raise ConnectionResetError("the server closed the connection")
        if self.buffer:
            data = self.buffer + data
        if not self.needed:
            end = data.find(b"\r\n\r\n")
            if end < 0:
                self.buffer = data
                return None
            self.needed = end + 4 + _content_length(data[:end])
        if len(data) < self.needed:
            self.buffer = data
            return None
        return data


def _content_length(head: bytes) -> int:
    head = head.lower()
    start = head.find(_LENGTH)
    if start < 0:
        raise ConnectionError(f"an answer without Content-Length: {head[:120]!r}")
    end = head.find(b"\r", start)
    return int(head[start + len(_LENGTH) : end if end >= 0 else len(head)])


class Loop:
    """Runs one plan."""

    def __init__(self, plan: Plan) -> None:
        self._plan = plan
        self._ends = array("d")
        self._latencies = array("d")
        self._failures = 0
        self._first_failure = ""
        self._without_note = 0
        self._stopped = False

    def stop(self) -> None:
        """Send nothing more."""
        self._stopped = True

    def run(self) -> Result:
        """Run it to its end, or until `stop`."""
        plan = self._plan
        requests = iter(cycle(plan.requests) if plan.repeat else plan.requests)
        cpu = time.process_time()
        begin = time.perf_counter()
        measured_from = begin + plan.warmup_seconds
        until = measured_from + plan.seconds
        poll = select.epoll()
        waiting: dict[int, Exchange] = {}
        for _ in range(plan.clients):
            self._open(poll, waiting, requests)
        last = begin
        while waiting:
            ready = poll.poll(0.2)
            now = time.perf_counter()
            if ready:
                last = now
            elif now - last > PATIENCE_SECONDS:
                self._fail(f"no answer within {PATIENCE_SECONDS:g} s", times=len(waiting))
                break
            for number, _ in ready:
                client = waiting[number]
                if not self._answered(client, measured_from):
                    continue
                following = None if self._over(until) else next(requests, None)
                if following is None:
                    del waiting[number]
                    client.connection.close()
                else:
                    client.send(following)
        for client in waiting.values():
            client.connection.close()
        poll.close()
        return Result(
            ends=self._ends.tobytes(),
            latencies=self._latencies.tobytes(),
            window_seconds=min(time.perf_counter(), until) - measured_from,
            failures=self._failures,
            first_failure=self._first_failure,
            without_note=self._without_note,
            cpu_seconds=time.process_time() - cpu,
        )

    def _open(
        self, poll: select.epoll, waiting: dict[int, Exchange], requests: Iterator[bytes]
    ) -> None:
        request = next(requests, None)
        if request is None:
            return
        client = Exchange(self._plan.host, self._plan.port)
        number = client.connection.fileno()
        waiting[number] = client
        poll.register(number, select.EPOLLIN)
        client.send(request)

    def _over(self, until: float) -> bool:
        return self._stopped or time.perf_counter() >= until

    def _answered(self, client: Exchange, measured_from: float) -> bool:
        """Take what arrived; True when the answer is whole, or will not be."""
        try:
            answer = client.receive()
        except OSError as error:
            self._fail(str(error))
            self._stopped = True
            return True
        if answer is None:
            return False
        end = time.perf_counter()
        plan = self._plan
        right = answer[9:12] == b"%d" % plan.status
        if not right or (plan.mark and answer.count(plan.mark) != plan.marks):
            self._fail(answer[:400].decode(errors="replace"))
        elif client.started >= measured_from:
            self._ends.append(end)
            self._latencies.append(end - client.started)
            if plan.note and plan.note not in answer:
                self._without_note += 1
        return True

    def _fail(self, why: str, *, times: int = 1) -> None:
        self._failures += times
        self._first_failure = self._first_failure or why


def main() -> None:
    """Read a plan, run it, write its result; SIGTERM ends it early and in order."""
    plan = msgspec.msgpack.decode(sys.stdin.buffer.read(), type=Plan)
    loop = Loop(plan)
    signal.signal(signal.SIGTERM, lambda *_: loop.stop())
    result = loop.run()
    sys.stdout.buffer.write(msgspec.msgpack.encode(result))
    sys.stdout.buffer.flush()


if __name__ == "__main__":
    main()
