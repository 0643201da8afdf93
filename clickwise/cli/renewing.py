"""A server's certificate, followed: workers are renewed when its files hold another good pair.

Workers read the files when they start. A pair that is not good (one file is written and the other
not yet, say) is told once and waited out: what runs goes on with the certificate that it has.
"""

import contextlib
import hashlib
import sys
import threading
import time
from collections.abc import Callable
from multiprocessing.process import BaseProcess
from pathlib import Path

from clickwise import logs
from clickwise.errors import ConfigurationError
from clickwise.settings import Settings
from clickwise.tls import check_pair

LOOK_SECONDS = 10.0
# Elsewhere than on Linux workers share a socket, in whose queue clients wait meanwhile.
_ELSEWHERE_SECONDS = 10.0
_LISTENING = "0A"  # of /proc/net/tcp

_log = logs.get(__name__)


class CertificateWatch:
    """Calls `renew` after the files changed to a good pair; a thread of its own."""

    def __init__(
        self, settings: Settings, renew: Callable[[], None], *, look_seconds: float = LOOK_SECONDS
    ) -> None:
        self._certificate = settings.tls_certificate
        self._key = settings.tls_key
        self._renew = renew
        self._look_seconds = look_seconds
        self._held = self._digest()
        self._refused = b""
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._follow, name="clickwise-tls", daemon=True)

    def start(self) -> None:
        """Follow the files from now on."""
        self._thread.start()

    def stop(self) -> None:
        """End the thread."""
        self._stopped.set()
        self._thread.join()

    def _follow(self) -> None:
        while not self._stopped.wait(self._look_seconds):
            found = self._digest()
            if found in (self._held, self._refused):
                continue
            try:
                check_pair(self._certificate, self._key)
            except ConfigurationError as error:
                self._refused = found
                _log.warning("the new certificate is not taken", reason=str(error))
            else:
                self._held = found
                _log.info("the certificate is new: workers are renewed")
                self._renew()

    def _digest(self) -> bytes:
        """Of both files; of their names where one cannot be read just now."""
        digest = hashlib.sha256()
        for path in (self._certificate, self._key):
            try:
                digest.update(Path(path).read_bytes())
            except OSError:
                digest.update(path.encode())
        return digest.digest()


def wait_for_listener(process: BaseProcess, *, seconds: float, ended: Callable[[], bool]) -> None:
    """Return when a worker listens, is dead or has had `seconds`, or when nobody waits any more."""
    if sys.platform != "linux":
        time.sleep(_ELSEWHERE_SECONDS)
        return
    deadline = time.monotonic() + seconds
    while not listens(process.pid or 0) and process.is_alive() and not ended():
        if time.monotonic() > deadline:
            return
        time.sleep(0.1)


def listens(pid: int) -> bool:
    """Whether a process has a socket that takes connections (Linux)."""
    sockets = set()
    with contextlib.suppress(OSError):  # it may end meanwhile
        for file in Path(f"/proc/{pid}/fd").iterdir():
            with contextlib.suppress(OSError):
                sockets.add(str(file.readlink()))
    for table in ("tcp", "tcp6"):
        with contextlib.suppress(OSError):
            for row in Path(f"/proc/{pid}/net/{table}").read_text().splitlines()[1:]:
                columns = row.split()
                if columns[3] == _LISTENING and f"socket:[{columns[9]}]" in sockets:
                    return True
    return False
