"""The proxy that plays a bad network: what it lets through, and when."""

import socket
import threading
import time

import pytest

from clickwise.testing.proxy import TcpProxy


@pytest.fixture
def echo():
    """A port that sends back what it gets."""
    server = socket.create_server(("127.0.0.1", 0))

    def answer(connection):
        with connection:
            while data := connection.recv(1024):
                connection.sendall(data)

    def run():
        while True:
            try:
                connection, _ = server.accept()
            except OSError:
                return
            threading.Thread(target=answer, args=(connection,), daemon=True).start()

    threading.Thread(target=run, daemon=True).start()
    yield server.getsockname()[1]
    server.shutdown(socket.SHUT_RDWR)
    server.close()


@pytest.fixture
def proxy(echo):
    with TcpProxy() as one:
        one.lead_to("127.0.0.1", echo)
        yield one


def connected(proxy):
    connection = socket.create_connection(("127.0.0.1", proxy.port), 5.0)
    connection.settimeout(5.0)
    return connection


def heard(connection, seconds):
    connection.settimeout(seconds)
    try:
        return connection.recv(1024)
    except TimeoutError:
        return None
    finally:
        connection.settimeout(5.0)


def test_what_is_sent_arrives_and_its_answer_comes_back(proxy):
    with connected(proxy) as connection:
        connection.sendall(b"ada")

        assert connection.recv(1024) == b"ada"


def test_a_cut_keeps_what_is_sent_until_it_is_mended(proxy):
    with connected(proxy) as connection:
        connection.sendall(b"a")
        assert connection.recv(1024) == b"a"

        proxy.cut()
        connection.sendall(b"b")
        assert heard(connection, 0.2) is None

        proxy.mend()
        assert connection.recv(1024) == b"b"


def test_a_connection_opened_during_a_cut_is_led_on_afterwards(proxy):
    proxy.cut()
    with connected(proxy) as connection:
        connection.sendall(b"late")
        assert heard(connection, 0.2) is None

        proxy.mend()

        assert connection.recv(1024) == b"late"


def test_a_delay_holds_back_what_is_sent_each_way(proxy):
    with connected(proxy) as connection:
        proxy.delay(0.1)
        started = time.monotonic()
        connection.sendall(b"1")

        assert connection.recv(1) == b"1"
        assert time.monotonic() - started >= 0.2


def test_where_nobody_listens_the_connection_ends():
    with TcpProxy() as proxy:
        proxy.lead_to("127.0.0.1", 1)
        with connected(proxy) as connection:
            assert ended(connection)


def test_the_end_of_one_side_reaches_the_other(proxy):
    with connected(proxy) as connection:
        connection.sendall(b"bye")
        assert connection.recv(1024) == b"bye"
        connection.shutdown(socket.SHUT_WR)

        assert ended(connection)


def ended(connection):
    try:
        return connection.recv(1024) == b""
    except ConnectionError:
        return True
