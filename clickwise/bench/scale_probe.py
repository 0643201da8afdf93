"""One size of a site in a process of its own: how long a recommendation takes, what it holds.

python -m clickwise.bench.scale_probe < plan > figures      (settings from the environment)
"""

import os
import sys
import time
from contextlib import ExitStack

import msgspec

from clickwise.bench.memory import Memory, own_memory
from clickwise.bench.report import Percentiles, percentiles
from clickwise.cli import wiring
from clickwise.recommend.answers import RecommendRequest
from clickwise.settings import load
from clickwise.types import UserId

WARM_ROUNDS = 200


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """Whose lists to make, in this order; the first 200 are not counted."""

    users: list[UserId]
    limit: int


class Figures(msgspec.Struct, frozen=True, kw_only=True):
    """In process, without HTTP. `shortest`: fewest items in an answer."""

    recommend_seconds: Percentiles
    cpu_seconds: float
    shortest: int
    memory: Memory


def main() -> None:
    """Read a plan, measure, write the figures."""
    plan = msgspec.json.decode(sys.stdin.buffer.read(), type=Plan)
    with ExitStack() as stack:
        core = wiring.open_core(load(os.environ), stack)
        requests = [RecommendRequest(user=user, limit=plan.limit) for user in plan.users]
        for request in requests[:WARM_ROUNDS]:
            core.recommend(request)
        seconds, lengths = [], []
        cpu = time.process_time()
        for request in requests[WARM_ROUNDS:]:
            begin = time.perf_counter()
            answer = core.recommend(request)
            seconds.append(time.perf_counter() - begin)
            lengths.append(len(answer.items))
        cpu_seconds = (time.process_time() - cpu) / len(seconds)
        figures = Figures(
            recommend_seconds=percentiles(seconds),
            cpu_seconds=cpu_seconds,
            shortest=min(lengths),
            memory=own_memory(),
        )
    sys.stdout.buffer.write(msgspec.json.encode(figures))


if __name__ == "__main__":
    main()
