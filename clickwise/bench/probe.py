"""The bare stages under a recommendation, and how well the index finds what is nearest.

    python -m clickwise.bench.probe < plan > figures      (settings from the environment)

In a process of its own with nothing beside it, so that one thread means one thread.

Shape suffixes: N = items, D = embedding dimension, K = nearest items asked for.
"""

import os
import sys
import time
from contextlib import ExitStack

import msgspec
import numpy as np

from clickwise import metrics
from clickwise.bench.report import Percentiles, percentiles
from clickwise.bundle import RECENTS, ScorerInput
from clickwise.cli import homes, wiring
from clickwise.cli.wiring import Core
from clickwise.profile import from_stored
from clickwise.recommend.answers import RecommendRequest
from clickwise.recommend.taste import Taste, taste_of
from clickwise.settings import load
from clickwise.types import UserId
from clickwise.vectors.columns import Columns
from clickwise.vectors.edge_shard import Shard
from clickwise.vectors.generations import Generations
from clickwise.vectors.port import Float32Array, Where

NEAREST = 200
ROUNDS = 1_000
WARM_ROUNDS = 100

Stages = tuple[list[float], list[float], list[float]]


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """Whose lists to make, how many items each, and how often."""

    users: list[UserId]
    limit: int
    rounds: int = ROUNDS


class Figures(msgspec.Struct, frozen=True, kw_only=True):
    """Seconds of the bare stages, one after the other, and of a whole recommendation in process.

    The floor is query and scorer alone; that the scorer's vectors have to be fetched in between
    is `gather_seconds`, and not in it.
    """

    floor_seconds: Percentiles
    vector_query_seconds: Percentiles
    scorer_seconds: Percentiles
    gather_seconds: Percentiles
    recommend_seconds: Percentiles
    recommend_cpu_seconds: float
    stage_seconds: dict[str, float]
    recall_at_200: float
    num_recall_queries: int


def probe(core: Core, plan: Plan) -> Figures:
    """Measure on an opened site."""
    tastes = [_taste(core, user) for user in plan.users]
    queries = [taste.interests_KD[0] for taste in tastes]
    vector, gather, scorer = _floor(core, tastes, rounds=plan.rounds)
    whole, cpu_seconds, stages = _recommendations(core, plan)
    return Figures(
        floor_seconds=percentiles(np.add(vector, scorer)),
        vector_query_seconds=percentiles(vector),
        scorer_seconds=percentiles(scorer),
        gather_seconds=percentiles(gather),
        recommend_seconds=whole,
        recommend_cpu_seconds=cpu_seconds,
        stage_seconds=stages,
        recall_at_200=_recall(core, queries),
        num_recall_queries=len(queries),
    )


def _taste(core: Core, user: UserId) -> Taste:
    stored, _ = core.state.profile(user)
    if stored is None:
        raise ValueError(f"the site has no profile of {user!a}")
    return taste_of(from_stored(stored.body)[0], core.bundle.recurrence)


def _floor(core: Core, tastes: list[Taste], *, rounds: int) -> Stages:
    """Seconds of a bare query of the engine, of fetching what it found, of the scorer on that."""
    generations = Generations(homes.vectors_folder(core.settings), core.bundle.vectors)
    number = generations.current()
    if number is None:
        raise ValueError("the site has no generation of its index")
    folder = generations.path(number)
    columns = Columns.open(folder / "columns")
    shard = Shard.view(folder / "shard", generations.scratch("open"))
    try:
        return _alternate(core, tastes, columns, shard, rounds=rounds)
    finally:
        shard.close()


def _alternate(
    core: Core, tastes: list[Taste], columns: Columns, shard: Shard, *, rounds: int
) -> Stages:
    vector, gather, scorer = [], [], []
    facts_NF = np.zeros((NEAREST, len(core.bundle.manifest.facts)), np.float32)
    recents_RD = np.zeros((RECENTS, core.catalog.dimension), np.float32)
    weights_R = np.full(RECENTS, 1.0 / RECENTS, np.float32)
    for turn in range(WARM_ROUNDS + rounds):
        taste = tastes[turn % len(tastes)]
        query = taste.interests_KD[0].tolist()
        begin = time.perf_counter()
        keys, _ = shard.nearest(query, limit=NEAREST, match=None)
        found = time.perf_counter()
        rows, _ = columns.rows(np.array(keys, np.int64))
        recents_RD[:] = columns.vectors_ND[rows[:RECENTS]] if len(rows) >= RECENTS else 0.0
        given = ScorerInput(
            interests_KD=taste.interests_KD,
            interest_gains_K=taste.gains_K,
            recents_RD=recents_RD,
            recent_weights_R=weights_R,
            aversion_D=taste.aversion_D,
            candidates_ND=columns.vectors_ND[rows],
            facts_NF=facts_NF[: len(rows)],
        )
        ready = time.perf_counter()
        core.bundle.scorer.score(given)
        scored = time.perf_counter()
        if turn >= WARM_ROUNDS:
            vector.append(found - begin)
            gather.append(ready - found)
            scorer.append(scored - ready)
    return vector, gather, scorer


def _recommendations(core: Core, plan: Plan) -> tuple[Percentiles, float, dict[str, float]]:
    """Seconds of whole answers without HTTP, processor seconds of one, mean seconds by stage."""
    requests = [RecommendRequest(user=user, limit=plan.limit) for user in plan.users]
    for turn in range(WARM_ROUNDS):
        core.recommend(requests[turn % len(requests)])
    before, cpu = _stage_sums(), time.process_time()
    seconds = []
    for turn in range(plan.rounds):
        begin = time.perf_counter()
        core.recommend(requests[turn % len(requests)])
        seconds.append(time.perf_counter() - begin)
    cpu_seconds = (time.process_time() - cpu) / plan.rounds
    stages = {
        stage: (after - before.get(stage, 0.0)) / plan.rounds
        for stage, after in _stage_sums().items()
    }
    return percentiles(seconds), cpu_seconds, stages


def _stage_sums() -> dict[str, float]:
    return {
        sample.labels["stage"]: sample.value
        for metric in metrics.recommend_seconds.collect()
        for sample in metric.samples
        if sample.name.endswith("_sum")
    }


def _recall(core: Core, queries: list[Float32Array]) -> float:
    """Share of the exact 200 nearest that the index finds."""
    generations = Generations(homes.vectors_folder(core.settings), core.bundle.vectors)
    columns = Columns.open(generations.path(generations.current() or 0) / "columns")
    now = time.time()
    open_N = ~columns.hidden_N & (columns.expires_N > now)
    shares = []
    for query_D in queries:
        scores_N = np.where(open_N, columns.vectors_ND @ query_D, -np.inf)
        most = min(NEAREST, int(open_N.sum()))
        exact = columns.keys_N[np.argpartition(-scores_N, most - 1)[:most]]
        (hits,) = core.catalog.index.search(query_D[None], limit=most, where=Where(now=now))
        shares.append(len(np.intersect1d(exact, hits.keys_N)) / most)
    return float(np.mean(shares))


def main() -> None:
    """Read a plan, measure, write the figures."""
    plan = msgspec.json.decode(sys.stdin.buffer.read(), type=Plan)
    with ExitStack() as stack:
        figures = probe(wiring.open_core(load(os.environ), stack), plan)
    sys.stdout.buffer.write(msgspec.json.encode(figures))


if __name__ == "__main__":
    main()
