"""Forgetting what is too old to be asked for: a thread of the server's parent process.

Event ids that cannot come again, exposures of the embedded log as old as the topic would keep
them, dead letters; and profiles of people who were not seen for long, where the site says for how
long (`clickwise.privacy.unseen`).

Several servers on one database may all do so; what one has forgotten the others do not find.
"""

import threading
from collections.abc import Callable
from contextlib import ExitStack
from datetime import timedelta

from clickwise import logs
from clickwise.cli.aging import check_clocks
from clickwise.cli.extras import kafka_extra
from clickwise.cli.wiring import state_of
from clickwise.clock import Clock, SystemClock
from clickwise.errors import ClickwiseError
from clickwise.privacy.unseen import Withdraw, drop_unseen
from clickwise.settings import Settings
from clickwise.state.port import State

EVERY_SECONDS = 3_600.0

log = logs.get(__name__)


def prune_once(settings: Settings, state: State, *, clock: Clock) -> int:
    """Forget events, exposures and dead letters that are older than the site keeps them; how many
    rows.

    Raises:
        UnavailableError: see `check_clocks`.
    """
    check_clocks(state)
    now = clock.now()
    return (
        state.prune(events_before=now - timedelta(days=settings.dedupe_days))
        + state.prune_exposures(before=now - timedelta(days=settings.exposure_days))
        + state.prune_letters(before=now - timedelta(days=settings.dead_letter_days))
    )


def prune_profiles(
    settings: Settings,
    state: State,
    *,
    clock: Clock,
    stopped: Callable[[], bool] = lambda: False,
) -> int:
    """Drop the profiles of whoever was not seen for longer than the site keeps them, and withdraw
    their lists from Kafka; how many.

    Raises:
        UnavailableError: the database or Kafka does not answer, or see `check_clocks`; the rest
            waits.
    """
    if not settings.profile_days:
        return 0
    check_clocks(state)
    before = clock.now() - timedelta(days=settings.profile_days)
    with ExitStack() as stack:
        withdraw = _withdrawal(settings, stack)
        return drop_unseen(state, before=before, withdraw=withdraw, stopped=stopped)


def _withdrawal(settings: Settings, stack: ExitStack) -> Withdraw:
    if settings.embedded:
        return lambda _: None
    with kafka_extra():
        from streams.personal_topics import ListTombstones
    return stack.enter_context(ListTombstones(settings)).write


class Pruner:
    """Prunes at the start and every hour until `stop`; a database that is away waits."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run, name="clickwise-pruner", daemon=True)

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def stop(self) -> None:
        """End it."""
        self._stopped.set()
        self._thread.join()

    def _run(self) -> None:
        with ExitStack() as stack:
            state = state_of(self._settings, stack)
            while True:
                try:
                    self._prune(state)
                except ClickwiseError as error:
                    log.warning("prune_put_off", kind=error.kind, reason=str(error))
                if self._stopped.wait(EVERY_SECONDS):
                    return

    def _prune(self, state: State) -> None:
        settings, clock = self._settings, SystemClock()
        forgotten = prune_once(settings, state, clock=clock)
        if forgotten:
            log.info("rows_forgotten", number=forgotten)
        expired = prune_profiles(settings, state, clock=clock, stopped=self._stopped.is_set)
        if expired:
            log.info("profiles_expired", number=expired)
