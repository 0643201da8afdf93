"""`clickwise up` with TLS, and with clients that say little, over sockets."""

import socket
import ssl
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from clickwise.testing.certificates import Authority, Issued
from clickwise.testing.processes import wait_until
from clickwise.testing.running import RunningSite

KEY = "a-key-of-the-test-suite"
DEADLINE = 60.0


class Secured:
    """A running server with a certificate, and who signed that."""

    def __init__(self, folder: Path) -> None:
        self.authority = Authority(folder / "authority")
        self.pair: Issued = self.authority.issue("server")
        self.site = RunningSite(
            folder / "home",
            environment={
                "CLICKWISE_TLS_CERTIFICATE": str(self.pair.certificate),
                "CLICKWISE_TLS_KEY": str(self.pair.key),
                "CLICKWISE_API_KEYS": KEY,
                "CLICKWISE_IDLE_SECONDS": "2",
                "CLICKWISE_UNDERSTAND": "false",
            },
            certificates=str(self.authority.file),
        )

    def context(self) -> ssl.SSLContext:
        return ssl.create_default_context(cafile=str(self.authority.file))

    def connect(self, context: ssl.SSLContext) -> ssl.SSLSocket:
        plain = socket.create_connection(("127.0.0.1", self.site.port), DEADLINE)
        return context.wrap_socket(plain, server_hostname="127.0.0.1")

    def showing(self) -> set[int]:
        """Ids of the processes whose present state its figures hold."""
        files = (self.site.home / "metrics").glob("gauge_live*_*.db")
        return {int(path.stem.rpartition("_")[2]) for path in files}

    def serial(self) -> object:
        """The number of the certificate that it shows."""
        with self.connect(self.context()) as connection:
            found = connection.getpeercert()
            assert found is not None
            return found["serialNumber"]


@pytest.fixture(scope="module")
def secured(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Secured]:
    made = Secured(tmp_path_factory.mktemp("tls"))
    with made.site:
        yield made


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_a_client_that_trusts_the_authority_is_answered(
    secured: Secured, version: ssl.TLSVersion
) -> None:
    context = secured.context()
    context.minimum_version = context.maximum_version = version

    answer = httpx.get(
        f"{secured.site.address}/v1/items/none", verify=context, headers={"x-api-key": KEY},
        trust_env=False,
    )  # fmt: skip

    assert answer.status_code == 404


def test_one_that_does_not_trust_it_asks_nothing(secured: Secured) -> None:
    with pytest.raises(httpx.ConnectError, match="CERTIFICATE_VERIFY_FAILED"):
        httpx.get(f"{secured.site.address}/healthz", trust_env=False)


@pytest.mark.filterwarnings("ignore:ssl.TLSVersion:DeprecationWarning")
def test_tls_before_1_2_is_refused(secured: Secured) -> None:
    context = secured.context()
    context.set_ciphers("DEFAULT:@SECLEVEL=0")
    context.minimum_version = ssl.TLSVersion.TLSv1
    context.maximum_version = ssl.TLSVersion.TLSv1_1

    with pytest.raises((ssl.SSLError, ConnectionError)):
        secured.connect(context)


@pytest.mark.parametrize(
    "said", [b"", b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nX-More: "], ids=["nothing", "half"]
)
def test_a_client_that_does_not_end_its_headers_is_left(secured: Secured, said: bytes) -> None:
    with secured.connect(secured.context()) as connection:
        connection.sendall(said)

        assert connection.recv(1) == b""  # closed; the socket's own deadline is much later


def test_headers_are_bounded_in_number(secured: Secured) -> None:
    headers = b"".join(b"X-%d: a\r\n" % number for number in range(150))

    assert answered(secured, headers) == b"431"


def test_headers_are_bounded_in_size(secured: Secured) -> None:
    # Well beyond: the bound is looked at after each read of what has come. An answer to somebody
    # who still sends may be lost with the connection.
    assert answered(secured, b"X-Long: " + b"a" * 2_000_000 + b"\r\n") in (b"431", b"closed")


def answered(secured: Secured, headers: bytes) -> bytes:
    """The status that a request with these headers gets."""
    with secured.connect(secured.context()) as connection:
        try:
            connection.sendall(b"GET /healthz HTTP/1.1\r\nHost: 127.0.0.1\r\n" + headers + b"\r\n")
            return connection.recv(100).split()[1]
        except (ConnectionError, ssl.SSLError, IndexError):
            return b"closed"


def test_a_new_certificate_is_shown_without_a_restart(secured: Secured) -> None:
    before = secured.serial()
    showing = secured.showing()
    process = secured.site.program.pid
    other = secured.authority.issue("other")

    secured.pair.key.write_bytes(other.key.read_bytes())
    secured.pair.certificate.write_bytes(other.certificate.read_bytes())
    failed = lost = 0

    def shown() -> bool:
        nonlocal failed, lost
        try:
            answer = httpx.get(
                f"{secured.site.address}/healthz", verify=secured.context(), trust_env=False,
                timeout=DEADLINE,
            )  # fmt: skip
            failed += answer.status_code != 200
            return secured.serial() != before
        except (httpx.TransportError, OSError):
            lost += 1
            return False

    wait_until(shown, seconds=DEADLINE, what="the new certificate")

    assert failed == 0
    assert lost <= 1  # what came in the moment that the one worker stopped
    assert secured.site.program.running
    assert secured.site.program.pid == process
    wait_until(
        lambda: secured.showing() - showing and len(secured.showing()) == len(showing),
        seconds=DEADLINE,
        what="the new worker's figures in the place of those of the old one",
    )
