"""The encoder in plain numpy, one text at a time: what the ONNX file is checked against.

It shares no code with `graph`, knows no padding and no batch, and is slow.

Shape suffixes: L = tokens, D = embedding dimension, H = heads.
"""

import math
from collections.abc import Sequence

import numpy as np

from clickwise.encoder.alignment import Alignment
from clickwise.encoder.weights import Activation, EncoderWeights, Pooling
from clickwise.vectors.port import Float32Array

_erf = np.vectorize(math.erf, otypes=[np.float32])


def reference_embedding(
    weights: EncoderWeights, alignment: Alignment, ids: Sequence[int]
) -> Float32Array:
    """The unit vector (D,) of a text given as its token ids."""
    tensors = weights.tensors
    x_LD = tensors["words"][list(ids)] + tensors["positions"][: len(ids)]
    x_LD = _norm(weights, "norm", x_LD)
    for layer in range(weights.architecture.layers):
        attended_LD = _linear(weights, f"{layer}.attention_out", _attend(weights, layer, x_LD))
        x_LD = _norm(weights, f"{layer}.attention_norm", x_LD + attended_LD)
        inner = _activate(weights, _linear(weights, f"{layer}.feed_in", x_LD))
        x_LD = _norm(
            weights, f"{layer}.feed_norm", x_LD + _linear(weights, f"{layer}.feed_out", inner)
        )
    pooled_D = x_LD[0] if weights.recipe.pooling is Pooling.CLS else x_LD.mean(axis=0)
    unit_D = pooled_D / np.linalg.norm(pooled_D)
    aligned_D: Float32Array = alignment.apply(unit_D[None])[0]
    return aligned_D


def _attend(weights: EncoderWeights, layer: int, x_LD: Float32Array) -> Float32Array:
    heads = weights.architecture.heads
    length, dimension = x_LD.shape

    def per_head(name: str) -> Float32Array:
        projected = _linear(weights, f"{layer}.{name}", x_LD)
        return projected.reshape(length, heads, dimension // heads).transpose(1, 0, 2)

    query, key, value = per_head("query"), per_head("key"), per_head("value")
    scores_HLL = query @ key.transpose(0, 2, 1) / np.float32(math.sqrt(dimension // heads))
    scores_HLL = np.exp(scores_HLL - scores_HLL.max(axis=-1, keepdims=True))
    scores_HLL /= scores_HLL.sum(axis=-1, keepdims=True)
    mixed_HLD = scores_HLL @ value
    return np.asarray(mixed_HLD.transpose(1, 0, 2).reshape(length, dimension), np.float32)


def _linear(weights: EncoderWeights, name: str, x: Float32Array) -> Float32Array:
    product = x @ weights.tensors[f"{name}.weight"].T
    return np.asarray(product + weights.tensors[f"{name}.bias"], np.float32)


def _norm(weights: EncoderWeights, name: str, x: Float32Array) -> Float32Array:
    centered = x - x.mean(axis=-1, keepdims=True)
    variance = (centered**2).mean(axis=-1, keepdims=True)
    scaled = centered / np.sqrt(variance + np.float32(weights.architecture.norm_epsilon))
    scaled = scaled * weights.tensors[f"{name}.weight"]
    return np.asarray(scaled + weights.tensors[f"{name}.bias"], np.float32)


def _activate(weights: EncoderWeights, x: Float32Array) -> Float32Array:
    match weights.architecture.activation:
        case Activation.RELU:
            activated = np.maximum(x, 0)
        case Activation.GELU_TANH:
            inner = math.sqrt(2 / math.pi) * (x + 0.044715 * x**3)
            activated = 0.5 * x * (1 + np.tanh(inner))
        case Activation.GELU:
            activated = 0.5 * x * (1 + _erf(x / math.sqrt(2)))
    return np.asarray(activated, np.float32)
