"""The keys of the issuer, followed by a thread: no request asks the issuer itself.

They are read at the start and every five minutes. A token may name a key that is not among them:
the issuer has a new one, or somebody made the name up. Then the thread looks again, but at most
once in ten seconds, however many names come; those who ask meanwhile wait for that look, a few of
them and for two seconds. Requests by API key never wait here. While the issuer is away its last
keys stay for a day, so a withdrawal of one waits for it; after that no token opens.
"""

import asyncio
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future

from clickwise import logs, metrics
from clickwise.errors import ClickwiseError, UnavailableError
from serving.errors import UnknownKeyError
from serving.tokens import Key, Keys

REFRESH_SECONDS = 300.0
LEAST_PAUSE_SECONDS = 10.0
WAIT_SECONDS = 2.0
KEPT_SECONDS = 86_400.0
MAX_WAITING = 64
_WHERE = "issuer"

_log = logs.get(__name__)


class IssuerKeys:
    """See the module. `fetch` is called by the thread alone; `key` in the event loop.

    `pause_seconds` and `wait_seconds` are there for tests.
    """

    def __init__(
        self,
        fetch: Callable[[], Keys],
        *,
        pause_seconds: float = LEAST_PAUSE_SECONDS,
        wait_seconds: float = WAIT_SECONDS,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._fetch = fetch
        self._pause = pause_seconds
        self._wait = wait_seconds
        self._monotonic = monotonic
        self._keys: Keys = {}
        self._read_at = float("-inf")
        self._looked_at = float("-inf")
        self._look: Future[None] | None = None
        self._lock = threading.Lock()
        self._wanted = threading.Event()
        self._stopped = False
        self._waiting = 0
        self._failing = False
        self._thread: threading.Thread | None = None

    async def key(self, key_id: str) -> Key:
        """The issuer's key of that `kid`; for a token without one, the only key that there is.

        Raises:
            UnknownKeyError: the issuer has no such key.
            UnavailableError: its keys are not known, or were read too long ago.
        """
        key = self._known(key_id)
        look = self._another_look() if key is None else None
        if look is not None and self._waiting < MAX_WAITING:
            self._waiting += 1
            try:
                # `wait` leaves the look alone when the time is over: others wait for it too.
                await asyncio.wait({asyncio.wrap_future(look)}, timeout=self._wait)
            finally:
                self._waiting -= 1
            key = self._known(key_id)
        if key is None:
            if not self._fresh():
                raise UnavailableError("the keys of the issuer are not known: it does not answer")
            raise UnknownKeyError("this token's key is not the issuer's", reason="unknown_signer")
        return key

    def start(self) -> None:
        """Read the keys, and follow them in a thread from now on."""
        self._stopped = False
        self._another_look()
        self._thread = threading.Thread(target=self._follow, name="clickwise-issuer", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """End the thread; one that waits for the issuer is left to its own end."""
        self._stopped = True
        self._wanted.set()
        if self._thread is not None:
            self._thread.join(1.0)
            self._thread = None

    def _known(self, key_id: str) -> Key | None:
        if not self._fresh():
            return None
        keys = self._keys
        if not key_id and len(keys) == 1:
            return next(iter(keys.values()))
        return keys.get(key_id)

    def _fresh(self) -> bool:
        return self._monotonic() - self._read_at < KEPT_SECONDS

    def _another_look(self) -> Future[None] | None:
        """The look that goes on, or one that begins now; None when the last was just before."""
        with self._lock:
            if self._look is None and self._monotonic() - self._looked_at >= self._pause:
                self._looked_at = self._monotonic()
                self._look = Future()
                self._wanted.set()
            return self._look

    def _follow(self) -> None:
        while True:
            self._wanted.wait(self._pause if self._failing else REFRESH_SECONDS)
            self._wanted.clear()
            if self._stopped:
                return
            try:
                self._keys = self._fetch()
                self._read_at = self._monotonic()
            except Exception as error:  # noqa: BLE001  # a thread that died would keep withdrawn keys
                self._failed(error)
            else:
                self._failing = False
            with self._lock:
                look, self._look = self._look, None
                self._looked_at = self._monotonic()
            if look is not None:
                look.set_result(None)

    def _failed(self, error: Exception) -> None:
        kind = error.kind if isinstance(error, ClickwiseError) else "internal"
        metrics.errors.labels(kind, _WHERE).inc()
        if not self._failing:
            _log.warning("the keys of the issuer cannot be read", kind=kind, reason=str(error))
        self._failing = True
