"""Traces: off by default, and never in the way."""

import subprocess
import sys
import threading
from collections.abc import Iterator, Sequence

import pytest
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import SpanExporter, SpanExportResult
from prometheus_client import REGISTRY

from clickwise import tracing
from clickwise.settings import load
from clickwise.traced import CollectorTracer, Sending

PARENT = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


class Kept(SpanExporter):
    """Keeps what it is given; may be held up, or fail."""

    def __init__(self, *, fails: bool = False) -> None:
        self.spans: list[ReadableSpan] = []
        self.let_go = threading.Event()
        self.let_go.set()
        self.fails = fails

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        self.let_go.wait(30)
        if self.fails:
            raise OSError
        self.spans += spans
        return SpanExportResult.SUCCESS


@pytest.fixture
def kept() -> Iterator[Kept]:
    exporter = Kept()
    tracing.use(CollectorTracer(load({}), service="test", exporter=exporter))
    yield exporter
    exporter.let_go.set()
    tracing.stop()


def dropped() -> float:
    return REGISTRY.get_sample_value("clickwise_dropped_total", {"queue": "spans"}) or 0.0


def ids(span: ReadableSpan) -> tuple[str, str, str]:
    parent = f"{span.parent.span_id:016x}" if span.parent else ""
    assert span.context is not None
    return span.name, f"{span.context.trace_id:032x}", parent


def test_without_an_endpoint_nothing_is_traced_and_opentelemetry_is_not_imported() -> None:
    program = (
        "import sys; from clickwise import tracing; from clickwise.settings import load\n"
        "tracing.start(load({}), service='serve')\n"
        "with tracing.span('a'): assert tracing.traceparent() is None\n"
        "assert tracing.headers() == ()\n"
        "assert not any(name.startswith('opentelemetry') for name in sys.modules)"
    )

    ran = subprocess.run([sys.executable, "-c", program], capture_output=True, check=False)

    assert ran.returncode == 0, ran.stderr


def test_a_span_continues_the_trace_of_the_request_and_hands_it_on(kept: Kept) -> None:
    with tracing.span("outer", parent=PARENT):
        tracing.stage("stage", 0.01)
        carried = tracing.traceparent()
    tracing.batch(
        [carried, carried, None], tracing.Step("fold", 1, 4), [tracing.Step("write", 2, 3)]
    )
    tracing.stop()

    spans = {span.name: span for span in kept.spans}
    outer, fold = spans["outer"], spans["fold"]
    assert outer.context is not None
    assert fold.context is not None
    assert {ids(span)[1] for span in kept.spans} == {PARENT.split("-")[1]}
    assert ids(outer)[2] == PARENT.split("-")[2]
    assert ids(spans["stage"])[2] == ids(fold)[2] == f"{outer.context.span_id:016x}"
    assert ids(spans["write"])[2] == f"{fold.context.span_id:016x}"
    assert len(kept.spans) == 4


def test_a_fault_marks_its_span_without_its_words(kept: Kept) -> None:
    with pytest.raises(ValueError, match="ann@example"), tracing.span("a"):
        raise ValueError("ann@example.com is wrong")
    tracing.stop()

    (span,) = kept.spans
    assert "ann" not in span.to_json()
    assert span.attributes == {"error.type": "ValueError"}


def test_stages_outside_of_a_request_begin_no_trace(kept: Kept) -> None:
    tracing.stage("recommend.score", 0.01)
    tracing.stop()

    assert kept.spans == []


@pytest.mark.parametrize("broken", ["", "00-zz-b7ad6b7169203331-01", "x" * 5_000, "00-" + "0" * 32])
def test_a_traceparent_that_is_none_begins_a_trace_of_its_own(kept: Kept, broken: str) -> None:
    with tracing.span("a", parent=broken):
        assert tracing.traceparent() is not None
    tracing.stop()

    assert ids(kept.spans[0])[2] == ""


def test_a_share_of_nothing_traces_what_others_began_alone() -> None:
    exporter = Kept()
    tracing.use(CollectorTracer(load({}, trace_share=0.0), service="test", exporter=exporter))
    with tracing.span("mine"):
        pass
    with tracing.span("theirs", parent=PARENT):
        pass
    tracing.stop()

    assert [span.name for span in exporter.spans] == ["theirs"]


def test_a_collector_that_stands_still_holds_nobody_up_and_what_is_too_much_is_counted() -> None:
    exporter = Kept()
    exporter.let_go.clear()
    sending = Sending(exporter, queued=10)
    made = Kept()
    tracing.use(CollectorTracer(load({}), service="test", exporter=made))
    with tracing.span("one"):
        pass
    tracing.stop()
    before = dropped()

    for _ in range(1_000):
        sending.on_end(made.spans[0])

    assert dropped() - before >= 1_000 - 10 - 256
    exporter.let_go.set()
    sending.shutdown()
    assert len(exporter.spans) + dropped() - before == 1_000


def test_spans_that_a_collector_does_not_take_are_counted() -> None:
    before = dropped()
    tracing.use(CollectorTracer(load({}), service="test", exporter=Kept(fails=True)))
    with tracing.span("one"):
        pass
    tracing.stop()

    assert dropped() - before == 1
