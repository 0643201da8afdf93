"""How a worker process ends when it cannot go on, and how it begins anew.

Exit codes follow sysexits.h: 0 stopped by a signal, 69 a service did not answer in time, 70 an
unexpected fault (start it again), 78 a setting or a topic is wrong (starting again will not
help). Neither way commits anything: what was not acknowledged comes again. How long an end in
order may take: `deadline`.
"""

import logging
import os
import sys
from typing import NoReturn

from clickwise import logs, metrics

EX_UNAVAILABLE = 69
EX_SOFTWARE = 70
EX_CONFIG = 78

_log = logs.get(__name__)


def end_process(what: str) -> NoReturn:
    """End at once because of the exception that is being handled."""
    _log.exception(what)
    metrics.errors.labels("internal", "stream").inc()
    logging.shutdown()
    os._exit(EX_SOFTWARE)


def start_anew(why: str) -> NoReturn:
    """Replace this process by a fresh one with the same command, environment and id."""
    _log.warning("starting anew", why=why)
    logging.shutdown()
    os.execv(sys.executable, [sys.executable, *sys.orig_argv[1:]])  # noqa: S606  # our own command
