"""PostgreSQL and Qdrant over TLS, with certificates of an authority that the test made."""

import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import psycopg
import pytest

from clickwise.cli.waiting import qdrant_answers
from clickwise.errors import ConfigurationError, UnavailableError
from clickwise.secret import Secret
from clickwise.settings import Settings, load
from clickwise.state.sql import SqlState, open_state
from clickwise.testing.certificates import Authority
from clickwise.testing.postgres import PostgresMissingError, PostgresServer
from clickwise.testing.services import missing
from clickwise.vectors.server import connect, live_model

KEY = "a-key-of-the-qdrant-server"


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("authority"))


@pytest.fixture(scope="module")
def other(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("other"), name="other")


@pytest.fixture(scope="module")
def secured(authority: Authority) -> Iterator[PostgresServer]:
    try:
        server = PostgresServer(certificate=authority.issue("postgres"))
    except PostgresMissingError as error:
        missing(str(error))
    with server:
        yield server


@contextmanager
def state(url: str) -> Iterator[SqlState]:
    opened = open_state(url, timeout_seconds=5.0, pool_size=2)
    yield opened
    opened.close()


def test_the_state_is_kept_over_tls_that_is_verified(
    secured: PostgresServer, authority: Authority
) -> None:
    url = f"{secured.create_database('verified')}?sslmode=verify-full&sslrootcert={authority.file}"

    with state(url) as opened:
        opened.migrate()
        opened.ping()

    plain = url.replace("postgresql+psycopg", "postgresql")
    with psycopg.connect(plain) as connection:
        row = connection.execute(
            "SELECT ssl, version FROM pg_stat_ssl WHERE pid = pg_backend_pid()"
        ).fetchone()
    assert row is not None
    assert row[0] is True
    assert row[1] in ("TLSv1.2", "TLSv1.3")


def test_a_database_that_cannot_show_who_it_is_is_not_used(
    secured: PostgresServer, other: Authority, postgres_url: str, tmp_path: Path
) -> None:
    wrong = f"{secured.url}?sslmode=verify-full&sslrootcert={other.file}"
    absent = f"{secured.url}?sslmode=verify-full&sslrootcert={tmp_path / 'absent'}"
    without = f"{postgres_url}?sslmode=require"

    for url in (wrong, absent, without):
        with state(url) as opened, pytest.raises(UnavailableError, match="certificate is not good"):
            opened.ping()


class _Qdrant(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        good = self.headers["api-key"] == KEY
        body = b'{"result": {"aliases": []}, "status": "ok", "time": 0.0}' if good else b"{}"
        self.send_response(200 if good else 401)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture(scope="module")
def qdrant(authority: Authority) -> Iterator[str]:
    pair = authority.issue("qdrant")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pair.certificate, pair.key)
    with ThreadingHTTPServer(("127.0.0.1", 0), _Qdrant) as server:
        server.socket = context.wrap_socket(server.socket, server_side=True)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"https://127.0.0.1:{server.server_port}"
        server.shutdown()


def settings(url: str, authority: Authority, key: str = KEY) -> Settings:
    return load({}, qdrant_url=url, qdrant_api_key=key, qdrant_ca_file=str(authority.file))


async def test_qdrant_is_asked_with_its_key_over_tls_that_is_verified(
    qdrant: str, authority: Authority, other: Authority
) -> None:
    await qdrant_answers(settings(qdrant, authority))

    with pytest.raises(UnavailableError, match="CERTIFICATE_VERIFY_FAILED"):
        await qdrant_answers(settings(qdrant, other))
    with pytest.raises(ConfigurationError, match="refuses the key"):
        await qdrant_answers(settings(qdrant, authority, "another-key"))


def test_vectors_are_asked_for_the_same_way(
    qdrant: str, authority: Authority, other: Authority
) -> None:
    def client(trusted: Authority):
        return connect(qdrant, api_key=Secret(KEY), timeout_seconds=5.0, ca_file=str(trusted.file))

    assert live_model(client(authority), prefix="clickwise") is None
    with pytest.raises(UnavailableError):
        live_model(client(other), prefix="clickwise")
    with pytest.raises(ConfigurationError, match="CLICKWISE_QDRANT_CA_FILE=absent"):
        connect(qdrant, api_key=Secret(KEY), timeout_seconds=5.0, ca_file="absent")
