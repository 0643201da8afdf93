"""`python -m training.pruning`: what an encoder with fewer layers or pieces saves, and costs.

Size on disk, texts a second on one thread, and NDCG@10 of ranking MovieLens-100k's films by text
alone: each user's last film of interest among all, by the mean cosine to the five before it.
Nothing is learned, so that nothing but the text vectors differs.

Shape suffixes: I = items, D = dimension, U = users.
"""

import argparse
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import msgspec
import numpy as np

from clickwise.encoder import open_encoder
from clickwise.encoder.port import TextEncoder
from clickwise.vectors.port import Float32Array, Float64Array, Int64Array
from training.data import Dataset
from training.datasets import load_dataset
from training.evaluation.metrics import Metric, bar, ranks
from training.evaluation.statistics import Interval, bootstrap, paired

VARIANTS = (
    "default", "default:layers=9", "default:layers=6", "default:layers=3",
    "default:pieces=100000", "default:pieces=40000", "default:layers=6,pieces=100000",
)  # fmt: skip
RECENT = 5
_METRIC = Metric("NDCG", 10)
_BATCH = 32
_TIMED, _ROUNDS = 64, 7


class Variant(msgspec.Struct, frozen=True, kw_only=True):
    """One encoder; `difference` of its quality to that of the first one measured."""

    model: str
    version: str
    size_bytes: int
    texts_per_second: float
    quality: Interval
    difference: Interval


@dataclass(frozen=True, slots=True)
class Asked:
    """NDCG@10 of each user's question."""

    values_U: Float64Array
    users_U: Int64Array


def measured(models: Sequence[str], data: Dataset, *, cache: Path) -> list[Variant]:
    """Measure each encoder, built below `cache` where it is not there yet."""
    encoders = [
        open_encoder(model=model, device="cpu", threads=1, batch=_BATCH, cache=cache)
        for model in models
    ]
    speeds = _texts_per_second(encoders, data.items.texts[:_TIMED])
    found: list[Variant] = []
    first: Asked | None = None
    for model, encoder, speed in zip(models, encoders, speeds, strict=True):
        texts = data.items.texts
        parts = [encoder.encode(texts[at : at + _BATCH]) for at in range(0, len(texts), _BATCH)]
        asked = by_text(data, np.concatenate(parts))
        first = first or asked
        (folder,) = cache.glob(f"encoders/{encoder.manifest.name}-{encoder.manifest.precision}-*")
        found.append(
            Variant(
                model=model,
                version=encoder.version,
                size_bytes=sum(file.stat().st_size for file in folder.iterdir()),
                texts_per_second=speed,
                quality=bootstrap(asked.values_U, asked.users_U, seed=1),
                difference=paired(asked.values_U, first.values_U, asked.users_U, seed=1).interval,
            )
        )
    return found


def _texts_per_second(encoders: Sequence[TextEncoder], texts: Sequence[str]) -> list[float]:
    """The best of several rounds in turns, so that all are disturbed alike."""
    best = [float("inf")] * len(encoders)
    for _ in range(_ROUNDS):
        for place, encoder in enumerate(encoders):
            begun = time.perf_counter()
            encoder.encode(texts)
            best[place] = min(best[place], time.perf_counter() - begun)
    return [len(texts) / seconds for seconds in best]


def by_text(data: Dataset, text_ID: Float32Array) -> Asked:
    """Each user's last film of interest, ranked by text."""
    scores: list[Float32Array] = []
    targets: list[int] = []
    barred: list[Int64Array] = []
    users: list[int] = []
    for user, history in data.histories():
        liked = history.items_T[history.weights_T > 0.0]
        if len(liked) <= RECENT:
            continue
        scores.append((text_ID @ text_ID[liked[-RECENT - 1 : -1]].T).mean(axis=1))
        targets.append(int(liked[-1]))
        barred.append(history.items_T[history.items_T != liked[-1]].astype(np.int64))
        users.append(user)
    scores_UI = np.stack(scores)
    bar(scores_UI, barred)
    ranks_U = ranks(scores_UI, np.array(targets, np.int32))
    return Asked(_METRIC.of(ranks_U), np.array(users, np.int64))


def main() -> None:
    """Print the table, and write it as JSON where a file is given."""
    parser = argparse.ArgumentParser(prog="python -m training.pruning")
    parser.add_argument("models", nargs="*", default=VARIANTS)
    parser.add_argument("--cache", type=Path, default=Path(".cache/models"))
    parser.add_argument("--json", type=Path)
    given = parser.parse_args()
    found = measured(given.models, load_dataset("ml-100k"), cache=given.cache)
    rows = [
        f"{one.model:<32} {one.size_bytes / 1e6:>6.1f} MB {one.texts_per_second:>7.1f} texts/s"
        f"  {_METRIC.name} {one.quality.mean:.4f} ({one.quality.low:.4f} to"
        f" {one.quality.high:.4f}), {one.difference.mean:+.4f} ({one.difference.low:+.4f} to"
        f" {one.difference.high:+.4f})"
        for one in found
    ]
    sys.stdout.write("\n".join([*rows, ""]))
    if given.json is not None:
        given.json.write_bytes(msgspec.json.format(msgspec.json.encode(found), indent=2))


if __name__ == "__main__":
    main()
