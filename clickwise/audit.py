"""The audit log: who changed something or was refused, what it was, when, and how it ended.

Lines of the log with `stream=audit`, whatever the level of the others is. `key` is the id of an API
key, never the key: `local` where none is asked for, `none` where there was none, `unknown` for one
that opens nothing, `setting-1` and `metrics-1` for the first ones of the settings, `command` for
the command line. No body, no id of a user or an item and no address of a client is in it:
`request_id` leads to those who may know them. `by` is who ran a command.

Writes of items have a line each. Events, and whatever is refused, come by the thousand, and a
stranger must not fill the disk: the first of a kind is told at once, those like it in a sum
(`times`) some seconds later.
"""

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from clickwise import logs

SUM_SECONDS = 10.0
_MOST_KINDS = 10_000

Outcome = Literal["done", "refused", "failed"]
Tell = Callable[["Deed", str, int], None]

_log = logs.unfiltered("clickwise.audit")


@dataclass(frozen=True, slots=True)
class Deed:
    """What somebody did or tried; equal ones are told in one sum.

    `action` is an operation (`PUT /v1/items/{id}`) or a command. `reason` is one word, empty where
    it was done. `status` is HTTP's, 0 for a command; `subject` is the key that a command is about,
    `by` the operating system's name of who ran it.
    """

    key: str
    action: str
    outcome: Outcome
    reason: str = ""
    status: int = 0
    subject: str = ""
    by: str = ""


def tell(deed: Deed, request_id: str = "", times: int = 1) -> None:
    """Write one line."""
    facts = {name: value for name, value in dataclasses.asdict(deed).items() if value != ""}
    if request_id:
        facts["request_id"] = request_id
    _log.info("audit", stream="audit", times=times, **facts)


class AuditLog:
    """Writes each deed, or sums of those alike; not for several threads."""

    def __init__(self, write: Tell = tell) -> None:
        self._write = write
        self._held: dict[Deed, int] = {}

    def note(self, deed: Deed, request_id: str) -> None:
        """Write a line of its own."""
        self._write(deed, request_id, 1)

    def note_summed(self, deed: Deed, request_id: str) -> None:
        """Write it if it is the first of its kind since `flush`, else count it."""
        held = self._held.get(deed)
        if held is not None:
            self._held[deed] = held + 1
            return
        if len(self._held) >= _MOST_KINDS:
            self.flush()
        self._held[deed] = 0
        self._write(deed, request_id, 1)

    def flush(self) -> None:
        """Write how many more there were of each kind, and begin anew."""
        held, self._held = self._held, {}
        for deed, times in held.items():
            if times:
                self._write(deed, "", times)
