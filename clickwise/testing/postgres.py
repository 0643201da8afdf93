"""A real PostgreSQL for tests and benchmarks: its own cluster, on loopback, thrown away after.

    with PostgresServer() as server:
        url = server.create_database("one")   # postgresql+psycopg://clickwise@127.0.0.1:.../one
        server.kill()                         # SIGKILL: what was committed is still there
        server.start()                        # same port, same data

It uses the binaries of Debian's `postgresql-NN` package and never a cluster that runs already.
PostgreSQL refuses root, so root runs it as the user `postgres`.
"""

import os
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Self

import psycopg
from psycopg import sql

from clickwise.testing.certificates import Issued

ROLE = "clickwise"
START_SECONDS = 60.0
STOP_SECONDS = 30.0
_BINARIES = Path("/usr/lib/postgresql")
_RUN_BY_ROOT_AS = "postgres"


class PostgresMissingError(RuntimeError):
    """PostgreSQL, or the user to run it as, is not installed; the message says what to do."""


class PostgresServer:
    """One cluster in a new folder.

    What is committed outlives `kill`. It outlives the machine only with `durable`, which waits
    for the disk as production does. With a `certificate` it speaks TLS to who asks for it.
    """

    def __init__(
        self,
        *,
        durable: bool = False,
        certificate: Issued | None = None,
        under: Path | None = None,
        environment: Mapping[str, str] | None = None,
        start_seconds: float = START_SECONDS,
    ) -> None:
        """`under`: where its folder is made; None: where temporary files are. `environment`: of
        its processes, beside the caller's. `start_seconds`: how long each start may take.
        """
        self._binaries = _newest_binaries()
        self._owner = _owner()
        self._process: subprocess.Popen[bytes] | None = None
        self._folder = Path(tempfile.mkdtemp(prefix="clickwise-postgres-", dir=under))
        self._port = _free_port()
        self._environment = dict(environment or {})
        self._start_seconds = start_seconds
        wait = "on" if durable else "off"
        self._settings = {
            "port": str(self._port),
            "listen_addresses": "127.0.0.1",
            "unix_socket_directories": str(self._data),
            "shared_buffers": "128MB",
            "fsync": wait,
            "full_page_writes": wait,
        }
        self._certificate = certificate
        if certificate is not None:
            self._settings["ssl"] = "on"
            self._settings["ssl_cert_file"] = str(self._folder / "server.crt")
            self._settings["ssl_key_file"] = str(self._folder / "server.key")

    @property
    def port(self) -> int:
        """Of loopback."""
        return self._port

    @property
    def running(self) -> bool:
        """False when it was stopped, or has ended by itself."""
        return self._process is not None and self._process.poll() is None

    @property
    def url(self) -> str:
        """URL of the database `postgres`, which every cluster has."""
        return self._url("postgres")

    def create_database(self, name: str) -> str:
        """Create an empty database; its URL."""
        self._execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
        return self._url(name)

    def drop_database(self, name: str) -> None:
        """Drop a database, whoever is connected to it."""
        self._execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))

    def start(self) -> None:
        """Make the cluster if it is new, start it, and return when it takes connections.

        Raises:
            RuntimeError: it ended or did not answer in time; the message quotes its log.
        """
        self._initialize()
        command = [str(self._binaries / "postgres"), "-D", str(self._data)]
        for name, value in self._settings.items():
            command += ["-c", f"{name}={value}"]
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(  # noqa: S603  # fixed command
                command,
                cwd=self._folder,
                env={**os.environ, **self._environment},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                user=self._owner,
                group=self._owner,
                extra_groups=None if self._owner is None else [],
            )
        process = self._process
        _wait(lambda: process.poll() is not None or self.ready(), self._start_seconds)
        if not self.ready():
            self.kill()
            raise RuntimeError(f"PostgreSQL did not start:\n{self._log_tail()}")

    def stop(self) -> None:
        """A clean end that does not wait for clients ("fast")."""
        self._end(signal.SIGINT)

    def kill(self) -> None:
        """SIGKILL to the server and each of its processes: the power plug."""
        self._end(signal.SIGKILL)

    def restart(self) -> None:
        """Stop, and start on the same port and data."""
        self.stop()
        self.start()

    def pause(self) -> None:
        """Let every process of it stand still: connections stay, answers do not come."""
        self._signal(signal.SIGSTOP)

    def resume(self) -> None:
        """Go on after `pause`."""
        self._signal(signal.SIGCONT)

    def ready(self) -> bool:
        """True once it takes connections."""
        try:
            with psycopg.connect(self._conninfo, connect_timeout=2):
                return True
        except psycopg.OperationalError:
            return False

    def remove(self) -> None:
        """Kill it, and delete its data."""
        self.kill()
        shutil.rmtree(self._folder, ignore_errors=True)

    def __enter__(self) -> Self:
        try:
            self.start()
        except BaseException:
            self.remove()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.remove()

    @property
    def _data(self) -> Path:
        return self._folder / "data"

    @property
    def _log(self) -> Path:
        return self._folder / "log"

    @property
    def _conninfo(self) -> str:
        return f"host=127.0.0.1 port={self._port} user={ROLE} dbname=postgres"

    def _url(self, database: str) -> str:
        return f"postgresql+psycopg://{ROLE}@127.0.0.1:{self._port}/{database}"

    def _execute(self, statement: sql.Composed) -> None:
        with psycopg.connect(self._conninfo, autocommit=True, connect_timeout=10) as connection:
            connection.execute(statement)

    def _initialize(self) -> None:
        if self._data.exists():
            return
        if self._owner is not None:
            shutil.chown(self._folder, self._owner)
        if self._certificate is not None:
            for source, name in (
                (self._certificate.certificate, "server.crt"),
                (self._certificate.key, "server.key"),
            ):
                copy = Path(shutil.copy(source, self._folder / name))
                copy.chmod(0o600)  # PostgreSQL refuses a key that others could read
                if self._owner is not None:
                    shutil.chown(copy, self._owner)
        command = [str(self._binaries / "initdb"), "-D", str(self._data), "-U", ROLE]
        command += ["--auth=trust", "--encoding=UTF8", "--no-sync"]
        if int(self._binaries.parent.name) >= 15:
            # Language-aware sorting by default: what must compare bytewise has to say so.
            command += ["--locale=C.UTF-8", "--locale-provider=icu", "--icu-locale=und"]
        done = subprocess.run(  # noqa: S603  # fixed command
            command,
            cwd=self._folder,
            user=self._owner,
            group=self._owner,
            extra_groups=None if self._owner is None else [],
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            raise RuntimeError(f"PostgreSQL's cluster could not be made:\n{done.stderr[-2000:]}")

    def _end(self, how: signal.Signals) -> None:
        process = self._process
        if process is None:
            return
        pids = _with_children(process.pid)
        for pid in pids if how == signal.SIGKILL else pids[:1]:
            _send(pid, how)
        try:
            process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            for pid in pids:
                _send(pid, signal.SIGKILL)
            process.wait(STOP_SECONDS)
        # What is left of it holds shared memory that the next start refuses.
        _wait(lambda: not any(_alive(pid) for pid in pids), STOP_SECONDS)
        self._process = None

    def _signal(self, what: signal.Signals) -> None:
        if self._process is not None:
            for pid in _with_children(self._process.pid):
                _send(pid, what)

    def _log_tail(self) -> str:
        return self._log.read_text(errors="replace")[-3000:] if self._log.exists() else ""


def _newest_binaries() -> Path:
    versions = [path.parent for path in _BINARIES.glob("*/bin/postgres")]
    if not versions:
        raise PostgresMissingError(
            f"no PostgreSQL below {_BINARIES}: install postgresql (Debian, Ubuntu)"
        )
    return max(versions, key=lambda path: int(path.parent.name))


def _owner() -> str | None:
    """The user to run as; None to stay who we are."""
    if os.geteuid() != 0:
        return None
    try:
        return pwd.getpwnam(_RUN_BY_ROOT_AS).pw_name  # its group has the same name
    except KeyError as error:
        raise PostgresMissingError(
            f"PostgreSQL does not run as root, and there is no user {_RUN_BY_ROOT_AS!r}: add one"
        ) from error


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _with_children(pid: int) -> list[int]:
    """A process and its children, the parent first."""
    try:
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    except OSError:
        children = []
    return [pid, *map(int, children)]


def _alive(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return False
    return state != "Z"


def _send(pid: int, what: signal.Signals) -> None:
    with suppress(ProcessLookupError):
        os.kill(pid, what)


def _wait(condition: Callable[[], bool], seconds: float) -> None:
    deadline = time.monotonic() + seconds
    while not condition() and time.monotonic() < deadline:
        time.sleep(0.02)
