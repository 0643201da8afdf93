"""The application under granian, over sockets: addresses as sent, streams, a clean stop."""

import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

PROGRAM = """
from datetime import UTC, datetime
from pathlib import Path
from clickwise import logs
from clickwise.clock import SystemClock
from clickwise.settings import load
from clickwise.testing.doors import MemorySite
from serving.app import create_app
from serving.parts import Parts

logs.configure(level="info", output="json")
site = MemorySite(SystemClock())

async def stopped():
    Path(__file__).with_name("stopped").touch()

app = create_app(
    Parts(
        settings=load({}, stream_poll_seconds=0.01, max_in_flight=8),
        recommender=site.recommender, state=site.lookups, events=site.events, items=site.items,
        exposures=site.exposures, people=site.people, clock=site.clock, health=list,
        on_stop=stopped,
    )
)
"""


class Server:
    def __init__(self, folder: Path) -> None:
        (folder / "site_in_memory.py").write_text(PROGRAM)
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        self.url = f"http://127.0.0.1:{port}"
        self.stopped = folder / "stopped"
        self.process = subprocess.Popen(
            [
                str(Path(sys.executable).with_name("granian")),
                *("--interface", "asgi", "--port", str(port), "--loop", "uvloop"),
                *("--working-dir", str(folder), "site_in_memory:app"),
            ],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )

    def wait_until_ready(self) -> None:
        deadline = time.monotonic() + 30
        while True:
            try:
                httpx.get(f"{self.url}/readyz").raise_for_status()
            except httpx.TransportError:
                assert time.monotonic() < deadline, "the server does not answer"
                time.sleep(0.05)
            else:
                return


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    made = Server(tmp_path)
    try:
        made.wait_until_ready()
        yield made
    finally:
        made.process.terminate()
        try:
            made.process.wait(10)
        except subprocess.TimeoutExpired:
            made.process.kill()
            made.process.wait()


def next_list(lines: Iterator[str]) -> int:
    """The profile version of the next list in a stream."""
    return next(int(line.removeprefix("id: ")) for line in lines if line.startswith("id: "))


@pytest.mark.case(6)
def test_an_id_with_a_slash_goes_over_a_real_socket(server: Server) -> None:
    address = f"{server.url}/v1/items/a%2Fb%20%F0%9F%98%80"

    put = httpx.put(address, json={"kind": "news", "title": "T"})

    assert put.json() == {"id": "a/b \U0001f600", "verdict": "applied"}
    assert httpx.get(f"{address}/similar").status_code == 200
    assert httpx.head(f"{server.url}/healthz").status_code == 200


def test_a_click_reaches_an_open_stream_and_a_stop_ends_it_cleanly(server: Server) -> None:
    event = {"user": "ann", "item": "a", "type": "click"}
    with httpx.stream("GET", f"{server.url}/v1/users/ann/stream", timeout=10) as stream:
        lines = stream.iter_lines()
        first = next_list(lines)
        httpx.post(f"{server.url}/v1/events", json=event)
        second = next_list(lines)
        server.process.send_signal(signal.SIGTERM)
        rest = list(lines)

    assert (first, second) == (0, 1)
    assert not [line for line in rest if line.startswith("id:")]
    assert server.process.wait(10) == 0
    assert server.stopped.exists()


def test_a_client_that_leaves_frees_its_place(server: Server) -> None:
    for _ in range(3):
        with httpx.stream("GET", f"{server.url}/v1/users/ann/stream", timeout=10) as stream:
            next_list(stream.iter_lines())
    deadline = time.monotonic() + 10
    while "clickwise_streams_open 0.0" not in httpx.get(f"{server.url}/metrics").text:
        assert time.monotonic() < deadline, "places of streams are not given back"
        time.sleep(0.05)


def test_beyond_the_limit_requests_that_wait_for_nothing_get_429_too(server: Server) -> None:
    """One client after the other is never refused; very many at once are, and told when."""
    path = "/v1/users/ann/recommendations"
    alone = {httpx.get(f"{server.url}{path}").status_code for _ in range(20)}
    port = int(server.url.rpartition(":")[2])
    request = f"GET {path} HTTP/1.1\r\nhost: 127.0.0.1\r\nconnection: close\r\n\r\n".encode()
    connections = [socket.create_connection(("127.0.0.1", port), 10) for _ in range(200)]
    answers: list[bytes] = []

    def read(connection: socket.socket) -> None:
        with connection, connection.makefile("rb") as stream:
            answers.append(stream.read())

    readers = [threading.Thread(target=read, args=(one,)) for one in connections]
    for reader in readers:
        reader.start()
    # Stopped while they are sent, so that all of them arrive together.
    os.killpg(server.process.pid, signal.SIGSTOP)
    for connection in connections:
        connection.sendall(request)
    os.killpg(server.process.pid, signal.SIGCONT)
    for reader in readers:
        reader.join(20)

    statuses = Counter(answer.split(b" ", 2)[1] for answer in answers)
    assert alone == {200}
    assert len(answers) == 200
    assert statuses.keys() == {b"200", b"429"}, statuses
    assert all(b"retry-after" in answer for answer in answers if answer.startswith(b"HTTP/1.1 429"))
