"""An OpenTelemetry collector in process: what it was sent over HTTP, kept in memory."""

import gzip
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest


@dataclass(frozen=True, slots=True)
class SentSpan:
    """A span as a collector sees it. Ids are hexadecimal, `parent` empty where it has none."""

    service: str
    name: str
    trace: str
    span: str
    parent: str
    attributes: str


class Collector:
    """Spans that were received; `address` takes OTLP over HTTP."""

    def __init__(self, address: str) -> None:
        self.address = address
        self._spans: list[SentSpan] = []
        self._changed = threading.Lock()

    @property
    def spans(self) -> list[SentSpan]:
        """What came up to now, in order."""
        with self._changed:
            return list(self._spans)

    def named(self, name: str) -> list[SentSpan]:
        """Spans of that name."""
        return [span for span in self.spans if span.name == name]

    def take(self, body: bytes) -> None:
        """Keep the spans of a request."""
        request = ExportTraceServiceRequest.FromString(body)
        found = [
            SentSpan(
                service=_text(resource.resource.attributes, "service.name"),
                name=span.name,
                trace=span.trace_id.hex(),
                span=span.span_id.hex(),
                parent=span.parent_span_id.hex(),
                attributes=str(span.attributes),
            )
            for resource in request.resource_spans
            for scope in resource.scope_spans
            for span in scope.spans
        ]
        with self._changed:
            self._spans += found


def _text(attributes: object, name: str) -> str:
    for one in attributes:  # type: ignore[attr-defined]  # protobuf's repeated field
        if one.key == name:
            return str(one.value.string_value)
    return ""


@contextmanager
def running_collector() -> Iterator[Collector]:
    """A collector on a free port of this machine."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            if self.headers.get("content-encoding") == "gzip":
                body = gzip.decompress(body)
            collector.take(body)
            self.send_response(200)
            self.send_header("content-type", "application/x-protobuf")
            self.send_header("content-length", "0")
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002  # as it is called
            """Nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    collector = Collector(f"http://127.0.0.1:{server.server_address[1]}/v1/traces")
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield collector
    finally:
        server.shutdown()
        server.server_close()
