"""Encoders for tests: one without a model, and the real default one built once.

`HashingEncoder` knows nothing of meaning or of translations: texts that share words and parts
of words are near each other, in any script. Deterministic in every process, and ready at once.
"""

import os
from collections.abc import Iterator, Sequence
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING
from zlib import crc32

import numpy as np

from clickwise.vectors.port import Float32Array

if TYPE_CHECKING:
    from clickwise.encoder.session import OnnxEncoder

_MAX_CHARACTERS = 2_000


class HashingEncoder:
    """See `clickwise.encoder.port.TextEncoder`.

    Feature hashing (Weinberger et al., 2009) of words, of three-character pieces of words, and
    of single letters and pairs beyond ASCII, where many scripts write no spaces.
    """

    def __init__(self, *, dimension: int = 64) -> None:
        self.dimension = dimension
        self.version = f"hashing-{dimension}"

    def encode(self, texts: Sequence[str]) -> Float32Array:
        """See TextEncoder."""
        vectors_ND = np.zeros((len(texts), self.dimension), np.float32)
        for row, text in enumerate(texts):
            for feature in _features(text[:_MAX_CHARACTERS]):
                code = crc32(feature.encode(errors="replace"))
                vectors_ND[row, code % self.dimension] += 1.0 if code & 0x80000000 else -1.0
        norms_N1 = np.linalg.norm(vectors_ND, axis=1, keepdims=True)
        vectors_ND[norms_N1[:, 0] == 0.0, 0] = 1.0
        norms_N1[norms_N1 == 0.0] = 1.0
        return np.asarray(vectors_ND / norms_N1, np.float32)


@cache
def default_encoder() -> "OnnxEncoder":
    """The default model on one CPU thread, built at first use (some 15 s).

    It is kept in `CLICKWISE_TEST_CACHE`, or in `.cache` of the current folder.
    """
    from clickwise.encoder import open_encoder

    cache_folder = Path(os.environ.get("CLICKWISE_TEST_CACHE", ".cache")) / "models"
    return open_encoder(model="default", device="cpu", threads=1, batch=32, cache=cache_folder)


def _features(text: str) -> Iterator[str]:
    for word in text.lower().split():
        yield word
        marked = f"<{word}>"
        for at in range(len(marked) - 2):
            yield marked[at : at + 3]
        if not word.isascii():
            yield from word
            for at in range(len(word) - 1):
                yield word[at : at + 2]
