"""`clickwise bench serve`: how many lists a second, how late, and how far from the bare engine.

The real server, started as `clickwise up` starts it, over a made-up site; the load comes from a
process of its own. In the same run, with nothing else running: the floor, which is one bare
vector query and one bare run of the scorer, and the index's recall.
"""

import random
import tempfile
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path

import msgspec
from rich.console import Console
from rich.progress import Progress

from clickwise.bench import requests
from clickwise.bench.children import probed, serving
from clickwise.bench.load import Plan
from clickwise.bench.loads import measure
from clickwise.bench.machine import Machine, machine
from clickwise.bench.probe import Figures
from clickwise.bench.probe import Plan as ProbePlan
from clickwise.bench.report import Percentiles, bars, percentiles, progress, shown, table
from clickwise.bench.site import Shape, is_made, make_site, settings_for
from clickwise.errors import ConfigurationError
from clickwise.settings import Settings

EVENTS_PER_USER = 200
LIMIT = 10
WARMUP_SECONDS = 2.0
RECALL_QUERIES = 200


class Run(msgspec.Struct, frozen=True, kw_only=True):
    """One number of clients against one number of workers.

    `degraded`: answers of which some stage fell back. `load_cpu_share`: of one core, by the load
    generator.
    """

    workers: int
    clients: int
    requests_per_second: float
    latency_seconds: Percentiles
    degraded: int
    load_cpu_share: float


class ServeReport(msgspec.Struct, frozen=True, kw_only=True):
    """`ratio_to_floor`: p50 at the fewest clients and workers, over `floor_seconds` (p50)."""

    machine: Machine
    site: Shape
    items_per_answer: int
    seconds_per_run: float
    runs: list[Run]
    floor_seconds: float
    ratio_to_floor: float
    recall_at_200: float
    in_process: Figures


def bench_serve(
    shape: Shape,
    *,
    clients: Sequence[int],
    workers: Sequence[int],
    seconds: float,
    site: Path | None,
    console: Console,
) -> ServeReport:
    """Measure, and clean up. `site`: a folder to keep the made-up site in, or to find it there.

    Raises:
        LoadFailedError: an answer was wrong or missing.
        ConfigurationError: the folder holds something else.
    """
    facts = machine()
    with ExitStack() as stack:
        bar = stack.enter_context(progress(console))
        settings = _site(shape, site, stack, bar)
        task = bar.add_task("probe the floor", total=None)
        plan = ProbePlan(users=shape.user_ids()[:RECALL_QUERIES], limit=LIMIT)
        figures = probed(settings, "clickwise.bench.probe", plan, Figures)
        bar.remove_task(task)
        runs = []
        task = bar.add_task("serve", total=len(clients) * len(workers))
        for number in workers:
            with serving(settings, "up", workers=number) as port:
                for count in clients:
                    bar.update(task, description=f"serve: {number} workers, {count} clients")
                    runs.append(_run(port, shape, number, count, seconds))
                    bar.advance(task)
    fewest = min(runs, key=lambda run: (run.clients, run.workers))
    floor = figures.floor_seconds.p50
    return ServeReport(
        machine=facts,
        site=shape,
        items_per_answer=LIMIT,
        seconds_per_run=seconds,
        runs=runs,
        floor_seconds=floor,
        ratio_to_floor=round(fewest.latency_seconds.p50 / floor, 3),
        recall_at_200=round(figures.recall_at_200, 4),
        in_process=figures,
    )


def _site(shape: Shape, site: Path | None, stack: ExitStack, bar: Progress) -> Settings:
    if site is None:
        site = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="clickwise-bench-")))
    settings = settings_for(site, dimension=shape.dimension)
    if is_made(settings, shape):
        return settings
    if site.exists() and any(site.iterdir()):
        raise ConfigurationError(f"{site} holds something else than a site of {shape}: empty it")
    make_site(settings, shape, progress=bar)
    return settings


def _run(port: int, shape: Shape, workers: int, clients: int, seconds: float) -> Run:
    users = shape.user_ids()
    random.Random(clients).shuffle(users)
    measured = measure(
        Plan(
            host="127.0.0.1",
            port=port,
            clients=clients,
            requests=[requests.recommendations(user, limit=LIMIT) for user in users],
            repeat=True,
            warmup_seconds=WARMUP_SECONDS,
            seconds=seconds,
            mark=requests.POSITION,
            marks=LIMIT,
            note=requests.WHOLE,
        )
    )
    return Run(
        workers=workers,
        clients=clients,
        requests_per_second=round(measured.per_second, 1),
        latency_seconds=percentiles(measured.latencies_N),
        degraded=measured.without_note,
        load_cpu_share=round(measured.cpu_seconds / (seconds + WARMUP_SECONDS), 3),
    )


def draw_serve(report: ServeReport, console: Console) -> None:
    """The report for people."""
    console.print(
        table(
            f"recommendations: {report.site.items:,} items of {report.site.dimension}-d,"
            f" {report.site.users:,} users of {report.site.events_per_user} events",
            ("workers x clients", "a second", "p50", "p90", "p99", "longest", "degraded"),
            [
                (
                    f"{run.workers} x {run.clients}",
                    f"{run.requests_per_second:,.0f}",
                    shown(run.latency_seconds.p50),
                    shown(run.latency_seconds.p90),
                    shown(run.latency_seconds.p99),
                    shown(run.latency_seconds.max),
                    str(run.degraded),
                )
                for run in report.runs
            ],
        )
    )
    figures = report.in_process
    console.print(
        f"floor {shown(report.floor_seconds)} (vector query"
        f" {shown(figures.vector_query_seconds.p50)}, scorer {shown(figures.scorer_seconds.p50)});"
        f" ratio to floor {report.ratio_to_floor:.2f}; recall at 200 {report.recall_at_200:.3f};"
        f" in process {shown(figures.recommend_seconds.p50)}"
    )
    console.print(
        bars(
            "p99",
            [
                (f"{run.workers} x {run.clients}", run.latency_seconds.p99,
                 shown(run.latency_seconds.p99))
                for run in report.runs
            ],
        )
    )  # fmt: skip
