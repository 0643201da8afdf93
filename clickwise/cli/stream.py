"""`clickwise stream`: one Faust worker."""

from clickwise import logs
from clickwise.cli.exits import Exit
from clickwise.errors import ConfigurationError
from clickwise.settings import Settings


def stream(settings: Settings) -> int:
    """Run a worker until it is stopped; the exit code."""
    if settings.embedded:
        raise ConfigurationError(
            "`clickwise stream` needs CLICKWISE_KAFKA_BOOTSTRAP and CLICKWISE_DATABASE_URL;"
            " `clickwise up` runs without them"
        )
    logs.configure(level=settings.log_level, output=settings.log_format)
    try:
        from streams import worker
    except ImportError as error:
        raise ConfigurationError("the extra `kafka` of this package is not installed") from error
    from clickwise.cli.processes import stream_parts

    code = worker.run(settings, stream_parts)
    known = {
        worker.EX_UNAVAILABLE: Exit.UNAVAILABLE,
        worker.EX_CONFIG: Exit.USAGE,
        Exit.DONE: Exit.DONE,
    }
    return known.get(code, Exit.FAILED)
