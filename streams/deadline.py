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
"""

import logging
import os
import threading

from clickwise import logs

_log = logs.get(__name__)


class Deadline:
    """Ends this process `seconds` after it was made, with `code`, unless it has ended by then.

    `doing` is what the process is at, for the log; whoever stops it keeps it up to date.
    """

    def __init__(self, *, seconds: float, code: int, doing: str) -> None:
        self.doing = doing
        self._seconds = seconds
        self._code = code
        self._timer = threading.Timer(seconds, self._end)
        self._timer.name = "clickwise-deadline"
        self._timer.daemon = True  # an end in order does not wait for it
        self._timer.start()

    def _end(self) -> None:
        try:
            _log.warning(
                "ended without waiting any longer: what is not acknowledged comes again",
                doing=self.doing,
                seconds=self._seconds,
                code=self._code,
            )
            logging.shutdown()
        finally:
            os._exit(self._code)
