"""Lists before, during and after a burst of new items: does writing hold up reading?"""

import re
import tempfile
import time
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path

import msgspec
from rich.progress import Progress

from clickwise.bench import requests
from clickwise.bench.children import serving
from clickwise.bench.connection import Connection
from clickwise.bench.load import Plan
from clickwise.bench.loads import Load, Measured, measure
from clickwise.bench.report import Percentiles, percentiles
from clickwise.bench.site import Shape, make_site, settings_for
from clickwise.bench.synthetic import make_item
from clickwise.codec import encode

DIMENSION = 384
USERS = 300
EVENTS_PER_USER = 200
CLIENTS = 4
LIMIT = 10
BULK = 100
WARMUP_SECONDS = 2.0
QUIET_SECONDS = 8.0
LONGEST_SECONDS = 900.0
SETTLE_SECONDS = 60.0
_FIRST_NEW_ROW = 5_000_000
_WAITING = re.compile(rb"^clickwise_index_delta_items(?:{[^}]*})? (\S+)", re.MULTILINE)


class Burst(msgspec.Struct, frozen=True, kw_only=True):
    """Seconds of lists at 4 clients. `after`: from the last item until the index is built anew
    (None: there was nothing left to build). `ratio`: p99 during over p99 without.
    """

    items: int
    encoder: str
    burst_seconds: float
    items_per_second: float
    without: Percentiles
    during: Percentiles
    after: Percentiles | None
    ratio: float


def measure_burst(items: int, *, onto: int, encoder: str, bar: Progress) -> Burst:
    """Send `items` new items, in bulks of 100, to a site of `onto` while 4 clients ask for lists.

    Raises:
        LoadFailedError: a list or an item was not answered as it should be.
    """
    with ExitStack() as stack:
        home = stack.enter_context(tempfile.TemporaryDirectory(prefix="clickwise-bench-"))
        settings = settings_for(Path(home), dimension=DIMENSION)
        settings = msgspec.structs.replace(settings, encoder_model=encoder)
        shape = Shape(items=onto, users=USERS, events_per_user=EVENTS_PER_USER, dimension=DIMENSION)
        make_site(settings, shape, progress=bar)
        port = stack.enter_context(serving(settings, "up", workers=1))
        task = bar.add_task(f"burst of {items:,} items, {encoder}", total=None)
        with Load(_asking(port, shape)) as load:
            time.sleep(WARMUP_SECONDS + QUIET_SECONDS)
            begin = time.perf_counter()
            bulks = measure(_putting(port, items))
            end = time.perf_counter()
            settled = _settle(port)
            load.stop()
            lists = load.result()
        bar.remove_task(task)
    return _burst(items, encoder, bulks, lists, begin=begin, end=end, settled=settled)


def _burst(
    items: int,
    encoder: str,
    bulks: Measured,
    lists: Measured,
    *,
    begin: float,
    end: float,
    settled: float,
) -> Burst:
    first = float((bulks.ends_N - bulks.latencies_N).min())
    seconds = float(bulks.ends_N.max()) - first
    without = percentiles(lists.between(begin - QUIET_SECONDS, begin))
    during = percentiles(lists.between(first, end))
    after_N = lists.between(end, settled)
    return Burst(
        items=items,
        encoder=encoder,
        burst_seconds=round(seconds, 3),
        items_per_second=round(items / seconds, 1),
        without=without,
        during=during,
        after=percentiles(after_N) if len(after_N) else None,
        ratio=round(during.p99 / without.p99, 3),
    )


def _asking(port: int, shape: Shape) -> Plan:
    return Plan(
        host="127.0.0.1",
        port=port,
        clients=CLIENTS,
        requests=[requests.recommendations(user, limit=LIMIT) for user in shape.user_ids()],
        repeat=True,
        warmup_seconds=WARMUP_SECONDS,
        seconds=LONGEST_SECONDS,
        mark=requests.POSITION,
        marks=LIMIT,
    )


def _putting(port: int, items: int) -> Plan:
    now = datetime.now(UTC)
    bodies = [encode(make_item(_FIRST_NEW_ROW + row, now=now)) for row in range(items)]
    bulks = [bodies[start : start + BULK] for start in range(0, items, BULK)]
    return Plan(
        host="127.0.0.1",
        port=port,
        clients=1,
        requests=[
            requests.post("/v1/items", b'{"items":[' + b",".join(bulk) + b"]}") for bulk in bulks
        ],
        repeat=False,
        warmup_seconds=0.0,
        seconds=LONGEST_SECONDS,
        mark=requests.APPLIED,
        marks=min(BULK, items),
    )


def _settle(port: int) -> float:
    """Wait until few items wait outside the index, a minute at most; when that was."""
    deadline = time.perf_counter() + SETTLE_SECONDS
    with Connection("127.0.0.1", port) as connection:
        while time.perf_counter() < deadline:
            found = _WAITING.search(connection.get("/metrics").body)
            if found is not None and float(found.group(1)) < 1_000.0:
                break
            time.sleep(0.25)
    return time.perf_counter()
