"""`clickwise bench load`: where the knee is, and what happens at twice the knee.

The real server, started as `clickwise up` starts it, over a made-up site; an open loop of lists
from a process of its own (`clickwise.bench.open_load`). The rate rises step by step to the knee
(`clickwise.bench.knee`); then the knee and twice the knee, each for longer. Beyond the knee some
have to be refused: at once, and so that the others are answered as fast as ever.
"""

import re
import subprocess
import sys
import tempfile
from contextlib import ExitStack
from pathlib import Path

import msgspec
import numpy as np
from rich.console import Console

from clickwise.bench import requests
from clickwise.bench.arrivals import Spacing
from clickwise.bench.children import serving
from clickwise.bench.connection import Connection
from clickwise.bench.knee import SOON_SECONDS, Step, find_knee, step_of
from clickwise.bench.load import PATIENCE_SECONDS
from clickwise.bench.loads import LoadFailedError
from clickwise.bench.machine import Machine, machine
from clickwise.bench.memory import descendants, memory_of, open_files_of
from clickwise.bench.open_load import Plan, Result
from clickwise.bench.report import bars, progress, shown, shown_bytes, table
from clickwise.bench.site import Shape, make_site, settings_for
from clickwise.cli import homes
from clickwise.settings import Settings

CONNECTIONS = 256
LIMIT = 10
WARMUP_SECONDS = 1.0
WARM_RATE = 50.0
_REFUSED = re.compile(
    rb'^clickwise_refused_requests_total{[^}]*reason="overloaded"[^}]*} (\S+)', re.MULTILINE
)


class Held(msgspec.Struct, frozen=True, kw_only=True):
    """What all processes of the server held together, while no request was in work.

    `own_bytes`: resident, and no mapped file. `open_files`: with sockets and pipes.
    """

    after: str
    processes: int
    resident_bytes: int
    own_bytes: int
    open_files: int


class LoadReport(msgspec.Struct, frozen=True, kw_only=True):
    """`most_seconds`: the p99 up to which a rate holds. `p99_ratio`: of those admitted, at twice
    the knee over at the knee. `refused_by_server` is its own count of what was seen as
    `refused_by_client`, from the warm-up to the end. Growth: from the knee to after twice the knee.
    """

    machine: Machine
    site: Shape
    items_per_answer: int
    workers: int
    spacing: Spacing
    seconds_per_step: float
    seconds_per_run: float
    most_seconds: float
    steps: list[Step]
    knee_requests_per_second: float
    knee: Step
    twice: Step
    p99_ratio: float
    refused_within_10_ms: float | None
    refused_by_client: int
    refused_by_server: int
    held: list[Held]
    own_growth_bytes: int
    open_files_growth: int


def bench_load(
    shape: Shape,
    *,
    workers: int,
    spacing: Spacing,
    light: float,
    times: float,
    seconds: float,
    run_seconds: float,
    console: Console,
) -> LoadReport:
    """Measure, and clean up. Steps of `seconds` from `light` requests a second, runs of
    `run_seconds`; a rate holds while p99 is at most `times` that of the light load.

    Raises:
        LoadFailedError: an answer was wrong or missing, or there is no knee.
    """
    facts = machine()
    with ExitStack() as stack:
        bar = stack.enter_context(progress(console))
        home = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="clickwise-bench-")))
        settings = _as_it_comes(settings_for(home, dimension=shape.dimension))
        make_site(settings, shape, progress=bar)
        port = stack.enter_context(serving(settings, "up", workers=workers))
        source = Source(port, shape, spacing)
        task = bar.add_task("find the knee", total=None)

        def step(rate: float) -> Step:
            bar.update(task, description=f"{rate:,.0f} requests a second")
            return source.drive(rate, seconds)

        for _ in range(2):  # every reader once, so that no first time is among the figures
            source.drive(WARM_RATE, max(seconds, shape.users / WARM_RATE))
        found = find_knee(step, light=light, times=times)
        rate = found.knee.offered
        bar.update(task, description=f"the knee: {rate:,.0f} requests a second")
        knee = source.drive(rate, run_seconds)
        held = [_held(settings, "the knee")]
        bar.update(task, description=f"twice the knee: {2 * rate:,.0f} requests a second")
        twice = source.drive(2 * rate, run_seconds)
        held.append(_held(settings, "twice the knee"))
        refused = _refused_by(port)
    if knee.seconds is None or twice.seconds is None:
        raise LoadFailedError("every request was refused")
    return LoadReport(
        machine=facts,
        site=shape,
        items_per_answer=LIMIT,
        workers=workers,
        spacing=spacing,
        seconds_per_step=seconds,
        seconds_per_run=run_seconds,
        most_seconds=found.most_seconds,
        steps=found.steps,
        knee_requests_per_second=knee.admitted,
        knee=knee,
        twice=twice,
        p99_ratio=round(twice.seconds.p99 / knee.seconds.p99, 3),
        refused_within_10_ms=twice.refused_soon,
        refused_by_client=source.refused,
        refused_by_server=refused,
        held=held,
        own_growth_bytes=held[-1].own_bytes - held[0].own_bytes,
        open_files_growth=held[-1].open_files - held[0].open_files,
    )


def _as_it_comes(settings: Settings) -> Settings:
    """With the bounds on requests in work that a site has unless it sets others."""
    usual = Settings()
    return msgspec.structs.replace(
        settings, max_in_flight=usual.max_in_flight, max_wait_seconds=usual.max_wait_seconds
    )


class Source:
    """Where the requests come from; counts what was refused. Each drive has another seed."""

    def __init__(self, port: int, shape: Shape, spacing: Spacing) -> None:
        self._port = port
        self._requests = [requests.recommendations(user, limit=LIMIT) for user in shape.user_ids()]
        self._spacing = spacing
        self._seed = 0
        self.refused = 0

    def drive(self, rate: float, seconds: float) -> Step:
        """A window of `seconds` at `rate`, after a warm-up.

        Raises:
            LoadFailedError: an answer was wrong or missing.
        """
        self._seed += 1
        plan = Plan(
            host="127.0.0.1",
            port=self._port,
            connections=CONNECTIONS,
            requests=self._requests,
            rate=rate,
            seconds=WARMUP_SECONDS + seconds,
            spacing=self._spacing,
            seed=self._seed,
            mark=requests.POSITION,
            marks=LIMIT,
        )
        result = run_open(plan)
        moments_N = np.frombuffer(result.moments, np.float64)
        admitted_N = np.frombuffer(result.admitted, np.bool_)
        self.refused += int((~admitted_N).sum())
        kept_N = moments_N >= WARMUP_SECONDS
        if not kept_N.any():
            raise LoadFailedError(f"no request was due within {seconds:g} s at {rate:g} a second")
        return step_of(
            np.frombuffer(result.latencies, np.float64)[kept_N],
            admitted_N[kept_N],
            rate=round(rate, 1),
            window_seconds=seconds,
            lags_N=np.frombuffer(result.lags, np.float64),
            load_cpu_share=round(result.cpu_seconds / result.seconds, 3),
        )


def run_open(plan: Plan) -> Result:
    """Run an open loop to its end in a process of its own.

    Raises:
        LoadFailedError: an answer was wrong or missing.
    """
    done = subprocess.run(
        [sys.executable, "-m", "clickwise.bench.open_load"],
        input=msgspec.msgpack.encode(plan),
        stdout=subprocess.PIPE,
        timeout=plan.seconds + 3 * PATIENCE_SECONDS,
        check=False,
    )
    if done.returncode:
        raise LoadFailedError(f"the load generator ended with code {done.returncode}")
    result = msgspec.msgpack.decode(done.stdout, type=Result)
    if result.failures:
        raise LoadFailedError(f"{result.failures} requests failed: {result.first_failure}")
    return result


def _refused_by(port: int) -> int:
    """Requests that the server says it refused because there were too many."""
    with Connection("127.0.0.1", port) as connection:
        return sum(int(float(one)) for one in _REFUSED.findall(connection.get("/metrics").body))


def _held(settings: Settings, after: str) -> Held:
    server = homes.ServerLock(settings).process()
    if server is None:
        raise LoadFailedError("the server has ended")
    processes = descendants(server)
    memories = [memory_of(pid) for pid in processes]
    return Held(
        after=after,
        processes=len(processes),
        resident_bytes=sum(one.resident for one in memories),
        own_bytes=sum(one.anonymous for one in memories),
        open_files=sum(open_files_of(pid) for pid in processes),
    )


def draw_load(report: LoadReport, console: Console) -> None:
    """The report for people."""
    steps = sorted(report.steps, key=lambda step: step.offered)
    console.print(
        table(
            f"open loop, {report.spacing}: {report.site.items:,} items of"
            f" {report.site.dimension}-d, {report.workers} worker(s)",
            ("requests a second", "admitted", "p50", "p90", "p99", "refused", "within 10 ms",
             "generator late, p99"),
            [
                *(_row(f"{step.offered:,.0f}", step) for step in steps),
                _row(f"the knee: {report.knee.offered:,.0f}", report.knee),
                _row(f"twice: {report.twice.offered:,.0f}", report.twice),
            ],
        )
    )  # fmt: skip
    console.print(
        bars(
            "p99 of those admitted",
            [
                (f"{step.offered:,.0f} a second", step.seconds.p99, shown(step.seconds.p99))
                for step in [*steps, report.twice]
                if step.seconds is not None
            ],
        )
    )
    within = report.refused_within_10_ms
    console.print(
        f"knee {report.knee_requests_per_second:,.0f} requests a second (p99 up to"
        f" {shown(report.most_seconds)}); p99 at twice the knee over at the knee"
        f" {report.p99_ratio:.2f}; refused within {shown(SOON_SECONDS)}:"
        f" {'none refused' if within is None else f'{within:.1%}'}; refused in all"
        f" {report.refused_by_client:,}, by the server's figures {report.refused_by_server:,}"
    )
    last = report.held[-1]
    console.print(
        f"after twice the knee {shown_bytes(last.resident_bytes)} resident,"
        f" {shown_bytes(last.own_bytes)} the server's own (since the knee"
        f" {report.own_growth_bytes / 2**20:+.1f} MiB), {last.open_files} open files"
        f" ({report.open_files_growth:+d})"
    )


def _row(name: str, step: Step) -> tuple[str, ...]:
    figures = step.seconds
    waits = (shown(figures.p50), shown(figures.p90), shown(figures.p99)) if figures else ("-",) * 3
    soon = "-" if step.refused_soon is None else f"{step.refused_soon:.1%}"
    lag = shown(step.lag_seconds.p99)
    return (name, f"{step.admitted:,.0f}", *waits, f"{step.refused_share:.1%}", soon, lag)
