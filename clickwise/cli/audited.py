"""The audit log's lines about commands that change a site, or take what it holds out of it.

`key` is `command`, and `by` the operating system's name of whoever ran it. As of requests, nobody
and nothing that it was about is named: no user, no item, no text. A command that names what is not
there or cannot be (`NotFoundError`, `InvalidInputError`) begins nothing, unless it says that it had
begun (`Ending.begun`): its own line is the only one.
"""

import os
import pwd
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from clickwise import audit, logs
from clickwise.audit import Outcome
from clickwise.errors import ClickwiseError, InvalidInputError, NotFoundError
from clickwise.settings import Settings


@dataclass(slots=True)
class Ending:
    """How a deed ends that raises nothing; `fault` says why not all of it was done.

    `begun`: something is done already, so that every fault from here on leaves a deed that failed.
    """

    fault: str = ""
    begun: bool = False


@contextmanager
def audited(settings: Settings, action: str) -> Iterator[Ending]:
    """Write one line to standard error about what happens inside, however it ends.

    `action` is the command, such as `models promote`. As of a request, it is `refused` where
    something stands against it, and `failed` where it may have been done in part.
    """
    ending = Ending()
    try:
        yield ending
    except ClickwiseError as error:
        if ending.begun or error.status >= 500:
            note(settings, action, "failed", reason=error.kind)
        elif not isinstance(error, NotFoundError | InvalidInputError):
            note(settings, action, "refused", reason=error.kind)
        raise
    except (KeyboardInterrupt, BrokenPipeError):
        note(settings, action, "failed", reason="interrupted")
        raise
    except BaseException:
        note(settings, action, "failed", reason="internal")
        raise
    note(settings, action, "failed" if ending.fault else "done", reason=ending.fault)


def note(
    settings: Settings, action: str, outcome: Outcome, *, reason: str = "", subject: str = ""
) -> None:
    """Write one line; `subject` is the API key that a command is about."""
    logs.configure(level=settings.log_level, output=settings.log_format)
    audit.tell(
        audit.Deed("command", action, outcome, reason=reason, subject=subject, by=_somebody())
    )


def _somebody() -> str:
    """Whose process this is: not what the environment says, which anybody can set."""
    number = os.getuid()
    try:
        return pwd.getpwuid(number).pw_name
    except KeyError:  # such as in a container that runs as a number
        return str(number)
