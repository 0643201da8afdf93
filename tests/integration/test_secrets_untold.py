"""No secret is told: each has a mark, each process has a fault, and all that they say is searched.

The secrets are those of the settings' own declaration, so that a new one is marked here before
anybody thinks of it; how it is put to the test has to be said then (`PRESENTED`). Keys of the
database and tokens: `tests/e2e/test_access.py`. A broker that refuses a password:
`tests/e2e/test_kafka_secured.py`.
"""

import json
import socketserver
import struct
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import get_args, get_type_hints

import httpx
import pytest

from clickwise.secret import Secret
from clickwise.settings import PREFIX, Settings
from clickwise.testing.kafka import free_ports
from clickwise.testing.processes import Program, wait_until
from clickwise.testing.running import COMMAND, HASHING, RunningSite

SECONDS = 240.0
SECRETS = [
    name
    for name, hint in get_type_hints(Settings, include_extras=True).items()
    if get_args(hint)[:1] == (Secret,)
]
MARKS = {name: f"marked0{name.replace('_', '0')}0of0the0test" for name in SECRETS}
# Where each secret comes to be used: at whom that refuses it, or in which process.
PRESENTED = {
    "api_keys": "a request",
    "database_url": "database",
    "metrics_keys": "a request",
    "kafka_password": "nobody: the broker is away",
    "qdrant_api_key": "qdrant",
    "texts_key": "texts",
}


class Refusing(BaseHTTPRequestHandler):
    """A service that wants another key, and answers with the one that it was shown."""

    def _refuse(self) -> None:
        self.rfile.read(int(self.headers.get("content-length", 0)))
        shown = f"{self.headers.get('authorization')} {self.headers.get('api-key')}"
        self.server.shown.append(shown)  # type: ignore[attr-defined]  # `serving` below
        body = json.dumps({"error": {"message": f"wrong key: {shown}"}, "status": shown}).encode()
        self.send_response(401)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    do_GET = do_POST = do_PUT = _refuse  # as the library calls them

    def log_message(self, *_: object) -> None:
        """Nothing to standard error."""


class WrongPassword(socketserver.BaseRequestHandler):
    """A PostgreSQL that asks for the password in clear, and finds it wrong."""

    def handle(self) -> None:
        """The messages of a start, as of protocol 3."""
        length, code = struct.unpack("!ii", self._read(8))
        while code in (80_877_103, 80_877_104):  # may it be TLS, or GSS? No
            self.request.sendall(b"N")
            length, code = struct.unpack("!ii", self._read(8))
        self._read(length - 8)
        self.request.sendall(b"R" + struct.pack("!ii", 8, 3))
        _, length = struct.unpack("!ci", self._read(5))
        self.server.shown.append(self._read(length - 4).decode())  # type: ignore[attr-defined]
        fields = b"SFATAL\0VFATAL\0C28P01\0Mpassword authentication failed\0\0"
        self.request.sendall(b"E" + struct.pack("!i", len(fields) + 4) + fields)

    def _read(self, size: int) -> bytes:
        content = b""
        while len(content) < size:
            more = self.request.recv(size - len(content))
            if not more:
                raise ConnectionError
            content += more
        return content


class _Database(socketserver.ThreadingTCPServer):
    daemon_threads = True
    allow_reuse_address = True

    def handle_error(self, *_: object) -> None:
        """Who goes away is no news."""


@contextmanager
def serving(server: socketserver.TCPServer) -> Iterator[list[str]]:
    """What it is shown, while it runs."""
    shown: list[str] = []
    server.shown = shown  # type: ignore[attr-defined]
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield shown
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


@dataclass(frozen=True)
class Told:
    """What the processes wrote, by their names, and what the services were shown."""

    said: dict[str, str]
    codes: dict[str, int]
    shown: dict[str, list[str]]


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> Told:
    folder = tmp_path_factory.mktemp("secrets")
    with ExitStack() as stack:
        services = {
            "qdrant": ThreadingHTTPServer(("127.0.0.1", 0), Refusing),
            "texts": ThreadingHTTPServer(("127.0.0.1", 0), Refusing),
            "database": _Database(("127.0.0.1", 0), WrongPassword),
        }
        shown = {name: stack.enter_context(serving(one)) for name, one in services.items()}
        ports = {name: one.server_address[1] for name, one in services.items()}
        return _lived(folder, ports, shown)


def _lived(folder: Path, ports: dict[str, int], shown: dict[str, list[str]]) -> Told:
    (nowhere,) = free_ports(1)
    marked = {PREFIX + name.upper(): mark for name, mark in MARKS.items()}
    base = {
        **HASHING,
        **marked,
        "CLICKWISE_DATABASE_URL": (
            f"postgresql+psycopg://somebody:{MARKS['database_url']}@127.0.0.1:{ports['database']}/x"
        ),
        "CLICKWISE_LOG_LEVEL": "debug",
        "CLICKWISE_LOG_FORMAT": "json",
        "CLICKWISE_STARTUP_TIMEOUT_SECONDS": "1",
    }
    kafka = {
        "CLICKWISE_KAFKA_BOOTSTRAP": f"127.0.0.1:{nowhere}",
        "CLICKWISE_KAFKA_SECURITY_PROTOCOL": "SASL_PLAINTEXT",
        "CLICKWISE_KAFKA_USERNAME": "somebody",
    }
    qdrant = {"CLICKWISE_QDRANT_URL": f"http://127.0.0.1:{ports['qdrant']}"}
    away = {"CLICKWISE_QDRANT_URL": f"http://127.0.0.1:{nowhere}"}
    once = {
        "up": (["up", "--port", "0"], {}),
        "up-refused": (["up", "--port", "0"], qdrant),
        "up-alone": (["up", "--port", "0"], away),
        "serve": (["serve", "--port", "0"], kafka),
        "stream": (["stream"], kafka),
        "topics": (["topics", "create"], kafka),
        "archive": (["archive", "--once"], {}),
        "train": (["train", "once"], {}),
        "migrate": (["migrate"], {}),
        "check": (["check", "--deep"], kafka | qdrant),
    }
    said, codes = {}, {}
    with ExitStack() as stack:
        programs = {
            name: stack.enter_context(
                Program(
                    [*COMMAND, *arguments],
                    environment={**base, **more, "CLICKWISE_HOME": str(folder / name)},
                    log=folder / f"{name}.log",
                )
            )
            for name, (arguments, more) in once.items()
        }
        said["running"] = _running(folder, base, ports["texts"], shown["texts"])
        for name, program in programs.items():
            wait_until(lambda one=program: not one.running, seconds=SECONDS, what=name)
            codes[name] = program.wait()
            said[name] = program.output
    for path in folder.rglob("*"):
        if path.is_file():
            said[str(path.relative_to(folder))] = path.read_bytes().decode(errors="replace")
    return Told(said, codes, shown)


def _running(folder: Path, base: dict[str, str], port: int, shown: list[str]) -> str:
    """A server that runs, whose endpoint of texts refuses the key: its log and its figures."""
    environment = {
        **base,
        "CLICKWISE_DATABASE_URL": "",
        "CLICKWISE_TEXTS": "url",
        "CLICKWISE_TEXTS_URL": f"http://127.0.0.1:{port}/v1",
        "CLICKWISE_TEXTS_MODEL": "any",
    }
    key = {"authorization": f"Bearer {MARKS['api_keys']}"}
    with RunningSite(folder / "running", environment=environment) as site:
        item = {"kind": "news", "title": "A tram", "body": "A tram line opened. It is long."}
        with httpx.Client(base_url=site.address, trust_env=False, timeout=60.0) as client:
            assert client.put("/v1/items/a", json=item, headers=key).is_success
            wrong = {"authorization": f"Bearer {MARKS['api_keys']}-and-more"}
            assert client.get("/v1/items/a", headers=wrong).status_code == 401
            wait_until(lambda: bool(shown), seconds=SECONDS, what="a text asked for")
            wait_until(
                lambda: "CLICKWISE_TEXTS_KEY" in site.program.output,
                seconds=SECONDS,
                what="the refusal told",
            )
            prometheus = {"authorization": f"Bearer {MARKS['metrics_keys']}"}
            assert client.get("/v1/items/a", headers=prometheus).status_code == 403
            figures = client.get("/metrics", headers=prometheus)
        assert "clickwise_" in figures.text
        site.stop()
        return site.program.output + figures.text


def test_of_every_secret_it_is_said_where_it_is_put_to_the_test() -> None:
    assert PRESENTED.keys() == set(SECRETS)


@pytest.mark.case(20)
def test_no_secret_is_in_anything_that_is_said_or_kept(told: Told) -> None:
    found = {
        (name, where)
        for where, text in told.said.items()
        for name, mark in MARKS.items()
        if mark in text
    }

    assert not found


def test_each_process_met_its_fault_and_said_so_without_a_traceback(told: Told) -> None:
    assert all(code not in (0, None) for code in told.codes.values()), told.codes
    assert all(told.said[name] for name in told.codes)
    assert [name for name in told.codes if "Traceback" in told.said[name]] == []


@pytest.mark.parametrize("service", ["database", "qdrant", "texts"])
def test_the_services_were_shown_the_secrets(told: Told, service: str) -> None:
    (name,) = (name for name, where in PRESENTED.items() if where == service)

    assert any(MARKS[name] in one for one in told.shown[service])
