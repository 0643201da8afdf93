"""Lists while the language model answers, is stopped, hangs or talks nonsense, and with texts off.

All in turns, in one run.
"""

import time
from collections.abc import Callable
from contextlib import ExitStack
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
from clickwise.testing.kafka import free_ports
from clickwise.testing.language_model import LanguageModel
from clickwise.testing.proxy import TcpProxy
from clickwise.testing.writer import MODEL, Mode
from clickwise.vectors.port import Float64Array

SHAPE = Shape(items=2_000, users=200, events_per_user=50, dimension=128)
CLIENTS = 4
LIMIT = 10
WARMUP_SECONDS = 2.0
SECONDS = 8.0
DEADLINE_SECONDS = 10.0  # the process of words has a low priority: a second may pass unseen
CHANGE_SECONDS = 240.0
STATES = ("off", "answers", "is stopped", "hangs", "talks nonsense")
MODES: dict[str, Mode] = {"hangs": "hung", "talks nonsense": "nonsense"}


class Quiet(msgspec.Struct, frozen=True, kw_only=True):
    """Lists by what the language model does, over all rounds; `p99_ratios`: to those while it
    answers. `opened`, `recovered`: whether the breaker did so each time, by its metric.
    """

    rounds: int
    seconds: dict[str, Percentiles]
    p99_ratios: dict[str, float]
    opened: bool
    recovered: bool


def measure_quiet(home: Path, *, rounds: int, bar: Progress) -> Quiet:
    """Serve a made-up site whose texts a scripted model writes, and ask for lists.

    Beside it, and asked in turns with it, the same site with texts off.
    """
    latencies: dict[str, list[Float64Array]] = {state: [] for state in STATES}
    opened = recovered = True
    with ExitStack() as stack:
        model = stack.enter_context(LanguageModel())
        link = stack.enter_context(TcpProxy())
        link.lead_to("127.0.0.1", model.port)
        off = settings_for(home / "off", dimension=SHAPE.dimension)
        on = msgspec.structs.replace(
            settings_for(home / "on", dimension=SHAPE.dimension), texts="url",
            texts_url=f"http://127.0.0.1:{link.port}/v1", texts_model=MODEL,
            texts_deadline_seconds=DEADLINE_SECONDS, texts_tokens_per_day=1_000_000_000,
        )  # fmt: skip
        for settings in (off, on):
            make_site(settings, SHAPE, progress=bar)
        plain = stack.enter_context(serving(off, "up", workers=1))
        port = stack.enter_context(serving(on, "up", workers=1))
        task = bar.add_task("lists by what the model does", total=len(STATES) * rounds)
        _wait(lambda: model.calls > 0)
        for _ in range(rounds):
            for state, found in latencies.items():
                # Each begins with a breaker that lets calls through, so that it is this state's.
                recovered = _wait(lambda: _breaker(port) == 0) and recovered
                _put(model, link, state)
                found.append(_measured(plain if state == "off" else port))
                if state not in ("off", "answers"):
                    opened = _wait(lambda: _breaker(port) > 0) and opened
                    _put(model, link, "answers")
                bar.advance(task)
        recovered = _wait(lambda: _breaker(port) == 0) and recovered
        bar.remove_task(task)
    seconds = {state: percentiles(np.concatenate(found)) for state, found in latencies.items()}
    well = seconds["answers"].p99
    return Quiet(
        rounds=rounds,
        seconds=seconds,
        p99_ratios={
            state: round(figures.p99 / well, 3)
            for state, figures in seconds.items()
            if state != "answers"
        },
        opened=opened,
        recovered=recovered,
    )


def _put(model: LanguageModel, link: TcpProxy, state: str) -> None:
    """Let the model do this from now on; where texts are off it answers whom nobody asks."""
    link.lead_to("127.0.0.1", free_ports(1)[0] if state == "is stopped" else model.port)
    model.mode = MODES.get(state, "good")


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
