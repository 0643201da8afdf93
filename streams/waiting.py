"""Waiting for a service: a growing pause between tries, one message when it goes or comes back."""

import asyncio
import random
import time
from collections.abc import Awaitable, Callable, Iterator, Mapping
from typing import TypeVar

from clickwise import logs, metrics
from clickwise.errors import ClickwiseError, UnavailableError

T = TypeVar("T")
Probe = Callable[[], Awaitable[None]]

_log = logs.get(__name__)

# What a call rests on may have no name there (the database or Qdrant, whichever is away): those
# two tell of themselves, through their breakers.
_NAMED = frozenset({"kafka", "database", "qdrant"})


def pauses(*, first: float = 0.05, longest: float = 2.0) -> Iterator[float]:
    """Seconds to wait between tries: doubling up to `longest`, each shortened by chance.

    The chance keeps the workers of a group from coming back all at once.
    """
    pause = first
    while True:
        yield pause * random.uniform(0.5, 1.0)
        pause = min(pause * 2, longest)


async def persistently(call: Callable[[], Awaitable[T]], *, dependency: str) -> T:
    """The result of `call`, repeated for as long as its fault is a retryable one.

    An outage is logged when it begins and when it is over; `clickwise_dependency_up` of a
    named service is 0 in between. Ends early only by cancellation.

    Raises:
        ClickwiseError: of a kind that a later try cannot mend.
    """
    down_since: float | None = None
    for pause in pauses():
        try:
            result = await call()
        except ClickwiseError as error:
            if not error.retryable:
                raise
            metrics.errors.labels(error.kind, dependency).inc()
            if down_since is None and isinstance(error, UnavailableError):
                down_since = time.monotonic()
                _report(dependency, up=False)
                _log.warning("dependency lost", dependency=dependency, error=str(error))
            await asyncio.sleep(pause)
        else:
            _report(dependency, up=True)
            if down_since is not None:
                seconds = round(time.monotonic() - down_since, 1)
                _log.info("dependency is back", dependency=dependency, seconds=seconds)
            return result
    raise AssertionError("pauses never end")


async def wait_for_services(probes: Mapping[str, Probe], *, limit_seconds: float) -> None:
    """Return once every probe has passed; they are tried one after the other, in order.

    Raises:
        UnavailableError: one did not answer within `limit_seconds` from now; names it.
        ClickwiseError: of a kind that waiting cannot mend.
    """
    deadline = time.monotonic() + limit_seconds
    for name, probe in probes.items():
        waited = False
        for pause in pauses(first=0.2):
            try:
                await probe()
            except ClickwiseError as error:
                if not error.retryable:
                    raise
                _report(name, up=False)
                if time.monotonic() + pause >= deadline:
                    raise UnavailableError(
                        f"{name} did not answer within {limit_seconds:g} s"
                        f" (CLICKWISE_STARTUP_TIMEOUT_SECONDS): {error}"
                    ) from error
                if not waited:
                    waited = True
                    _log.warning("waiting for a service", service=name, error=str(error))
                await asyncio.sleep(pause)
            else:
                _report(name, up=True)
                _log.info("service answers", service=name)
                break


def _report(name: str, *, up: bool) -> None:
    if name in _NAMED:
        metrics.dependency_up.labels(name).set(up)
