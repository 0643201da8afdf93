"""Text to vectors, as the rest of the program sees it.

Shape suffixes: N = texts, D = embedding dimension.
"""

from collections.abc import Sequence
from typing import Protocol

from clickwise.vectors.port import Float32Array


class TextEncoder(Protocol):
    """Encodes passages of any language; thread-safe."""

    @property
    def version(self) -> str:
        """Names the weights and the way they are run; part of the model version."""
        ...

    @property
    def dimension(self) -> int:
        """D."""
        ...

    def encode(self, texts: Sequence[str]) -> Float32Array:
        """Unit-length vectors (N, D), float32. Long texts are cut at the model's limit."""
        ...
