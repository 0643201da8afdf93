"""Structured logs: a fixed message per kind of occurrence, facts as fields.

Keys, tokens and user text never become fields. `quiet_repeats` keeps an outage from filling
the disk: a library's message is let through once per interval and then counted.
"""

import logging
import sys
import time

import structlog

_PROCESSORS: tuple[structlog.typing.Processor, ...] = (
    structlog.contextvars.merge_contextvars,
    structlog.stdlib.add_log_level,
    structlog.processors.TimeStamper(fmt="iso", utc=True),
    structlog.processors.format_exc_info,
)


def configure(*, level: str, output: str) -> None:
    """Send structlog's and the standard library's records to standard error."""
    renderer: structlog.typing.Processor = (
        structlog.processors.JSONRenderer()
        if output == "json"
        else structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty())
    )
    structlog.configure(
        processors=[*_PROCESSORS, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, renderer],
            foreign_pre_chain=list(_PROCESSORS),
        )
    )
    handler.addFilter(QuietRepeats(interval_seconds=30.0))
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level.upper())
    # A line per statement or request at info.
    for chatty in ("alembic", "httpx", "httpx2", "httpcore", "openai"):
        logging.getLogger(chatty).setLevel(max(logging.WARNING, root.level))


class QuietRepeats(logging.Filter):
    """Lets a library's warning or error through once per interval, then says how many it held.

    Our own records (structlog's) always pass. Bounded: it remembers 256 messages.
    """

    def __init__(self, *, interval_seconds: float) -> None:
        super().__init__()
        self._interval = interval_seconds
        self._seen: dict[tuple[str, str], tuple[float, int]] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        """See logging.Filter."""
        if record.levelno < logging.WARNING or isinstance(record.msg, dict):
            return True
        key = (record.name, str(record.msg)[:120])
        now = time.monotonic()
        last, held = self._seen.get(key, (-self._interval, 0))
        if now - last < self._interval:
            self._seen[key] = (last, held + 1)
            return False
        if len(self._seen) >= 256:
            self._seen.clear()
        self._seen[key] = (now, 0)
        if held:
            record.msg = f"{record.getMessage()} (and {held} more like it)"
            record.args = ()
        return True


def get(name: str) -> structlog.stdlib.BoundLogger:
    """The logger of a module."""
    logger: structlog.stdlib.BoundLogger = structlog.get_logger(name)
    return logger


def unfiltered(name: str) -> structlog.stdlib.BoundLogger:
    """A logger whose lines pass whatever level is set: for what has to be on record."""
    underlying = logging.getLogger(name)
    underlying.setLevel(logging.INFO)
    logger: structlog.stdlib.BoundLogger = structlog.wrap_logger(
        underlying,
        processors=[*_PROCESSORS, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        wrapper_class=structlog.stdlib.BoundLogger,
    )
    return logger
