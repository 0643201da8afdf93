"""What a container's health check says of each answer."""

import socket
import subprocess
import sys
import threading

import pytest

from tests.deploy.files import DEPLOY


def answered(reply):
    """The check's exit code and words, of one that answers like this."""
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve():
            connection, _ = server.accept()
            with connection:
                connection.recv(65_536)
                connection.sendall(reply)

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        done = check(server.getsockname()[1])
        thread.join(60)
    return done


def check(port):
    done = subprocess.run(
        [sys.executable, DEPLOY / "healthy.py", f"http://127.0.0.1:{port}/healthz"],
        capture_output=True, text=True, check=False, timeout=60,
    )  # fmt: skip
    return done.returncode, done.stderr


def test_200_is_healthy():
    assert answered(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n") == (0, "")


@pytest.mark.parametrize("status", ["204 No Content", "401 Unauthorized", "503 Unavailable"])
def test_any_other_status_is_not_and_is_named(status):
    code, words = answered(f"HTTP/1.1 {status}\r\nContent-Length: 0\r\n\r\n".encode())

    assert code == 1
    assert status[:3] in words


def test_who_answers_with_tls_is_told_in_a_line():
    code, words = answered(b"\x15\x03\x01\x00\x02\x02\x46")  # TLS: an alert, unexpected message

    assert code == 1
    assert words.count("\n") == 1
    assert "TLS" in words


def test_where_nobody_listens_it_says_so_in_a_line():
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]

    code, words = check(port)

    assert code == 1
    assert words.count("\n") == 1
