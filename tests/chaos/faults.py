"""How each kind of fault of the schedule is made, and undone."""

import os
import signal
import time
from collections.abc import Callable

from tests.chaos.deployment import Deployment, thaw
from tests.chaos.schedule import Fault

Undo = Callable[[], str | None]  # what it tells of the fault, where there is anything to tell


class LeftOutError(Exception):
    """This fault cannot be made here; the message says why."""


def strike(deployment: Deployment, fault: Fault) -> Undo:
    """Make a fault; the returned call undoes it.

    Raises:
        LeftOutError: not on this machine.
    """
    return _KINDS[fault.kind](deployment, fault)


def _nothing() -> None:
    """What ends a process is undone by its supervisor."""


def _kill(deployment: Deployment, fault: Fault) -> Undo:
    deployment.processes[fault.target].send(signal.SIGKILL)
    return _nothing


def _kill_group(deployment: Deployment, fault: Fault) -> Undo:
    deployment.processes[fault.target].send_all(signal.SIGKILL)
    return _nothing


def _kill_child(deployment: Deployment, fault: Fault) -> Undo:
    """One of the processes that the server started: a worker, the builder."""
    children = deployment.processes[fault.target].children()
    if children:
        os.kill(children[int(fault.amount) % len(children)], signal.SIGKILL)
    return _nothing


def _terminate(deployment: Deployment, fault: Fault) -> Undo:
    deployment.processes[fault.target].send(signal.SIGTERM)
    return _nothing


def _freeze(deployment: Deployment, fault: Fault) -> Undo:
    process = deployment.processes[fault.target]
    process.send_all(signal.SIGSTOP)
    return lambda: thaw(process)


def _stop_service(deployment: Deployment, fault: Fault) -> Undo:
    service = _service(deployment, fault)
    service.stop()
    return service.start


def _kill_service(deployment: Deployment, fault: Fault) -> Undo:
    service = _service(deployment, fault)
    service.kill()
    return service.start


def _freeze_service(deployment: Deployment, fault: Fault) -> Undo:
    service = _service(deployment, fault)
    service.pause()
    return service.resume


def _delay(deployment: Deployment, fault: Fault) -> Undo:
    link = deployment.links[fault.target]
    link.delay(fault.amount)
    return link.mend


def _partition(deployment: Deployment, fault: Fault) -> Undo:
    link = deployment.links[fault.target]
    link.cut()
    return link.mend


def _disk_full(deployment: Deployment, fault: Fault) -> Undo:
    disk = deployment.disks[fault.target]
    if not disk.can_be_filled:
        raise LeftOutError("no small disk: this user may not mount a tmpfs")
    disk.fill()

    def undo() -> None:
        disk.free()
        services = {"kafka": deployment.kafka, "database": deployment.database}
        service = services.get(fault.target)
        if service is not None:
            time.sleep(0.5)  # one that is about to end because of it
            if not service.running or not service.ready():
                service.kill()
                service.start()

    return undo


def _disk_slow(deployment: Deployment, fault: Fault) -> Undo:
    brake = deployment.brakes[fault.target]
    if not brake.can_be_slowed:
        raise LeftOutError("no slow disk: there is no C compiler")
    before = brake.num_held
    brake.slow(fault.amount)

    def undo() -> str:
        brake.release()
        return f"{brake.num_held - before} calls waited for {fault.target}"

    return undo


def _clock(deployment: Deployment, fault: Fault) -> Undo:
    clock = deployment.clocks[fault.target]
    if not clock.can_be_moved:
        raise LeftOutError("no movable clock: there is no C compiler")
    clock.move(round(60 * fault.amount))
    return lambda: clock.move(0)


def _service(deployment: Deployment, fault: Fault):
    return deployment.kafka if fault.target == "kafka" else deployment.database


_KINDS: dict[str, Callable[[Deployment, Fault], Undo]] = {
    "kill": _kill,
    "kill-group": _kill_group,
    "kill-child": _kill_child,
    "terminate": _terminate,
    "freeze": _freeze,
    "freeze-long": _freeze,
    "stop-service": _stop_service,
    "kill-service": _kill_service,
    "freeze-service": _freeze_service,
    "delay": _delay,
    "partition": _partition,
    "partition-long": _partition,
    "disk-full": _disk_full,
    "disk-slow": _disk_slow,
    "clock": _clock,
}

MADE = frozenset(_KINDS)
