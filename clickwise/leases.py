"""The right to do what one process should do, of all that share a database.

Whoever is at work takes it, and a thread renews it meanwhile, since one call of a language model
may take minutes. A process that ends gives it back; one that dies, no longer reaches the database,
or has not asked for it in `STALLED_SECONDS`, has lost it `LEASE_SECONDS` later. Each counts by its
own clock, the holder from before it asked and the others from when they saw the answer, so two
never hold it while their clocks go on (a machine that was suspended may believe for
`RENEW_SECONDS` that it does). What a holder had begun when it lost the right is finished: that has
to do no harm.
"""

import secrets
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from threading import Event, Lock, Thread

from clickwise import logs, metrics
from clickwise.clock import Clock
from clickwise.errors import ClickwiseError
from clickwise.state.lease_port import FREE, Leases

LEASE_SECONDS = 20.0
# Twice and a thread that comes late are well within the lease.
RENEW_SECONDS = 5.0
# Longer than all calls about one item take: whoever asks for so long for nothing hangs.
STALLED_SECONDS = 1_800.0
STOP_SECONDS = 5.0

_log = logs.get(__name__)


class Lease:
    """See the module. Safe to use from several threads; free again with the end of `beside`."""

    def __init__(self, store: Leases, work: str, clock: Clock) -> None:
        self._store = store
        self._work = work
        self._clock = clock
        self._lock = Lock()
        self._mark = FREE  # ours, as far as we know
        self._tried = FREE  # put there without an answer: it may have been stored
        self._last = FREE  # the last that was stored, also when the right is lost
        self._asked_for = 0.0  # when somebody at work wanted it
        self._until = 0.0
        self._seen: int | None = None  # another one's
        self._seen_since = 0.0
        self._ask_again = 0.0
        metrics.lease_held.labels(work).set(0)

    def held(self) -> bool:
        """Whether this process has the right now, for whoever is about to work. Takes it where it
        is free, renews it where it is held; the database is asked every `RENEW_SECONDS`.

        Raises:
            UnavailableError: it does not answer.
        """
        with self._lock:
            now = self._asked_for = self._clock.monotonic()
            self._look(now)
            return self._mark != FREE

    def renew(self) -> None:
        """Keep it, where it is held and somebody goes on working.

        Raises:
            UnavailableError: the database does not answer.
        """
        with self._lock:
            now = self._clock.monotonic()
            if self._mark != FREE and now < self._asked_for + STALLED_SECONDS:
                self._look(now)

    def release(self) -> None:
        """Give it back, where it is held, so that another process need not wait.

        Raises:
            UnavailableError: the database does not answer: it is free in `LEASE_SECONDS`.
        """
        with self._lock:
            self._ask_again = 0.0
            if self._mark != FREE:
                ours = {self._mark, self._tried}
                self._lose("given_back")
                self._store.replace(self._work, ours - {FREE}, FREE)

    @contextmanager
    def beside(self) -> Iterator[None]:
        """Renew it in a thread meanwhile, where it is held; give it back at the end."""
        ended = Event()
        thread = Thread(target=self._run, args=(ended,), name=f"lease-{self._work}", daemon=True)
        thread.start()
        try:
            yield
        finally:
            ended.set()
            thread.join(STOP_SECONDS)
            with suppress(ClickwiseError):
                self.release()

    def _run(self, ended: Event) -> None:
        while not ended.wait(RENEW_SECONDS):
            with suppress(ClickwiseError):  # told by whoever works: it asks the database too
                self.renew()

    def _look(self, now: float) -> None:
        if self._mark != FREE and now >= self._until:
            self._lose("not_renewed")
        if now >= self._ask_again:
            self._ask(now)
            self._ask_again = now + RENEW_SECONDS

    def _ask(self, now: float) -> None:
        if self._mark != FREE:
            replaceable = {self._mark, self._tried} - {FREE}
            new = self._tried or _new_mark()
        else:
            found = self._store.mark(self._work)
            seen = self._clock.monotonic()
            if found != self._seen:
                self._seen, self._seen_since = found, seen
            nobodys = found in (FREE, self._tried, self._last)  # ours, while no other took it
            if not nobodys and seen < self._seen_since + LEASE_SECONDS:
                return
            replaceable, new = {found}, _new_mark()
        self._tried = new  # until there is an answer: what is not told may have been stored
        stored = self._store.replace(self._work, replaceable, new)
        self._tried = FREE
        if stored:
            if self._mark == FREE:
                _log.info("lease_taken", work=self._work)
                metrics.lease_held.labels(self._work).set(1)
            self._mark, self._until = new, now + LEASE_SECONDS
            self._last = new
        elif self._mark != FREE:
            self._lose("taken_by_another")

    def _lose(self, reason: str) -> None:
        self._mark, self._seen = FREE, None
        metrics.lease_held.labels(self._work).set(0)
        _log.info("lease_ended", work=self._work, reason=reason)


def _new_mark() -> int:
    return 1 + secrets.randbelow(1 << 62)
