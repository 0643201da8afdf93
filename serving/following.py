"""A thread that does the same again and again beside the requests, and outlives its faults."""

import threading
from collections.abc import Callable

from clickwise import logs, metrics
from clickwise.errors import ClickwiseError

_log = logs.get(__name__)


class Following:
    """Calls `step` every `seconds`. Faults are counted under `where`; the first of a row is logged,
    as `told`.
    """

    def __init__(self, step: Callable[[], None], *, seconds: float, where: str, told: str) -> None:
        self._step = step
        self._seconds = seconds
        self._where = where
        self._told = told
        self._failing = False
        self._stopped = threading.Event()
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Begin in a thread."""
        self._stopped.clear()
        self._thread = threading.Thread(
            target=self._run, name=f"clickwise-{self._where}", daemon=True
        )
        self._thread.start()

    def stop(self) -> None:
        """End the thread."""
        self._stopped.set()
        if self._thread is not None:
            self._thread.join()
            self._thread = None

    def once(self) -> None:
        """One step; a fault is told and not raised."""
        try:
            self._step()
        except Exception as error:  # noqa: BLE001  # a thread that died would follow nothing
            kind = error.kind if isinstance(error, ClickwiseError) else "internal"
            metrics.errors.labels(kind, self._where).inc()
            if not self._failing:
                _log.warning(self._told, kind=kind, exc_info=error)
            self._failing = True
        else:
            self._failing = False

    def _run(self) -> None:
        while not self._stopped.wait(self._seconds):
            self.once()
