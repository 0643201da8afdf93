"""`clickwise stream`: one Faust worker."""

from clickwise import logs, tracing
from clickwise.cli.exits import Exit
from clickwise.cli.extras import kafka_extra
from clickwise.errors import ConfigurationError
from clickwise.settings import Settings
from streams.exits import EX_CONFIG, EX_SOFTWARE, EX_UNAVAILABLE

# The command's codes of what a worker ends with.
_EXITS = {
    0: Exit.DONE,
    EX_UNAVAILABLE: Exit.UNAVAILABLE,
    EX_SOFTWARE: Exit.FAULT,
    EX_CONFIG: Exit.USAGE,
}


def stream(settings: Settings) -> int:
    """Run a worker until it is stopped; the exit code."""
    if settings.embedded:
        raise ConfigurationError(
            "`clickwise stream` needs CLICKWISE_KAFKA_BOOTSTRAP and CLICKWISE_DATABASE_URL;"
            " `clickwise up` runs without them"
        )
    logs.configure(level=settings.log_level, output=settings.log_format)
    with kafka_extra():
        from clickwise.cli.streaming import stream_parts
        from streams import worker

    tracing.start(settings, service="stream")
    try:
        code = worker.run(settings, stream_parts)
    finally:
        tracing.stop()
    return _EXITS[code]
