"""Makes vectors of different languages comparable, and spreads them out.

A multilingual encoder leaves all its vectors in one narrow cone (E5: unrelated texts have a
cosine of 0.84), and where in the cone a vector lies tells its language more than its topic: a
reader of Chinese technology news is then nearer to Chinese finance than to English technology.
Both are removed with a fixed set of neutral sentences, the same twenty in eight languages
(`neutral.txt`): subtract the mean of all, and project out the directions in which the means of
the languages differ. What is left is scaled to unit length.

Languages that a model cannot read take no part: all their texts are [UNK] and have nearly one
vector, so that what is left after the subtraction is rounding noise, scaled to unit length.

After Mu and Viswanath, "All-but-the-top" (ICLR 2018) for the mean, and Libovicky et al., "On
the language neutrality of pre-trained multilingual representations" (2020) for the languages.

Shape suffixes: N = texts, D = embedding dimension, R = removed directions.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

import numpy as np

from clickwise.vectors.port import Float32Array


@dataclass(frozen=True, slots=True)
class Alignment:
    """`(I - B'B)(x - mean)`, normalized; `mean` is (D,), `basis` B is (R, D), orthonormal."""

    mean: Float32Array
    basis: Float32Array

    def apply(self, x_ND: Float32Array) -> Float32Array:
        """Aligned unit vectors of unit vectors."""
        centered_ND = x_ND - self.mean
        centered_ND -= (centered_ND @ self.basis.T) @ self.basis
        norms_N1 = np.linalg.norm(centered_ND, axis=1, keepdims=True)
        return np.asarray(centered_ND / np.maximum(norms_N1, 1e-12), dtype=np.float32)


@dataclass(frozen=True, slots=True)
class Sample:
    """The neutral sentences, and the language of each."""

    languages: tuple[str, ...]
    texts: tuple[str, ...]


@cache
def neutral_sample() -> Sample:
    """The sentences that ship with Clickwise."""
    content = files("clickwise.encoder").joinpath("neutral.txt").read_text(encoding="utf-8")
    rows = [line.split("\t", 1) for line in content.splitlines() if line]
    return Sample(
        languages=tuple(language for language, _ in rows), texts=tuple(text for _, text in rows)
    )


def readable(rows: Sequence[Sequence[int]], sample: Sample, unknown_id: int | None) -> list[int]:
    """Indices of the sentences in languages of which `rows` (token ids) know more than half."""
    known: dict[str, list[bool]] = {}
    for language, row in zip(sample.languages, rows, strict=True):
        known.setdefault(language, []).extend(token != unknown_id for token in row)
    languages = {language for language, flags in known.items() if 2 * sum(flags) > len(flags)}
    return [at for at, language in enumerate(sample.languages) if language in languages]


def identity(dimension: int) -> Alignment:
    """Changes nothing."""
    return Alignment(
        mean=np.zeros(dimension, np.float32), basis=np.zeros((1, dimension), np.float32)
    )


def fit(x_ND: Float32Array, languages: Sequence[str]) -> Alignment:
    """The alignment of an encoder that gave `x_ND` for texts in `languages`.

    L languages differ in at most L - 1 directions; never more than a quarter of D is removed.
    """
    distinct = sorted(set(languages))
    labels_N = np.array(languages)
    means_LD = np.stack([x_ND[labels_N == language].mean(axis=0) for language in distinct])
    spread_LD = means_LD - means_LD.mean(axis=0)
    _, _, directions = np.linalg.svd(spread_LD, full_matrices=False)
    removed = min(len(distinct) - 1, x_ND.shape[1] // 4)
    unchanged = identity(x_ND.shape[1])
    return Alignment(
        mean=x_ND.mean(axis=0).astype(np.float32),
        basis=np.ascontiguousarray(directions[:removed], np.float32)
        if removed
        else unchanged.basis,
    )
