"""What the time of training.speed buys: each system trained for some epochs, then NDCG@10.

By leave-one-out over all items (training.evaluation.leave_one_out), in the sizes that were timed
and with the full softmax; all other values are each system's defaults, and ours goes by ids alone.
Each keeps the weights that were best on its own validation part.
"""

import time
from collections.abc import Sequence
from dataclasses import replace

import msgspec

from training.baselines.gru4rec import gru4rec
from training.baselines.sasrec import sasrec
from training.data import Dataset, Ranker
from training.evaluation.cases import Plan, answer
from training.fit import FitConfig
from training.learned import LearnedRanker
from training.speed import Progress, limited_threads
from training.speed_systems import (
    Corpus,
    Sizes,
    gru4rec_config,
    ours_config,
    rows_of,
    sasrec_config,
)


class SystemQuality(msgspec.Struct, frozen=True, kw_only=True):
    """NDCG@10 after at most `epochs`; `fit_seconds` with the validation after each of them."""

    system: str
    epochs: int
    ndcg_at_10: float
    fit_seconds: float


def corpus_of(data: Dataset) -> Corpus:
    """What is timed: the items of each history, in order."""
    return Corpus(tuple(history.items_T for _, history in data.histories()), len(data.items))


def qualities(
    plan: Plan,
    sizes: Sizes,
    *,
    epochs: int,
    threads: int,
    device: str,
    seed: int,
    progress: Progress,
) -> tuple[SystemQuality, ...]:
    """Train each system on the plan's training part, and ask it the plan's cases."""
    batch = rows_of(corpus_of(plan.train), sizes, seed=seed)
    with limited_threads(threads):
        found: list[SystemQuality] = []
        for ranker in _rankers(sizes, epochs=epochs, batch=batch, device=device):
            progress(f"quality: {ranker.name}", len(found) / 3)
            begun = time.perf_counter()
            ranker.fit(_without_text(plan.train), seed=seed)
            seconds = time.perf_counter() - begun
            ranks_C = answer(ranker, plan.cases, progress=lambda _: None).ranks_C
            found.append(
                SystemQuality(
                    system=ranker.name,
                    epochs=epochs,
                    ndcg_at_10=round(float(plan.headline.of(ranks_C).mean()), 4),
                    fit_seconds=round(seconds, 2),
                )
            )
    return tuple(found)


def _rankers(sizes: Sizes, *, epochs: int, batch: int, device: str) -> Sequence[Ranker]:
    return (
        LearnedRanker(ours_config(sizes), FitConfig(epochs=epochs, batch=batch), device=device),
        sasrec(replace(sasrec_config(sizes), epochs=epochs, device=device)),
        gru4rec(replace(gru4rec_config(sizes), epochs=epochs, device=device)),
    )


def _without_text(data: Dataset) -> Dataset:
    return replace(data, items=replace(data.items, text_ID=None))
