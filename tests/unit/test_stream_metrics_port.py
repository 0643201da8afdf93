"""Where a stream worker shows its metrics: only where its host setting says."""

import socket

import pytest

from clickwise.errors import ConfigurationError
from clickwise.settings import load
from streams.worker import _show_metrics


def test_a_port_that_is_taken_names_the_setting():
    with socket.create_server(("127.0.0.1", 0)) as taken:
        settings = load({}, stream_metrics_port=taken.getsockname()[1])

        with pytest.raises(ConfigurationError, match="CLICKWISE_STREAM_METRICS_PORT="):
            _show_metrics(settings)


def test_metrics_are_shown_on_the_host_alone():
    # A port that is taken on another address only is free for the host.
    with socket.create_server(("127.0.0.2", 0)) as other:
        port = other.getsockname()[1]
        _show_metrics(load({}, stream_metrics_port=port))

    socket.create_connection(("127.0.0.1", port), timeout=10.0).close()
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.2", port), timeout=10.0)
