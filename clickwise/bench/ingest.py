"""`clickwise bench ingest`: events a second, embedded and from Kafka, and a burst of items.

Embedded: over HTTP, in batches of 100 and one by one, each answered once it is durable and in
the profile. Kafka: one `clickwise stream` worker over events that wait in the topic, with a real
PostgreSQL, beside the same agents doing nothing but acknowledge. Burst: the p99 of lists before
and while many new items come in.
"""

import tempfile
from collections.abc import Iterable, Sequence
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec
from rich.console import Console
from rich.progress import Progress

from clickwise.bench.burst import Burst, measure_burst
from clickwise.bench.children import serving
from clickwise.bench.load import Plan
from clickwise.bench.loads import measure
from clickwise.bench.machine import Machine, machine
from clickwise.bench.report import bars, progress, shown, table
from clickwise.bench.requests import APPLIED, post
from clickwise.bench.site import Shape, make_site, settings_for
from clickwise.bench.streamed import Streamed, measure_stream
from clickwise.bench.synthetic import Made, stream_of_events
from clickwise.codec import encode
from clickwise.events import Event

BATCH = 100
BATCH_CLIENTS = 4
SINGLE_CLIENTS = 8
WARM_EVENTS = 500
SITE = Shape(items=2_000, users=0, events_per_user=0, dimension=384)
LONGEST_SECONDS = 300.0


class Embedded(msgspec.Struct, frozen=True, kw_only=True):
    """Events a second, durable and in the profile before the answer."""

    batched: float
    single: float


class Run(msgspec.Struct, frozen=True, kw_only=True):
    """How much one of these rates rests on."""

    clients: int
    num_events: int


class Runs(msgspec.Struct, frozen=True, kw_only=True):
    """Of the two rates of Embedded."""

    batched: Run
    single: Run


class IngestReport(msgspec.Struct, frozen=True, kw_only=True):
    """None where it was not measured. `burst` is with the encoder that needs no model,
    `burst_real_encoder` with the default model and fewer items.
    """

    machine: Machine
    embedded_events_per_second: Embedded
    embedded_runs: Runs
    batch: int
    num_events: int
    stream_events_per_second: float | None
    faust_floor_events_per_second: float | None
    stream_share_of_floor: float | None
    streamed: Streamed | None
    burst: Burst
    burst_real_encoder: Burst | None


def bench_ingest(
    *,
    events: int,
    users: int,
    items: int,
    burst_items: int,
    real_encoder_items: int,
    kafka: bool,
    console: Console,
) -> IngestReport:
    """Measure everything; without `kafka` what needs no services.

    Raises:
        LoadFailedError: an event or a list was not answered as it should be.
    """
    facts = machine()
    streamed = real = None
    with progress(console) as bar:
        embedded, runs = _embedded(events, users, bar)
        if kafka:
            streamed = measure_stream(SITE, events=events, users=users, bar=bar)
        burst = measure_burst(burst_items, onto=items, encoder="hashing:384", bar=bar)
        if real_encoder_items:
            real = measure_burst(real_encoder_items, onto=items, encoder="default", bar=bar)
    return IngestReport(
        machine=facts,
        embedded_events_per_second=embedded,
        embedded_runs=runs,
        batch=BATCH,
        num_events=events,
        stream_events_per_second=streamed.stream_events_per_second if streamed else None,
        faust_floor_events_per_second=streamed.floor_events_per_second if streamed else None,
        stream_share_of_floor=streamed.share_of_floor if streamed else None,
        streamed=streamed,
        burst=burst,
        burst_real_encoder=real,
    )


def _embedded(events: int, users: int, bar: Progress) -> tuple[Embedded, Runs]:
    with ExitStack() as stack:
        home = stack.enter_context(tempfile.TemporaryDirectory(prefix="clickwise-bench-"))
        settings = settings_for(Path(home), dimension=SITE.dimension)
        made = make_site(settings, SITE, progress=bar)
        port = stack.enter_context(serving(settings, "up", workers=1))
        task = bar.add_task("events, embedded", total=2)
        _events_per_second(port, _events(made, users, WARM_EVENTS, seed=1), batch=1, clients=1)
        batched, num_batched = _events_per_second(
            port, _events(made, users, events, seed=2), batch=BATCH, clients=BATCH_CLIENTS
        )
        bar.advance(task)
        single, num_single = _events_per_second(
            port, _events(made, users, max(events // 4, 1), seed=3), batch=1,
            clients=SINGLE_CLIENTS,
        )  # fmt: skip
        bar.remove_task(task)
    runs = Runs(
        batched=Run(clients=BATCH_CLIENTS, num_events=num_batched),
        single=Run(clients=SINGLE_CLIENTS, num_events=num_single),
    )
    return Embedded(batched=batched, single=single), runs


def _events(made: Made, users: int, count: int, *, seed: int) -> Iterable[Event]:
    """Phase `seed` of 1 to 3: each ends an hour before the next, so that none comes late."""
    until = datetime.now(UTC) - timedelta(hours=3 - seed)
    return stream_of_events(made, users=users, count=count, until=until, seed=seed)


def _events_per_second(
    port: int, events: Iterable[Event], *, batch: int, clients: int
) -> tuple[float, int]:
    """From the first request to the last answer, and of how many; each has to be applied."""
    bodies = [encode(event) for event in events]
    whole = len(bodies) // batch * batch
    requests = [_post(bodies[start : start + batch]) for start in range(0, whole, batch)]
    measured = measure(
        Plan(
            host="127.0.0.1",
            port=port,
            clients=clients,
            requests=requests,
            repeat=False,
            warmup_seconds=0.0,
            seconds=LONGEST_SECONDS,
            mark=APPLIED,
            marks=batch,
        )
    )
    begin = float((measured.ends_N - measured.latencies_N).min())
    answered = len(measured.ends_N) * batch
    return round(answered / (float(measured.ends_N.max()) - begin), 1), answered


def _post(bodies: Sequence[bytes]) -> bytes:
    if len(bodies) == 1:
        return post("/v1/events", bodies[0])
    return post("/v1/events", b'{"events":[' + b",".join(bodies) + b"]}")


def draw_ingest(report: IngestReport, console: Console) -> None:
    """The report for people."""
    rates = [
        ("embedded, batches of 100", report.embedded_events_per_second.batched),
        ("embedded, one by one", report.embedded_events_per_second.single),
        ("stream worker", report.stream_events_per_second),
        ("Faust, acknowledging only", report.faust_floor_events_per_second),
    ]
    measured = [(name, rate) for name, rate in rates if rate is not None]
    console.print(bars("events a second", [(n, rate, f"{rate:,.0f}") for n, rate in measured]))
    bursts = [("hashing", report.burst), ("real", report.burst_real_encoder)]
    console.print(
        table(
            "lists while new items come in",
            ("encoder", "items", "items a second", "p99 without", "p99 during", "ratio", "longest"),
            [
                (
                    name,
                    f"{burst.items:,}",
                    f"{burst.items_per_second:,.0f}",
                    shown(burst.without.p99),
                    shown(burst.during.p99),
                    f"{burst.ratio:.2f}",
                    shown(burst.during.max),
                )
                for name, burst in bursts
                if burst is not None
            ],
        )
    )
