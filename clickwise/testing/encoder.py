"""An encoder without a model: texts that share words and word parts are near each other.

Deterministic in every process and quick to start, for tests of what stands on vectors. It
knows nothing of meaning or of translations.
"""

from collections.abc import Sequence
from zlib import crc32

import numpy as np

from clickwise.vectors.port import Float32Array


class HashingEncoder:
    """See `clickwise.encoder.port.TextEncoder`. Feature hashing (Weinberger et al., 2009) of
    words and of each word's three-character pieces; for text without spaces, of pieces alone.
    """

    def __init__(self, *, dimension: int = 64) -> None:
        self.dimension = dimension
        self.version = f"hashing-{dimension}"

    def encode(self, texts: Sequence[str]) -> Float32Array:
        """See TextEncoder."""
        vectors_ND = np.zeros((len(texts), self.dimension), np.float32)
        for row, text in enumerate(texts):
            for feature in _features(text):
                code = crc32(feature.encode(errors="replace"))
                vectors_ND[row, code % self.dimension] += 1.0 if code & 0x80000000 else -1.0
        norms_N = np.linalg.norm(vectors_ND, axis=1, keepdims=True)
        vectors_ND[norms_N[:, 0] == 0.0, 0] = 1.0
        norms_N[norms_N == 0.0] = 1.0
        return np.asarray(vectors_ND / norms_N, np.float32)


def _features(text: str) -> list[str]:
    features: list[str] = []
    for word in text.lower().split():
        features.append(word)
        marked = f"<{word}>"
        features += [marked[i : i + 3] for i in range(len(marked) - 2)]
    return features
