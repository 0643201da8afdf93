"""`clickwise bench swap`: models of two dimensions, promoted and rolled back under load.

Each round publishes a model that was never seen before, with other weights and of the other
dimension, promotes it and takes it back, on a real server with two workers; meanwhile lists and
events go on at a steady rate. `during` are requests whose moment lies between the start of a
promotion or rollback and its end, when every process answers with the other model: so indexing,
opening, swapping and folding profiles anew are in it.
"""

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path
from urllib.parse import quote

import msgspec
import numpy as np
from rich.console import Console
from rich.progress import Progress

from clickwise.bench.children import serving
from clickwise.bench.connection import Connection
from clickwise.bench.counting import lost_and_twice
from clickwise.bench.loads import LoadFailedError
from clickwise.bench.machine import Machine, machine
from clickwise.bench.memory import Memory, descendants, memory_of
from clickwise.bench.report import Percentiles, percentiles, progress, shown, shown_bytes, table
from clickwise.bench.site import Shape, make_site, settings_for
from clickwise.bench.swap_load import Plan, Result
from clickwise.cli import homes, releasing
from clickwise.settings import Settings
from clickwise.testing.bundles import random_bundle
from clickwise.vectors.port import BoolArray, Float64Array

WORKERS = 2
LANES = 8
LIMIT = 10
WARM_SECONDS = 4.0
PAUSE_SECONDS = 1.0  # after each swap, for the figures outside
SETTLED_AFTER = 10  # rounds, after which memory should grow no more


class Growth(msgspec.Struct, frozen=True, kw_only=True):
    """One process: what it held after the tenth round, and at the end."""

    process: str
    before: Memory
    after: Memory


class SwapReport(msgspec.Struct, frozen=True, kw_only=True):
    """`swaps`: of the live model, twice the rounds. `checked` scores were compared, and those of
    `told_apart` readers and items differ from model to model, so that mixing would have shown.
    `rss_growth_bytes`: of the process that grew most, all that is resident; `own_growth_bytes`:
    the part that is no mapped file. SQLite's page caches are in it, which fill as the database
    grows, to 32 MiB a connection.
    """

    machine: Machine
    site: Shape
    dimensions: tuple[int, int]
    rounds: int
    swaps: int
    requests: int
    events: int
    failed_requests: int
    first_failure: str
    mixed_vectors: int
    checked: int
    told_apart: int
    events_lost: int
    events_twice: int
    degraded: int
    rss_growth_bytes: int
    own_growth_bytes: int
    growth: list[Growth]
    during: Percentiles
    outside: Percentiles
    p99_ratio: float
    promote_seconds: Percentiles
    rollback_seconds: Percentiles


def bench_swap(
    shape: Shape,
    *,
    rounds: int,
    requests: float,
    events: float,
    dimensions: tuple[int, int],
    console: Console,
) -> SwapReport:
    """Measure, and clean up.

    Raises:
        LoadFailedError: the load generator, or a promotion, ended in a fault.
    """
    facts = machine()
    with ExitStack() as stack:
        bar = stack.enter_context(progress(console))
        home = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="clickwise-bench-")))
        settings = msgspec.structs.replace(
            settings_for(home, dimension=shape.dimension), exploration=0.0
        )
        made = make_site(settings, shape, progress=bar)
        users = [str(user) for user in shape.user_ids()]
        looking, clicking = users[: len(users) // 2], users[len(users) // 2 :]
        releasing.promote(settings, _bundle(settings, shape, 0, dimensions[0]))
        port = stack.enter_context(serving(settings, "up", workers=WORKERS))
        before = _applied(port, clicking)
        plan = Plan(
            host="127.0.0.1",
            port=port,
            requests=requests,
            events=events,
            lanes=LANES,
            looking=looking,
            clicking=clicking,
            items=[item.id for item in made.items],
            limit=LIMIT,
        )
        with _running(plan) as load:
            begun = time.perf_counter() + WARM_SECONDS
            time.sleep(WARM_SECONDS)
            swaps = Swaps(settings, shape, dimensions)
            swaps.run(rounds, bar)
            result = load()
        expected = {u: n + result.acknowledged.get(u, 0) for u, n in before.items()}
        lost, twice = lost_and_twice(expected, _applied(port, clicking))
    moments_N, latencies_N = np.array(result.moments), np.array(result.latencies)
    kept_N = moments_N >= begun
    inside_N = swaps.inside(moments_N) & kept_N
    during = percentiles(latencies_N[inside_N])
    outside = percentiles(latencies_N[kept_N & ~inside_N])
    growth = swaps.growth()
    return SwapReport(
        machine=facts,
        site=shape,
        dimensions=dimensions,
        rounds=rounds,
        swaps=2 * rounds,
        requests=len(result.moments),
        events=sum(result.acknowledged.values()),
        failed_requests=result.failures,
        first_failure=result.first_failure,
        mixed_vectors=result.mixed,
        checked=result.checked,
        told_apart=result.told_apart,
        events_lost=lost,
        events_twice=twice,
        degraded=result.degraded,
        rss_growth_bytes=max(one.after.resident - one.before.resident for one in growth),
        own_growth_bytes=max(one.after.anonymous - one.before.anonymous for one in growth),
        growth=growth,
        during=during,
        outside=outside,
        p99_ratio=round(during.p99 / outside.p99, 3),
        promote_seconds=percentiles(swaps.promoting),
        rollback_seconds=percentiles(swaps.returning),
    )


class Swaps:
    """Rounds of a promotion and a rollback, with the times of each and what processes hold."""

    def __init__(self, settings: Settings, shape: Shape, dimensions: tuple[int, int]) -> None:
        self._settings = settings
        self._shape = shape
        self._dimensions = dimensions
        self._spans: list[tuple[float, float]] = []
        self._held: list[dict[str, Memory]] = []
        self.promoting: list[float] = []
        self.returning: list[float] = []

    def run(self, rounds: int, bar: Progress) -> None:
        """Run them."""
        task = bar.add_task("promote and roll back", total=rounds)
        for number in range(1, rounds + 1):
            folder = _bundle(self._settings, self._shape, number, self._dimensions[1])
            self.promoting.append(self._timed(partial(self._promote, folder)))
            time.sleep(PAUSE_SECONDS)
            self.returning.append(self._timed(partial(releasing.rollback, self._settings)))
            time.sleep(PAUSE_SECONDS)
            self._held.append(self._memories())
            bar.advance(task)
        bar.remove_task(task)

    def inside(self, moments_N: Float64Array) -> BoolArray:
        """Which moments lie in the middle of a promotion or rollback."""
        inside_N: BoolArray = np.zeros(len(moments_N), np.bool_)
        for begin, end in self._spans:
            inside_N |= (moments_N >= begin) & (moments_N <= end)
        return inside_N

    def growth(self) -> list[Growth]:
        """Each process from the tenth round (or the first, of fewer) to the last."""
        first = self._held[min(SETTLED_AFTER, len(self._held)) - 1]
        last = self._held[-1]
        return [
            Growth(process=name, before=before, after=last[name])
            for name, before in first.items()
            if name in last
        ]

    def _promote(self, folder: Path) -> None:
        releasing.promote(self._settings, folder)
        # A site keeps its bundles; a thousand made-up ones are only in the way.
        shutil.rmtree(folder, ignore_errors=True)

    def _timed(self, work: Callable[[], object]) -> float:
        begin = time.perf_counter()
        work()
        end = time.perf_counter()
        self._spans.append((begin, end))
        return end - begin

    def _memories(self) -> dict[str, Memory]:
        server = homes.ServerLock(self._settings).process()
        if server is None:
            raise LoadFailedError("the server has ended")
        found = {}
        for pid in descendants(server):
            try:
                found[_name(pid)] = memory_of(pid)
            except OSError:
                continue  # it has just ended
        return found


def _bundle(settings: Settings, shape: Shape, number: int, dimension: int) -> Path:
    """A model never seen before."""
    return random_bundle(
        settings.folder / "made",
        f"swap-{number}-{dimension}",
        encoder=f"hashing-{shape.dimension}",
        text_dimension=shape.dimension,
        dimension=dimension,
        seed=number,
    )


@contextmanager
def _running(plan: Plan) -> Iterator[Callable[[], Result]]:
    """The load generator, until the call of what is yielded ends it and reads its result."""
    process = subprocess.Popen(
        [sys.executable, "-m", "clickwise.bench.swap_load"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )

    def result() -> Result:
        process.send_signal(signal.SIGTERM)
        raw, _ = process.communicate()
        if process.returncode:
            raise LoadFailedError(f"the load generator ended with code {process.returncode}")
        return msgspec.msgpack.decode(raw, type=Result)

    try:
        given = process.stdin
        assert given is not None  # noqa: S101  # it is a pipe
        given.write(msgspec.msgpack.encode(plan))
        given.close()
        process.stdin = None
        yield result
    finally:
        if process.poll() is None:
            process.kill()
            process.wait()


class _Profile(msgspec.Struct, frozen=True):
    events_applied: int


def _applied(port: int, users: Sequence[str]) -> dict[str, int]:
    """How many events each reader's profile rests on."""
    found = {}
    with Connection("127.0.0.1", port) as connection:
        for user in users:
            reply = connection.get(f"/v1/users/{quote(user, safe='')}/profile")
            if reply.status != 200:
                raise LoadFailedError(f"a profile was answered with {reply.status}")
            found[user] = msgspec.json.decode(reply.body, type=_Profile).events_applied
    return found


def _name(pid: int) -> str:
    """What a process is, with its id."""
    words = Path(f"/proc/{pid}/cmdline").read_bytes().decode(errors="replace").split("\0")
    known = next((w for w in words if w.startswith(("clickwise", "from "))), words[0])
    return f"{known.rpartition('/')[2][:40]} {pid}"


def draw_swap(report: SwapReport, console: Console) -> None:
    """The report for people."""
    console.print(
        table(
            f"{report.swaps} swaps between {report.dimensions[0]}-d and {report.dimensions[1]}-d:"
            f" {report.site.items:,} items, {report.requests:,} lists, {report.events:,} events",
            ("lists", "p50", "p90", "p99", "longest", "number"),
            [
                (name, shown(f.p50), shown(f.p90), shown(f.p99), shown(f.max), f"{f.num_samples:,}")
                for name, f in (("during a swap", report.during), ("outside", report.outside))
            ],
        )
    )
    console.print(
        f"failed requests {report.failed_requests}, mixed vectors {report.mixed_vectors} of"
        f" {report.checked:,} scores, events lost {report.events_lost}, twice"
        f" {report.events_twice}, degraded {report.degraded}"
    )
    console.print(
        f"p99 during over outside {report.p99_ratio:.2f}; a promotion takes"
        f" {shown(report.promote_seconds.p50)}, a rollback {shown(report.rollback_seconds.p50)};"
        f" the largest growth after round {SETTLED_AFTER}: {shown_bytes(report.rss_growth_bytes)}"
        f" resident, {shown_bytes(report.own_growth_bytes)} its own"
    )
    if report.first_failure:
        console.print(report.first_failure, markup=False)
