"""The latest end of a worker that has begun to stop, whatever still waits in it.

Nothing else bounds it while Kafka is away. Faust's services swallow the cancellation that a
time-out is made of, and wait on; its consumer commits, and its thread ends, once a broker answers;
`asyncio.run` waits for every task, and the interpreter for every thread of a pool.

So a thread beside them ends the process as SIGKILL would, but with the code that its end has
anyway, and says so. Nothing is closed then: the system closes sockets, files and locks, while
closing what the agents' threads still use could hang or go wrong in its own ways. What may be half
done, and why nothing is lost or counted twice:

- a transaction of the database: the database undoes it, or has committed it whole, with the offsets
  of its records in it;
- applied records that Kafka was not told of: they come again, and those offsets skip them;
- messages (increments, letters, lists) that Kafka has not acknowledged: their records were not
  acknowledged either, so both come again; increments and letters count once by their places, and
  who waits for a list stands behind the kept mark (`handover`);
- the index: written after the database, and before its records are acknowledged; of those that come
  again it gets what the database has;
- figures are in memory, and traces of the last seconds go.

It watches in two parts, each with seconds of its own: until Faust, its thread, the loop and the
agents' threads are over, which ends with the code of the stop, since nothing is lost; then until
the database and the index are closed (`worker`), where a cut is a fault and no clean end. From
then on it is called off, so that whatever the caller does afterwards (send traces, write a result)
is not cut off behind a 0. Nothing of a worker's waits for a broker by then: traces bound
themselves, and the threads that the interpreter would wait for have ended.
"""

import logging
import os
import threading
from types import TracebackType
from typing import Self

from clickwise import logs

_log = logs.get(__name__)


class Deadline:
    """Ends this process once it has begun and its seconds are over, unless it is cancelled.

    At the end of a `with` block it is cancelled. `doing` is what the process is at, for the log;
    whoever stops it keeps it up to date.
    """

    def __init__(self) -> None:
        self.doing = ""
        self._timer: threading.Timer | None = None

    def begin(self, doing: str, *, seconds: float, code: int) -> None:
        """End this process with `code` in `seconds`; what was begun before is off."""
        self.cancel()
        self.doing = doing
        self._timer = threading.Timer(seconds, self._end, (seconds, code))
        self._timer.name = "clickwise-deadline"
        self._timer.daemon = True  # an end in order does not wait for it
        self._timer.start()

    def cancel(self) -> None:
        """Let the process go on."""
        if self._timer is not None:
            self._timer.cancel()

    def _end(self, seconds: float, code: int) -> None:
        try:
            _log.warning(
                "ended without waiting any longer: what is not acknowledged comes again",
                doing=self.doing,
                seconds=seconds,
                code=code,
            )
            logging.shutdown()
        finally:
            os._exit(code)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.cancel()
