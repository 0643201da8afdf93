"""The HTTP server of this machine: granian's workers, and the processes beside them.

Workers are fresh interpreters (spawned, not forked), so that no lock, connection or metric of
the parent is shared by accident. Each has one thread of granian's, one with the event loop and
one that makes lists beside it (ADR 16); others only follow what changes. Each library in it has
one thread: the vector engine holds the interpreter's lock, so more would only take turns, and more
workers take the cores.
"""

import multiprocessing
import os
import socket
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

import httpx
import msgspec

from clickwise import metrics
from clickwise.cli import homes
from clickwise.cli.children import Child
from clickwise.cli.exits import Exit
from clickwise.cli.pruning import Pruner
from clickwise.cli.renewing import CertificateWatch, wait_for_listener
from clickwise.errors import ConfigurationError
from clickwise.settings import PREFIX, Settings, environment_of

STOP_SECONDS = 15
# A new worker has this long to load before the old one of its place is stopped in any case.
RENEW_SECONDS = 120.0
# Of a request's line and headers together; there may be a hundred headers.
MAX_HEADER_BYTES = 65_536
ONE_THREAD = {
    "OMP_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "MKL_NUM_THREADS": "1",
    "RAYON_NUM_THREADS": "1",
    "POLARS_MAX_THREADS": "1",
    "TOKENIZERS_PARALLELISM": "false",
}


def with_real_port(settings: Settings) -> Settings:
    """The settings with a free port chosen where 0 asks for one.

    Raises:
        ConfigurationError: the port is taken, or the address is not this machine's.
    """
    port = claimable_port(settings.host, settings.port)
    return msgspec.structs.replace(settings, port=port)


def claimable_port(host: str, port: int) -> int:
    """`port`, or a free one for 0. Granian shares ports between processes, so it would not say.

    Raises:
        ConfigurationError: somebody listens there, or the address cannot be had.
    """
    try:
        family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0][0]
        with socket.socket(family, socket.SOCK_STREAM) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind((host, port))
            probe.listen(1)
            return int(probe.getsockname()[1])
    except OSError as error:
        raise ConfigurationError(
            f"cannot listen on {host}:{port}: {error.strerror}; choose another CLICKWISE_PORT"
        ) from error


def address_of(settings: Settings) -> str:
    """Where the server answers."""
    scheme = "https" if settings.tls_certificate else "http"
    host = f"[{settings.host}]" if ":" in settings.host else settings.host
    return f"{scheme}://{host}:{settings.port}"


def run_server(settings: Settings, *, announce: Callable[[], None]) -> int:
    """Serve until SIGINT or SIGTERM; the exit code. `announce` is called once it is ready.

    Takes over this process: its environment, signals and start method of children.
    """
    metrics.prepare(homes.metrics_folder(settings))
    for name in [name for name in os.environ if name.startswith(PREFIX)]:
        del os.environ[name]
    os.environ.update(environment_of(settings) | ONE_THREAD)
    multiprocessing.set_start_method("spawn", force=True)
    children = [Child("clickwise.cli.builder", [], environment=os.environ)]
    if settings.understand or settings.texts != "off":
        children.append(Child("clickwise.cli.words", [], environment=os.environ))
    for child in children:
        child.start()
    pruner = Pruner(settings)
    pruner.start()
    stopped = threading.Event()
    watcher = threading.Thread(
        target=_announce_when_ready, args=(settings, announce, stopped), daemon=True
    )
    watcher.start()
    try:
        return _serve(settings)
    finally:
        stopped.set()
        pruner.stop()
        for child in children:
            child.stop()


def _serve(settings: Settings) -> int:
    from granian.constants import HTTPModes, Interfaces, Loops, SSLProtocols
    from granian.http import HTTP1Settings
    from granian.log import LogLevels
    from granian.server import MPServer

    class Server(MPServer):
        """Knows what its workers ended with, which granian forgets."""

        worker_codes: tuple[int, ...] = ()

        def shutdown(self, exit_code: int = 0) -> None:
            self.worker_codes = tuple(one.inner.exitcode or 0 for one in self.wrks)
            super().shutdown(exit_code)  # type: ignore[no-untyped-call]  # granian's

        def _respawn_workers(
            self,
            workers: Sequence[int],
            spawn_target: object,
            target_loader: object,
            delay: float = 0,
        ) -> None:
            """One after the other: each is stopped once its successor listens, where granian would
            wait for a fixed time; no more of them when the server is to stop.
            """
            for place in workers:
                if self.interrupt_signal:
                    return
                old = self.wrks[place]
                new = self._spawn_worker(place, spawn_target, target_loader)
                new.start()  # type: ignore[no-untyped-call]  # granian's
                self.wrks[place] = new
                wait_for_listener(new.inner, seconds=delay, ended=lambda: self.interrupt_signal)
                old.terminate()  # type: ignore[no-untyped-call]  # granian's
                old.inner.join(STOP_SECONDS)
                if old.inner.is_alive():
                    old.inner.kill()
                    old.inner.join()
                if old.inner.pid is not None:
                    metrics.forget(old.inner.pid)

    server = Server(
        "clickwise.cli.asgi:app",
        factory=True,
        address=settings.host,
        port=settings.port,
        interface=Interfaces.ASGI,
        workers=settings.workers,
        runtime_threads=1,
        loop=Loops.uvloop,
        websockets=False,
        # Where granian looks for HTTP/2, too, it waits for ever for a client that says nothing.
        http=HTTPModes.http1,
        http1_settings=HTTP1Settings(
            header_read_timeout=round(settings.idle_seconds * 1000),
            max_buffer_size=MAX_HEADER_BYTES,
        ),
        # Granian counts connections, idle ones and streams too, and leaves the next unanswered:
        # the application's own limit, which answers 429, has to be reached first.
        backpressure=max(1_024, 2 * settings.max_in_flight) + settings.max_streams,
        log_level=LogLevels.warning,
        ssl_cert=Path(settings.tls_certificate) if settings.tls_certificate else None,
        ssl_key=Path(settings.tls_key) if settings.tls_key else None,
        ssl_protocol_min=SSLProtocols.tls12,
        respawn_interval=RENEW_SECONDS,
        workers_kill_timeout=STOP_SECONDS,
    )
    watch: CertificateWatch | None = None
    if settings.tls_certificate:
        watch = CertificateWatch(settings, server.signal_handler_reload)
        watch.start()
    try:
        server.serve()
    except SystemExit as error:  # granian's way to say that a worker died
        return worst_code(server.worker_codes) if error.code else Exit.DONE
    finally:
        if watch is not None:
            watch.stop()
    return Exit.DONE


def worst_code(codes: Iterable[int]) -> int:
    """What a server ends with whose workers ended so: the reason that one of them told."""
    told = [code for code in codes if code in (Exit.USAGE, Exit.UNAVAILABLE)]
    return min(told, default=Exit.FAILED)


def _announce_when_ready(
    settings: Settings, announce: Callable[[], None], stopped: threading.Event
) -> None:
    address = f"{address_of(settings)}/readyz"
    with httpx.Client(verify=False, timeout=2.0, trust_env=False) as client:  # noqa: S501  # it asks itself
        while not stopped.wait(0.1):
            try:
                ready = client.get(address).status_code == httpx.codes.OK
            except httpx.HTTPError:
                ready = False
            if ready:
                announce()
                return


def wait_until_ready(
    address: str,
    *,
    seconds: float,
    alive: Callable[[], bool],
    meanwhile: Callable[[], None] = lambda: None,
) -> bool:
    """Whether a server answered `/readyz` with 200 within `seconds`, while `alive`. `meanwhile` is
    called between two looks.
    """
    deadline = time.monotonic() + seconds
    with httpx.Client(verify=False, timeout=2.0, trust_env=False) as client:  # noqa: S501  # loopback
        while time.monotonic() < deadline and alive():
            try:
                if client.get(f"{address}/readyz").status_code == httpx.codes.OK:
                    return True
            except httpx.HTTPError:
                pass
            meanwhile()
            time.sleep(0.05)
    return False
