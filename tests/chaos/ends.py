"""Whether there was a reason for each end of a process.

What ends is started again, so an end that nobody asked for shows nowhere else. A reason is what was
sent to that very life; else the code has to be one that this fault brings about by design
(`clickwise.cli.exits`, `streams.exits`).
"""

import signal
from collections.abc import Iterable, Sequence

import msgspec

from clickwise.cli.exits import Exit
from clickwise.settings import Settings
from streams.continuity import NotDeliveredError
from streams.exits import EX_SOFTWARE
from tests.chaos.schedule import Fault
from tests.chaos.supervisor import Life, Supervised
from tests.chaos.troubles import Trouble, away

# What a fault causes may come that much after all was whole: a rebalance waits for the session of
# whoever is missing, and for the members to join.
AFTER_SECONDS = 15.0
# A process that starts waits a minute for its services; so does each worker of a server after it.
# The rest is for a busy machine: imports, a freeze.
STARTING_SECONDS = 2 * Settings().startup_timeout_seconds + 120.0
# What a stream worker logs that begins anew in the same process, and what once it is at work.
ANEW, AT_WORK = '"event": "starting anew"', '"event": "partitions assigned"'
NUM_LINES = 3
LINE_CHARACTERS = 300


class End(msgspec.Struct, frozen=True, kw_only=True):
    """An end of a process; moments in seconds of the run. `why` None: nothing explains it, and
    `last` are the last lines that it wrote.
    """

    process: str
    code: int
    at: float
    lived_seconds: float
    why: str | None
    last: tuple[str, ...] = ()

    @property
    def words(self) -> str:
        """For people."""
        lived = f"at {self.at:.0f} s, after {self.lived_seconds:.0f} s"
        told = f": {' / '.join(self.last)}" if self.last else ""
        return f"{self.process} ended with {self.code} {lived}, for no reason that is known{told}"


def ends_of(
    processes: Iterable[Supervised], troubles: Sequence[Trouble], *, began: float
) -> tuple[End, ...]:
    """All of them, as they came. `began`: the moment (monotonic) that the run counts from."""
    found = [
        _end(one.name, life, life.ended, life.code, troubles, began)
        for one in processes
        for life in one.lives
        if life.ended is not None and life.code is not None
    ]
    return tuple(sorted(found, key=lambda end: end.at))


def _end(
    process: str, life: Life, ended: float, code: int, troubles: Sequence[Trouble], began: float
) -> End:
    why = reason(process, life, troubles)
    return End(
        process=process,
        code=code,
        at=round(ended - began, 1),
        lived_seconds=round(ended - life.began, 1),
        why=why,
        last=() if why is not None else last_lines(life.said),
    )


def reason(process: str, life: Life, troubles: Sequence[Trouble]) -> str | None:
    """Why a life that is over ended with its code; None: nothing explains it."""
    if life.code == 0:
        return "told to stop" if signal.SIGTERM in life.signals else None
    if life.code == -signal.SIGTERM:  # the signal itself ends one that does not listen yet
        told = signal.SIGTERM in life.signals and _was_starting(life)
        return "told to stop as it started" if told else None
    if life.code == -signal.SIGKILL:
        return "killed" if signal.SIGKILL in life.signals else None
    if life.code == Exit.UNAVAILABLE:
        return _service_was_away(process, life, troubles)
    if life.code == Exit.FAILED:
        return _part_was_killed(process, life, troubles) or _home_was_full(process, life, troubles)
    if life.code == EX_SOFTWARE:
        return _passed_over(life, troubles)
    return None


def _service_was_away(process: str, life: Life, troubles: Sequence[Trouble]) -> str | None:
    """It waits a while, when it starts, and says so; what is at work waits as long as it takes."""
    if life.ended is None or not _was_starting(life):
        return None
    since = max(life.began, life.ended - STARTING_SECONDS)
    for fault in _faults(troubles, since, life.ended):
        for service in ("kafka", "database"):
            if away(fault, service, process):
                return f"{service} was struck when it started"
    return None


def _was_starting(life: Life) -> bool:
    """Whether it ended at its start, or as it began anew."""
    if life.ended is not None and life.ended - life.began <= STARTING_SECONDS:
        return True
    return life.said.rfind(ANEW) > life.said.rfind(AT_WORK)


def _part_was_killed(process: str, life: Life, troubles: Sequence[Trouble]) -> str | None:
    """A server ends when one of those that answer has ended, and all begin anew."""
    faults = _faults(troubles, life.ended, life.ended)
    killed = any(one.kind == "kill-child" and one.target == process for one in faults)
    return "one of its own processes was killed" if killed else None


def _home_was_full(process: str, life: Life, troubles: Sequence[Trouble]) -> str | None:
    """Whoever runs goes on; whoever begins has to write a lock and figures there."""
    home = f"home-{process.rpartition('-')[2]}"
    faults = _faults(troubles, life.began, life.began)
    full = any(one.kind == "disk-full" and one.target == home for one in faults)
    return "its home was full when it started" if full else None


def _passed_over(life: Life, troubles: Sequence[Trouble]) -> str | None:
    """A worker that Kafka's client passed messages over reads them anew in its next life; that
    happens in a rebalance, and when Kafka comes back.
    """
    moved = any(
        fault.target == "kafka"
        or fault.target.endswith("-kafka")
        or fault.target.startswith("stream")
        for fault in _faults(troubles, life.ended, life.ended)
    )
    told = NotDeliveredError.__name__ in life.said
    return "what Kafka did not deliver is read anew" if moved and told else None


def _faults(troubles: Sequence[Trouble], since: float | None, until: float | None) -> list[Fault]:
    """Those that were on between two moments of a life that is over."""
    if since is None or until is None:
        return []
    return [
        fault
        for trouble in troubles
        if trouble.began <= until and since <= trouble.over + AFTER_SECONDS
        for fault in trouble.faults
    ]


def last_lines(said: str) -> tuple[str, ...]:
    """Of what a process has written; of a long line its beginning and its end."""
    lines = [line.strip() for line in said.splitlines() if line.strip()]
    half = LINE_CHARACTERS // 2
    return tuple(
        line if len(line) <= LINE_CHARACTERS else f"{line[:half]} ... {line[-half:]}"
        for line in lines[-NUM_LINES:]
    )
