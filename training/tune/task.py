"""A classification at hand: texts to learn from, to stop by and to be asked about, made ready.

Shape suffixes: N = texts, D = embedding dimension, C = classes.
"""

from dataclasses import dataclass, replace
from hashlib import blake2b
from pathlib import Path

import numpy as np

from clickwise.encoder.weights import EncoderWeights
from clickwise.vectors.port import Float32Array
from training.tune.base import Base, base_for, token_ids
from training.tune.batches import Row
from training.tune.classify import Lessons, casting, network_for, one_hot
from training.tune.course import Course
from training.tune.network import vectors
from training.tune.parts import Parts
from training.tune.ways import Method


@dataclass(frozen=True, slots=True)
class Task:
    """Parts as the encoder reads them, and the untuned encoder's vectors of them."""

    base: Base
    parts: Parts
    train_rows: list[Row]
    dev_rows: list[Row]
    test_rows: list[Row]
    train_ND: Float32Array
    dev_ND: Float32Array
    test_ND: Float32Array
    fixed: int

    def lessons(self, targets_NC: Float32Array | None = None) -> Lessons:
        """What a network learns: the labels, or `targets_NC` in their place."""
        if targets_NC is None:
            targets_NC = one_hot(self.parts.train.labels_N, len(self.parts.train.classes))
        return Lessons(
            rows=self.train_rows,
            targets_NC=targets_NC,
            dev_rows=self.dev_rows,
            dev_labels_N=self.parts.dev.labels_N,
            pooled_ND=self.train_ND,
            fixed=self.fixed,
        )


def task_of(
    weights: EncoderWeights, parts: Parts, course: Course, *, cache: Path | None = None
) -> Task:
    """Tokens of all texts, and their vectors by the encoder as it is; `cache` is a file that keeps
    the vectors for a command that is started again.
    """
    sides = (parts.train, parts.dev, parts.test)
    ids = [token_ids(weights, side.texts, max_tokens=course.max_tokens) for side in sides]
    base = base_for(weights, [row for side in ids for row in side])
    rows = [base.rows(side) for side in ids]
    pooled = _cached(base, rows, course, cache) if cache else untuned(base, rows, course)
    return Task(
        base=base,
        parts=parts,
        train_rows=rows[0],
        dev_rows=rows[1],
        test_rows=rows[2],
        train_ND=pooled[0],
        dev_ND=pooled[1],
        test_ND=pooled[2],
        fixed=fixed_of(weights),
    )


def untuned(base: Base, sides: list[list[Row]], course: Course) -> list[Float32Array]:
    """Vectors by the encoder as it is."""
    network = network_for(base, replace(course, method=Method.HEAD), classes=2)
    with casting(course, network):
        return [
            vectors(network, side)
            if side
            else np.zeros((0, base.weights.architecture.hidden), np.float32)
            for side in sides
        ]


def _cached(base: Base, sides: list[list[Row]], course: Course, cache: Path) -> list[Float32Array]:
    """`untuned`, from `cache` where it is of the same encoder and texts."""
    digest = blake2b(f"{base.weights.checksum} {course.bf16}".encode(), digest_size=16)
    for side in sides:
        for row in side:
            digest.update(base.kept_V[row].tobytes())
        digest.update(b"|")
    own = f"{digest.hexdigest()}-{{}}"
    if cache.exists():
        with np.load(cache) as kept:
            if own.format(0) in kept:
                return [kept[own.format(place)] for place in range(len(sides))]
    found = untuned(base, sides, course)
    cache.parent.mkdir(parents=True, exist_ok=True)
    part = cache.with_name(f"{cache.name}.part")
    with part.open("wb") as file:
        np.savez(file, **dict(zip(map(own.format, range(len(found))), found, strict=True)))  # type: ignore[arg-type]
    part.replace(cache)
    return found


def fixed_of(weights: EncoderWeights) -> int:
    """Pieces that stand before every text: the first special one, and the prefix's."""
    first, second = token_ids(weights, ["7", "\u4e2d"], max_tokens=weights.recipe.max_tokens)
    same = [one == other for one, other in zip(first, second, strict=False)]
    return max(1, same.index(False))
