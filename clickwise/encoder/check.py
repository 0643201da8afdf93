"""Holds a built encoder against its weights' own output, before anybody uses it.

What is compared are aligned vectors. Before alignment all vectors are in one cone and a wrong
graph passes easily: with positions off by two, E5's vectors keep a cosine of 0.976 with the
right ones, and of 0.922 once aligned (the right int8 graph: 0.999 and 0.992).
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from clickwise.encoder.alignment import Alignment
from clickwise.encoder.graph import Precision
from clickwise.encoder.reference import reference_embedding
from clickwise.encoder.runner import Runner
from clickwise.encoder.tokens import TextTokenizer
from clickwise.encoder.weights import EncoderWeights
from clickwise.errors import BundleError

MAX_DIFFERENCE_FP32 = 1e-4
MIN_COSINE_INT8 = 0.98
# Of 160 sentences, 20 a language, every 23rd: each script, each time on another subject.
_STRIDE = 23


@dataclass(frozen=True, slots=True)
class Agreement:
    """How near the built encoder is to the reference, at worst."""

    texts: int
    max_difference: float
    min_cosine: float


def check_agreement(
    runner: Runner,
    tokenizer: TextTokenizer,
    weights: EncoderWeights,
    alignment: Alignment,
    precision: Precision,
    sentences: Sequence[str],
) -> Agreement:
    """Encode a few of `sentences`, of every script that the model reads, both ways; compare.

    Raises:
        BundleError: they are further apart than the precision explains.
    """
    texts = sentences[::_STRIDE]
    rows = tokenizer.encode([*texts, " ".join(texts)])
    ours_ND = runner.encode(rows)
    theirs_ND = np.stack([reference_embedding(weights, alignment, row) for row in rows])
    found = Agreement(
        texts=len(rows),
        max_difference=float(np.abs(ours_ND - theirs_ND).max()),
        min_cosine=float((ours_ND * theirs_ND).sum(axis=1).min()),
    )
    if precision is Precision.FP32 and not found.max_difference <= MAX_DIFFERENCE_FP32:
        raise BundleError(
            f"encoder {weights.name}: the built model differs from its weights' own output by"
            f" {found.max_difference:.2g}, allowed are {MAX_DIFFERENCE_FP32}"
        )
    if precision is Precision.INT8 and not found.min_cosine >= MIN_COSINE_INT8:
        raise BundleError(
            f"encoder {weights.name}: the quantized model's vectors have a cosine of"
            f" {found.min_cosine:.4f} with its weights' own output, needed are {MIN_COSINE_INT8}"
        )
    return found
