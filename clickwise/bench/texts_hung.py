"""Lists while the language model hangs, against lists while it answers: in turns, in one run."""

import time
from collections.abc import Callable
from pathlib import Path

import msgspec
import numpy as np
from rich.progress import Progress

from clickwise.bench import requests
from clickwise.bench.children import serving
from clickwise.bench.connection import Connection
from clickwise.bench.load import Plan
from clickwise.bench.loads import measure
from clickwise.bench.report import Percentiles, percentiles
from clickwise.bench.site import Shape, make_site, settings_for
from clickwise.testing.language_model import LanguageModel
from clickwise.testing.writer import MODEL, Mode
from clickwise.vectors.port import Float64Array

SHAPE = Shape(items=2_000, users=200, events_per_user=50, dimension=128)
CLIENTS = 4
LIMIT = 10
WARMUP_SECONDS = 2.0
SECONDS = 8.0
DEADLINE_SECONDS = 10.0  # the process of words has a low priority: a second may pass unseen
CHANGE_SECONDS = 240.0


class Quiet(msgspec.Struct, frozen=True, kw_only=True):
    """`p99_ratio`: hung to well, over all rounds. `opened`, `recovered`: what the metric said."""

    rounds: int
    well: Percentiles
    hung: Percentiles
    p99_ratio: float
    opened: bool
    recovered: bool


def measure_quiet(home: Path, *, rounds: int, bar: Progress) -> Quiet:
    """Serve a made-up site whose texts a scripted model writes, and ask for lists."""
    latencies: dict[Mode, list[Float64Array]] = {"good": [], "hung": []}
    opened = True
    with LanguageModel() as model:
        settings = msgspec.structs.replace(
            settings_for(home, dimension=SHAPE.dimension), texts="url", texts_url=model.url,
            texts_model=MODEL, texts_deadline_seconds=DEADLINE_SECONDS,
            texts_tokens_per_day=1_000_000_000,
        )  # fmt: skip
        make_site(settings, SHAPE, progress=bar)
        task = bar.add_task("lists, model well and hung", total=2 * rounds)
        with serving(settings, "up", workers=1) as port:
            _wait(lambda: model.calls > 0)
            for _ in range(rounds):
                for mode, found in latencies.items():
                    model.mode = mode
                    if mode == "good":
                        _wait(lambda: _breaker(port) == 0)
                    found.append(_measured(port))
                    bar.advance(task)
                opened = opened and _wait(lambda: _breaker(port) > 0)
            model.mode = "good"
            recovered = _wait(lambda: _breaker(port) == 0)
        bar.remove_task(task)
    well, hung = (percentiles(np.concatenate(latencies[mode])) for mode in ("good", "hung"))
    return Quiet(
        rounds=rounds,
        well=well,
        hung=hung,
        p99_ratio=round(hung.p99 / well.p99, 3),
        opened=opened,
        recovered=recovered,
    )


def _measured(port: int) -> Float64Array:
    users = SHAPE.user_ids()
    return measure(
        Plan(
            host="127.0.0.1",
            port=port,
            clients=CLIENTS,
            requests=[requests.recommendations(user, limit=LIMIT) for user in users],
            repeat=True,
            warmup_seconds=WARMUP_SECONDS,
            seconds=SECONDS,
            mark=requests.POSITION,
            marks=LIMIT,
        )
    ).latencies_N


def _breaker(port: int) -> int:
    """What /metrics says of the breaker; -1: nothing yet."""
    with Connection("127.0.0.1", port) as connection:
        body = connection.get("/metrics").body
    for line in body.decode().splitlines():
        if line.startswith("clickwise_text_breaker_state "):
            return int(float(line.rpartition(" ")[2]))
    return -1


def _wait(condition: Callable[[], bool]) -> bool:
    """Whether it came true in time."""
    deadline = time.monotonic() + CHANGE_SECONDS
    while time.monotonic() < deadline:
        if condition():
            return True
        time.sleep(0.2)
    return False
