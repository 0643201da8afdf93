"""Certificates that settings name: which are refused, and with which words."""

import subprocess
import sys
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    PrivateFormat,
)

from clickwise.cli.access_checks import certificate
from clickwise.cli.renewing import CertificateWatch, listens
from clickwise.errors import ConfigurationError
from clickwise.settings import load
from clickwise.testing.certificates import Authority
from clickwise.testing.processes import wait_until
from clickwise.tls import OLDEST, check_pair, trusting


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path / "authority")


def test_a_certificate_and_its_key_go_together(authority: Authority) -> None:
    pair = authority.issue("server")

    check_pair(str(pair.certificate), str(pair.key))


def test_another_ones_key_is_refused(authority: Authority) -> None:
    pair, other = authority.issue("server"), authority.issue("other")

    with pytest.raises(ConfigurationError, match="the key is not that of the certificate"):
        check_pair(str(pair.certificate), str(other.key))


def test_a_file_that_is_absent_or_no_pem_is_named(authority: Authority, tmp_path: Path) -> None:
    pair = authority.issue("server")
    text = tmp_path / "text"
    text.write_text("no certificate")

    with pytest.raises(ConfigurationError, match=r"CLICKWISE_TLS_KEY=.*absent: No such file"):
        check_pair(str(pair.certificate), str(tmp_path / "absent"))
    with pytest.raises(ConfigurationError, match=r"CLICKWISE_TLS_CERTIFICATE=.*text is no PEM"):
        check_pair(str(text), str(pair.key))
    with pytest.raises(ConfigurationError, match="not a certificate and its key"):
        check_pair(str(pair.key), str(pair.key))


def test_a_key_that_wants_a_password_is_refused_and_nobody_is_asked(
    authority: Authority, tmp_path: Path
) -> None:
    pair = authority.issue("server")
    locked = tmp_path / "locked.key"
    locked.write_bytes(
        ec.generate_private_key(ec.SECP256R1()).private_bytes(
            Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(b"a password")
        )
    )

    with pytest.raises(ConfigurationError, match="without a password"):
        check_pair(str(pair.certificate), str(locked))


def test_an_authority_is_read_and_older_protocols_are_not_spoken(
    authority: Authority, tmp_path: Path
) -> None:
    context = trusting(str(authority.file), "CLICKWISE_KAFKA_CA_FILE")
    empty = tmp_path / "empty"
    empty.touch()

    assert context.minimum_version == OLDEST
    assert len(context.get_ca_certs()) == 1
    for wrong in (tmp_path / "absent", empty):
        with pytest.raises(ConfigurationError, match=f"CLICKWISE_KAFKA_CA_FILE={wrong} cannot"):
            trusting(str(wrong), "CLICKWISE_KAFKA_CA_FILE")


def test_check_tells_how_long_the_certificate_is_good(authority: Authority) -> None:
    pair = authority.issue("server")  # for a day

    (seen,) = certificate(load({}, tls_certificate=str(pair.certificate), tls_key=str(pair.key)))

    assert seen.level == "warn"
    assert seen.text.startswith("good until 20")


def test_workers_are_renewed_when_both_files_are_new_and_not_before(authority: Authority) -> None:
    pair = authority.issue("server")
    settings = load({}, tls_certificate=str(pair.certificate), tls_key=str(pair.key))
    renewed: list[bool] = []
    watch = CertificateWatch(settings, lambda: renewed.append(True), look_seconds=0.01)
    other = authority.issue("other")
    watch.start()

    pair.certificate.write_bytes(other.certificate.read_bytes())
    wait_until(lambda: bool(watch._refused), seconds=20.0, what="half a pair seen")
    before = list(renewed)
    pair.key.write_bytes(other.key.read_bytes())
    wait_until(lambda: bool(renewed), seconds=20.0, what="renewed")
    watch.stop()

    assert before == []
    assert renewed == [True]


@pytest.mark.skipif(sys.platform != "linux", reason="/proc is Linux's")
def test_a_process_listens_once_its_socket_does() -> None:
    # A process of its own: this one may have sockets of other tests that listen.
    steps = (
        "import socket; one = socket.socket(); one.bind(('127.0.0.1', 0))",
        "print('bound', flush=True); input(); one.listen()",
        "print('listens', flush=True); input(); one.close()",
        "print('closed', flush=True); input()",
    )
    found = []

    with subprocess.Popen(
        [sys.executable, "-c", "\n".join(steps)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        for _ in range(3):
            process.stdout.readline()
            found.append(listens(process.pid))
            process.stdin.write("on\n")
            process.stdin.flush()

    assert found == [False, True, False]
