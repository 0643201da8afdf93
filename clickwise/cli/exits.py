"""Exit codes, and faults told in one line.

0    done
1    failed: something was refused, or a check did not pass
2    wrong use, or a setting that cannot work: starting again will not help
3    a service did not answer: later it may
70   a stream worker ended itself over a fault that a new start mends (`streams.exits`)
130  interrupted
"""

import enum
import sys

from clickwise.errors import ClickwiseError, ConfigurationError, ConflictError


class Exit(enum.IntEnum):
    """What the command ends with."""

    DONE = 0
    FAILED = 1
    USAGE = 2
    UNAVAILABLE = 3
    FAULT = 70
    INTERRUPTED = 130


def exit_of(error: ClickwiseError) -> Exit:
    """The code that tells a fault's kind."""
    if isinstance(error, ConfigurationError):
        return Exit.USAGE
    if isinstance(error, ConflictError):  # such as a home that is in use: no service is away
        return Exit.FAILED
    return Exit.UNAVAILABLE if error.retryable else Exit.FAILED


def complain(message: str) -> None:
    """One line on standard error, whatever line breaks the message has."""
    line = " ".join(message.split())
    print(f"clickwise: {line}", file=sys.stderr, flush=True)
