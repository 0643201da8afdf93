"""Both load generators against servers that misbehave: no wrong answer may pass for a figure."""

import socket
import threading

import numpy as np
import pytest

from clickwise.bench.load import Plan
from clickwise.bench.loads import LoadFailedError, measure
from clickwise.bench.open_load import Plan as OpenPlan
from clickwise.bench.overload import run_open
from clickwise.bench.requests import POSITION, get

LIST = b'{"items":[{"position":0},{"position":1}],"degraded":[]}'


def answer(body=LIST, status=b"200 OK"):
    return b"HTTP/1.1 %s\r\nContent-Length: %d\r\n\r\n" % (status, len(body)) + body


class Server:
    """Answers the n-th request with what `reply(n)` lists: one send each; none closes."""

    def __init__(self, reply):
        self._reply = reply
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        self.received = 0
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection):
        with connection:
            while b"\r\n\r\n" in connection.recv(65_536):
                parts = self._reply(self.received)
                self.received += 1
                if not parts:
                    return
                for part in parts:
                    connection.sendall(part)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._listener.close()


def plan(port, **changes):
    given = {
        "host": "127.0.0.1", "port": port, "clients": 2, "requests": [get("/")] * 50,
        "repeat": False, "warmup_seconds": 0.0, "seconds": 30.0, "mark": POSITION, "marks": 2,
        "note": b'"degraded":[]',
    }  # fmt: skip
    return Plan(**{**given, **changes})


def test_every_request_is_sent_once_and_measured():
    with Server(lambda _: [answer()]) as server:
        measured = measure(plan(server.port))

    assert server.received == 50
    assert len(measured.latencies_N) == 50
    assert (measured.latencies_N > 0.0).all()


def test_an_answer_in_pieces_is_one_answer():
    whole = answer()
    with Server(lambda _: [whole[:9], whole[9:60], whole[60:]]) as server:
        measured = measure(plan(server.port))

    assert len(measured.latencies_N) == 50


@pytest.mark.parametrize(
    "reply",
    [
        [answer(status=b"503 Service Unavailable")],
        [answer(b'{"items":[{"position":0}]}')],
        [],
        [b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"],
    ],
    ids=["status", "an item short", "closed", "no length"],
)
def test_one_wrong_answer_fails_the_measurement(reply):
    with (
        Server(lambda number: reply if number == 20 else [answer()]) as server,
        pytest.raises(LoadFailedError, match="1 requests failed"),
    ):
        measure(plan(server.port))


def test_degraded_answers_are_counted():
    fallen_back = answer(LIST.replace(b"[]", b'["vectors"]'))
    with Server(lambda n: [fallen_back if n % 5 == 0 else answer()]) as server:
        measured = measure(plan(server.port))

    assert measured.without_note == 10


def test_a_server_that_is_not_there_fails_the_measurement():
    with socket.create_server(("127.0.0.1", 0)) as unused:
        port = unused.getsockname()[1]

    with pytest.raises(LoadFailedError):
        measure(plan(port))


REFUSED = b"HTTP/1.1 429 Too Many Requests\r\nretry-after: 1\r\nContent-Length: 2\r\n\r\n{}"


def open_plan(port, **changes):
    given = {
        "host": "127.0.0.1", "port": port, "connections": 4, "requests": [get("/")],
        "rate": 200.0, "seconds": 0.5, "spacing": "even", "seed": 1, "mark": POSITION, "marks": 2,
    }  # fmt: skip
    return OpenPlan(**{**given, **changes})


def test_every_request_of_an_open_loop_is_sent_once_at_its_moment():
    with Server(lambda _: [answer()]) as server:
        result = run_open(open_plan(server.port))

    moments_N = np.frombuffer(result.moments)
    assert server.received == len(moments_N) == 100
    assert sorted(moments_N) == pytest.approx([number / 200.0 for number in range(100)])
    assert (np.frombuffer(result.lags) >= 0.0).all()


def test_who_had_to_wait_for_a_late_answer_counts_from_its_own_moment():
    """One connection, and an answer that is held back: those behind it were due all the while."""
    held = threading.Event()

    def reply(number):
        if number == 20:
            held.wait(0.3)
        return [answer()]

    with Server(reply) as server:
        result = run_open(open_plan(server.port, connections=1))

    latencies_N = np.frombuffer(result.latencies)
    ordered = latencies_N[np.argsort(np.frombuffer(result.moments))]
    assert (ordered[20:40] >= 0.3 - np.arange(20) / 200.0).all()
    assert np.frombuffer(result.lags)[21] >= 0.29


def test_refused_requests_are_told_from_those_admitted():
    with Server(lambda number: [REFUSED if number % 4 == 0 else answer()]) as server:
        result = run_open(open_plan(server.port, connections=1))

    assert np.frombuffer(result.admitted, np.bool_).tolist() == [n % 4 != 0 for n in range(100)]


@pytest.mark.parametrize(
    "reply",
    [
        [answer(status=b"503 Service Unavailable")],
        [answer(b'{"items":[{"position":0}]}')],
        [REFUSED.replace(b"retry-after: 1\r\n", b"")],
        [],
    ],
    ids=["status", "an item short", "no Retry-After", "closed"],
)
def test_one_wrong_answer_fails_the_open_loop(reply):
    with (
        Server(lambda number: reply if number == 20 else [answer()]) as server,
        pytest.raises(LoadFailedError, match="1 requests failed"),
    ):
        run_open(open_plan(server.port))
