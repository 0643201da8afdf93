"""Which fault strikes what, for how long: a schedule that a seed alone decides.

The faults come in passes: each pass has every kind once, in an order of its own, and now and then
two kinds strike together. In the first pass every process may be killed; from then on those of
machine a live (they are frozen, cut off and let down by their services, but not killed), so that a
long run shows whether memory, file handles and threads grow.
"""

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

MACHINES = ("a", "b")
PROCESSES = tuple(f"{role}-{machine}" for machine in MACHINES for role in ("stream", "serve"))
MORTAL = tuple(name for name in PROCESSES if name.endswith("-b"))
SERVICES = ("kafka", "database")
LINKS = tuple(f"{machine}-{service}" for machine in MACHINES for service in SERVICES)
DISKS = ("home-a", "home-b", "database", "kafka")

TOGETHER = 0.25  # share of steps with two kinds at once
CALM_SECONDS = (2.0, 6.0)


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of fault: what it can strike, and how long it may be held (0, 0: it has no length)."""

    name: str
    targets: tuple[str, ...]
    seconds: tuple[float, float] = (0.0, 0.0)
    amounts: tuple[float, ...] = (0.0,)  # seconds of a delay or a flush, minutes of a clock


@dataclass(frozen=True, slots=True)
class Fault:
    """One fault, to be held for `seconds`."""

    kind: str
    target: str
    seconds: float
    amount: float

    @property
    def words(self) -> str:
        amount = f" by {self.amount:g}" if self.amount else ""
        held = f", {self.seconds:.0f} s" if self.seconds else ""
        return f"{self.kind} {self.target}{amount}{held}"


@dataclass(frozen=True, slots=True)
class Step:
    """Faults that strike together, and the calm after the system is whole again."""

    faults: tuple[Fault, ...]
    calm_seconds: float


def kinds(*, session_seconds: float) -> tuple[Kind, ...]:
    """All kinds. A freeze or partition of the first sort ends before the session timeout of a
    worker, one of the second sort long after it.
    """
    short = (0.3 * session_seconds, 0.7 * session_seconds)
    long = (2.0 * session_seconds, 5.0 * session_seconds)
    return (
        Kind("kill", PROCESSES),
        Kind("kill-group", PROCESSES),
        Kind("kill-child", ("serve-a", "serve-b"), amounts=(0.0, 1.0, 2.0)),
        Kind("terminate", PROCESSES),
        Kind("freeze", PROCESSES, short),
        Kind("freeze-long", PROCESSES, long),
        Kind("stop-service", SERVICES, (0.5, 4.0)),
        Kind("kill-service", SERVICES, (0.0, 2.0)),
        Kind("freeze-service", SERVICES, long),
        Kind("delay", LINKS, (5.0, 12.0), (0.05, 0.2, 0.5)),
        Kind("partition", LINKS, short),
        Kind("partition-long", LINKS, long),
        Kind("disk-full", DISKS, (4.0, 8.0)),
        # As long as a home can go without a write: its index is built every 20 s at most.
        Kind("disk-slow", DISKS, (10.0, 20.0), (0.05, 0.2, 0.5)),
        Kind("clock", MACHINES, (5.0, 12.0), (-50.0, -10.0, -1.0, 1.0, 10.0, 50.0)),
    )


def short_kinds(*, session_seconds: float) -> tuple[Kind, ...]:
    """The main kinds, each held for hardly longer than it takes: a pass of them is a minute's."""
    by_name = {kind.name: kind for kind in kinds(session_seconds=session_seconds)}
    targets = {
        "kill": PROCESSES,
        "terminate": PROCESSES,
        "freeze-long": PROCESSES,
        "kill-service": ("kafka",),
        "stop-service": ("database",),
        "delay": LINKS,
        "partition-long": LINKS,
        "disk-full": ("database",),
        "disk-slow": ("database",),
        "clock": MACHINES,
    }
    return tuple(
        replace(by_name[name], targets=chosen, seconds=_shorter(by_name[name].seconds))
        for name, chosen in targets.items()
    )


def _shorter(seconds: tuple[float, float]) -> tuple[float, float]:
    return seconds[0], 1.2 * seconds[0]


def schedule(seed: int, of: Sequence[Kind]) -> Iterator[Step]:
    """Steps without end; the same for the same seed and kinds."""
    draw = random.Random(seed)
    first = True
    while True:
        waiting = list(of)
        draw.shuffle(waiting)
        while waiting:
            chosen = [_drawn(draw, waiting.pop(), first=first)]
            if waiting and draw.random() < TOGETHER:
                chosen.append(_drawn(draw, waiting.pop(), first=first))
            if len(chosen) == 2 and _clash(*chosen):
                yield Step((chosen.pop(),), draw.uniform(*CALM_SECONDS))
            yield Step(tuple(chosen), draw.uniform(*CALM_SECONDS))
        first = False


def _drawn(draw: random.Random, kind: Kind, *, first: bool) -> Fault:
    targets = kind.targets
    if not first and kind.name.startswith(("kill", "terminate")):
        targets = tuple(one for one in targets if one in MORTAL or one in SERVICES)
    seconds = draw.uniform(*kind.seconds)
    return Fault(kind.name, draw.choice(targets), round(seconds, 1), draw.choice(kind.amounts))


def _clash(one: Fault, other: Fault) -> bool:
    """Whether one's end would end the other too: both on the same service, process or link."""
    return one.target == other.target
