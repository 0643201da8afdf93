"""Forgetting what is too old to be asked for: a thread of the server's parent process.

Event ids that cannot come again, exposures of the embedded log as old as the topic would keep
them, and dead letters long after their replay.

Several servers on one database may all do so; what one has forgotten the others do not find.
"""

import threading
from contextlib import ExitStack
from datetime import timedelta

from clickwise import logs
from clickwise.cli.wiring import state_of
from clickwise.clock import Clock, SystemClock
from clickwise.errors import ClickwiseError
from clickwise.settings import Settings
from clickwise.state.port import State

EVERY_SECONDS = 3_600.0
KEPT = timedelta(days=30)  # dead letters from their replay on

log = logs.get(__name__)


def prune_once(state: State, *, dedupe_days: float, exposure_days: float, clock: Clock) -> int:
    """Forget events of more than `dedupe_days` ago, exposures of more than `exposure_days`, and
    dead letters that were replayed longer than `KEPT` ago; how many rows.
    """
    now = clock.now()
    return (
        state.prune(events_before=now - timedelta(days=dedupe_days))
        + state.prune_exposures(before=now - timedelta(days=exposure_days))
        + state.prune_replayed(before=now - KEPT)
    )


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
                    forgotten = prune_once(
                        state,
                        dedupe_days=self._settings.dedupe_days,
                        exposure_days=self._settings.exposure_days,
                        clock=SystemClock(),
                    )
                except ClickwiseError as error:
                    log.warning("prune_put_off", kind=error.kind, reason=str(error))
                else:
                    if forgotten:
                        log.info("rows_forgotten", number=forgotten)
                if self._stopped.wait(EVERY_SECONDS):
                    return
