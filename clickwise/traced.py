"""Spans for an OpenTelemetry collector (OTLP over HTTP). Needs the extra `trace`.

Spans wait in a bounded queue that one thread empties: a collector that is slow or away costs spans,
which are counted as dropped, and no request.
"""

import queue
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib.metadata import version

from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan, SpanProcessor, TracerProvider
from opentelemetry.sdk.trace.export import SpanExporter, SpanExportResult
from opentelemetry.sdk.trace.sampling import ParentBased, TraceIdRatioBased
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from clickwise import logs, metrics
from clickwise.settings import Settings
from clickwise.tracing import HEADER, Attributes, Step

QUEUED = 4_096
AT_ONCE = 256
EVERY_SECONDS = 0.5
SEND_SECONDS = 5.0
STOP_SECONDS = 2.0

_log = logs.get(__name__)
_propagator = TraceContextTextMapPropagator()


class CollectorTracer:
    """See `clickwise.tracing.Tracer`."""

    def __init__(
        self, settings: Settings, *, service: str, exporter: SpanExporter | None = None
    ) -> None:
        """`exporter`: where spans go (None: to the endpoint of the settings)."""
        if exporter is None:
            exporter = OTLPSpanExporter(endpoint=settings.trace_endpoint, timeout=SEND_SECONDS)
        self._sending = Sending(exporter)
        provider = TracerProvider(
            sampler=ParentBased(TraceIdRatioBased(settings.trace_share)),
            resource=Resource.create(
                {"service.name": f"clickwise-{service}", "service.version": version("clickwise")}
            ),
            shutdown_on_exit=False,
        )
        provider.add_span_processor(self._sending)
        self._tracer = provider.get_tracer("clickwise")

    @contextmanager
    def span(self, name: str, attributes: Attributes, parent: str | None) -> Iterator[None]:
        """See Tracer. A fault marks the span; its text, which may hold anything, stays out."""
        with self._tracer.start_as_current_span(
            name,
            context=_below(parent),
            attributes=attributes,
            record_exception=False,
            set_status_on_exception=False,
        ) as one:
            try:
                yield
            except BaseException as error:
                one.set_status(trace.StatusCode.ERROR)
                one.set_attribute("error.type", type(error).__name__)
                raise

    def step(self, step: Step, parent: str | None, inner: Sequence[Step]) -> None:
        """See Tracer. Without a parent only below a present span: it begins no trace."""
        if parent is None and not trace.get_current_span().get_span_context().is_valid:
            return
        one = self._tracer.start_span(step.name, context=_below(parent), start_time=step.begun)
        within = trace.set_span_in_context(one)
        for part in inner:
            child = self._tracer.start_span(part.name, context=within, start_time=part.begun)
            child.end(part.ended)
        one.end(step.ended)

    def traceparent(self) -> str | None:
        """See Tracer."""
        carrier: dict[str, str] = {}
        _propagator.inject(carrier)
        return carrier.get(HEADER)

    def stop(self) -> None:
        """See Tracer."""
        self._sending.shutdown()


class Sending(SpanProcessor):
    """The queue before an exporter, and the thread that empties it."""

    def __init__(self, exporter: SpanExporter, *, queued: int = QUEUED) -> None:
        self._exporter = exporter
        self._queue: queue.Queue[ReadableSpan] = queue.Queue(queued)
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="clickwise-traces", daemon=True)
        self._thread.start()

    def on_end(self, span: ReadableSpan) -> None:
        """Queue a span that has ended; never waits. Over the bound it is dropped and counted."""
        if span.context is None or not span.context.trace_flags.sampled:
            return
        try:
            self._queue.put_nowait(span)
        except queue.Full:
            metrics.dropped.labels("spans").inc()

    def shutdown(self) -> None:
        """Send what waits, for a few seconds at most."""
        self._stopping.set()
        self._thread.join(STOP_SECONDS)

    def _run(self) -> None:
        while not self._stopping.wait(EVERY_SECONDS):
            self._empty()
        self._empty()
        self._exporter.shutdown()

    def _empty(self) -> None:
        while some := self._taken():
            started = time.monotonic()
            try:
                done = self._exporter.export(some) is SpanExportResult.SUCCESS
            except Exception as error:  # noqa: BLE001  # whatever a client raises costs no request
                _log.debug("spans were not sent", error=repr(error))
                done = False
            if not done:
                metrics.dropped.labels("spans").inc(len(some))
                if time.monotonic() - started > EVERY_SECONDS:
                    return

    def _taken(self) -> list[ReadableSpan]:
        some: list[ReadableSpan] = []
        while len(some) < AT_ONCE:
            try:
                some.append(self._queue.get_nowait())
            except queue.Empty:
                break
        return some


def _below(parent: str | None) -> Context | None:
    return _propagator.extract({HEADER: parent}, Context()) if parent is not None else None
