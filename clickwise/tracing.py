"""Traces of what a request or a message caused, for an OpenTelemetry collector; off by default.

OpenTelemetry is known to `traced` alone. Without a collector nothing of it is imported, and a
span costs a comparison. Attributes are numbers and names from small sets: no id of a person, no
text.

A batch of messages belongs to many traces: each that it came from, `MOST_TRACES` at most, gets
spans of its own, with the batch's times.
"""

import time
from collections.abc import Iterable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import Protocol

from clickwise import installing
from clickwise.errors import ConfigurationError
from clickwise.settings import Settings

HEADER = "traceparent"
MOST_TRACES = 32
Attributes = dict[str, str | int | float | bool]


@dataclass(frozen=True, slots=True)
class Step:
    """Work that is done; times in nanoseconds since 1970."""

    name: str
    begun: int
    ended: int


class Tracer(Protocol):
    """What makes spans: `clickwise.traced`, or a list in tests."""

    def span(
        self, name: str, attributes: Attributes, parent: str | None
    ) -> AbstractContextManager[None]:
        """A span around a block, below the present one, or below a W3C `traceparent`."""
        ...

    def step(self, step: Step, parent: str | None, inner: Sequence[Step]) -> None:
        """A span of work that is done, and those within it; without `parent`, below the present
        one, if there is one.
        """
        ...

    def traceparent(self) -> str | None:
        """The present span, as W3C Trace Context writes it."""
        ...

    def stop(self) -> None:
        """Send what waits, for a few seconds at most."""
        ...


_tracer: Tracer | None = None
_nothing: AbstractContextManager[None] = nullcontext()


def start(settings: Settings, *, service: str) -> None:
    """Trace this process, where the settings name a collector.

    Raises:
        ConfigurationError: the extra `trace` is not installed.
    """
    check(settings)
    if settings.trace_endpoint:
        from clickwise.traced import CollectorTracer

        use(CollectorTracer(settings, service=service))


def check(settings: Settings) -> None:
    """Refuse a collector that nothing here could speak with.

    Raises:
        ConfigurationError: the extra `trace` is not installed.
    """
    if not settings.trace_endpoint:
        return
    try:
        import clickwise.traced  # noqa: F401
    except ImportError as error:
        raise ConfigurationError(
            "CLICKWISE_TRACE_ENDPOINT is set, and OpenTelemetry is missing;"
            f" {installing.with_extra('trace')}"
        ) from error


def use(tracer: Tracer | None) -> None:
    """Make spans with this one from now on: one for each process, as its metrics are."""
    global _tracer  # noqa: PLW0603  # see above
    _tracer = tracer


def stop() -> None:
    """Send what waits, and trace no more."""
    if _tracer is not None:
        _tracer.stop()
    use(None)


def on() -> bool:
    """Whether anything is traced."""
    return _tracer is not None


def span(
    name: str, attributes: Attributes | None = None, *, parent: str | None = None
) -> AbstractContextManager[None]:
    """A span around a block; see Tracer."""
    if _tracer is None:
        return _nothing
    return _tracer.span(name, attributes or {}, parent)


def stage(name: str, seconds: float) -> None:
    """A span of work that took `seconds` and ended now, below the present one."""
    if _tracer is not None:
        now = time.time_ns()
        _tracer.step(Step(name, now - round(seconds * 1e9), now), None, ())


def batch(parents: Iterable[str | None], step: Step, inner: Sequence[Step] = ()) -> None:
    """A span of work that is done, in each of these traces."""
    if _tracer is None:
        return
    known = dict.fromkeys(parent for parent in parents if parent)
    for parent in list(known)[:MOST_TRACES]:
        _tracer.step(step, parent, inner)


def traceparent() -> str | None:
    """The present span; None where nothing is traced."""
    return _tracer.traceparent() if _tracer is not None else None


def headers() -> tuple[tuple[str, bytes], ...]:
    """What a message carries of the present span: Kafka's headers."""
    present = traceparent()
    return ((HEADER, present.encode()),) if present else ()
