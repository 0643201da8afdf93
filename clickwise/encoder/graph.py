"""The encoder as an ONNX graph, built node by node from its weights; no torch.

Only operators of the ONNX standard are used, so every execution provider can run it.

Inputs are `input_ids` and `attention_mask`, int64 (N, L), padded on the right; the output
`embedding` is (N, D) float32, pooled, aligned (`alignment`) and of unit length.

Precision `int8` replaces the layers' matrices by 7-bit integers with a step per output
channel, and the word vectors by 8-bit integers with a step per word. Activations are quantized
to 8 bits with a step per token: onnxruntime's own dynamic quantization takes one step for the
whole batch, so that a text's vector would depend on the texts beside it. Seven bits, because
255 * 63 * 2 still fits 16 bits: CPUs without VNNI add pairs of products with saturation, and
would give other vectors than those with it.

Shape suffixes: N = texts, L = tokens, D = embedding dimension.
"""

import enum
import math

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from clickwise.encoder.alignment import Alignment
from clickwise.encoder.weights import Activation, EncoderWeights, Pooling
from clickwise.vectors.port import Float32Array

# Raise it when the same weights would give another graph: cached files are then rebuilt.
GRAPH_VERSION = 1
OPSET = 20
_IR_VERSION = 9
_MASKED = -1e9


class Precision(enum.StrEnum):
    """Number format of the matrices."""

    INT8 = "int8"
    FP32 = "fp32"


def build_graph(
    weights: EncoderWeights, alignment: Alignment, precision: Precision
) -> onnx.ModelProto:
    """The whole encoder as one model."""
    graph = _Int8Graph(weights) if precision is Precision.INT8 else _Graph(weights)
    return graph.build(alignment)


class _Graph:
    """Collects nodes and constants; this one computes in float32."""

    def __init__(self, weights: EncoderWeights) -> None:
        self._weights = weights
        self._sizes = weights.architecture
        self._nodes: list[onnx.NodeProto] = []
        self._constants: dict[str, onnx.TensorProto] = {}

    def build(self, alignment: Alignment) -> onnx.ModelProto:
        """Add all nodes, from the inputs to `embedding`."""
        hidden = self._embed()
        ignored = self._op("Sub", self._mask_as_float((1, 2)), self._number(1.0))
        mask_bias = self._op("Mul", ignored, self._number(-_MASKED))
        for layer in range(self._sizes.layers):
            hidden = self._layer(layer, hidden, mask_bias)
        pooled = self._unit(self._pool(hidden))
        self._align(pooled, alignment)
        graph = helper.make_graph(
            self._nodes,
            "text encoder",
            [
                helper.make_tensor_value_info(name, TensorProto.INT64, ["N", "L"])
                for name in ("input_ids", "attention_mask")
            ],
            [
                helper.make_tensor_value_info(
                    "embedding", TensorProto.FLOAT, ["N", self._sizes.hidden]
                )
            ],
            list(self._constants.values()),
        )
        return helper.make_model(
            graph,
            opset_imports=[helper.make_opsetid("", OPSET)],
            ir_version=_IR_VERSION,
            producer_name="clickwise",
        )

    def _embed(self) -> str:
        length = self._op("Shape", "input_ids", start=1, end=2)
        positions = self._op(
            "Slice", self._tensor("positions"), self._whole(0), length, self._whole(0)
        )
        return self._norm("norm", self._op("Add", self._words(), positions))

    def _layer(self, layer: int, hidden: str, mask_bias: str) -> str:
        """Post-norm transformer layer."""
        attended = self._linear(f"{layer}.attention_out", self._attend(layer, hidden, mask_bias))
        hidden = self._norm(f"{layer}.attention_norm", self._op("Add", attended, hidden))
        inner = self._activate(self._linear(f"{layer}.feed_in", hidden))
        outer = self._linear(f"{layer}.feed_out", inner)
        return self._norm(f"{layer}.feed_norm", self._op("Add", outer, hidden))

    def _attend(self, layer: int, hidden: str, mask_bias: str) -> str:
        """Softmax(QK' / sqrt(size) + mask) V, with the scale folded into Q's weights."""
        size = self._sizes.hidden // self._sizes.heads
        tensors = self._weights.tensors
        scale = np.float32(1 / math.sqrt(size))
        parts = [f"{layer}.query", f"{layer}.key", f"{layer}.value"]
        weight = np.concatenate([tensors[f"{part}.weight"] for part in parts])
        bias = np.concatenate([tensors[f"{part}.bias"] for part in parts])
        weight[: self._sizes.hidden] *= scale
        bias[: self._sizes.hidden] *= scale
        joined = self._product(f"{layer}.attention_in", hidden, weight)
        joined = self._op("Add", joined, self._constant(f"{layer}.attention_in.bias", bias))
        query, key, value = self._split(joined, 3)
        shape = self._whole(0, 0, self._sizes.heads, size)
        query, key, value = (
            self._op("Transpose", self._op("Reshape", part, shape), perm=order)
            for part, order in (
                (query, (0, 2, 1, 3)),
                (key, (0, 2, 3, 1)),
                (value, (0, 2, 1, 3)),
            )
        )
        scores = self._op("Add", self._op("MatMul", query, key), mask_bias)
        mixed = self._op("MatMul", self._op("Softmax", scores, axis=-1), value)
        mixed = self._op("Transpose", mixed, perm=(0, 2, 1, 3))
        return self._op("Reshape", mixed, self._whole(0, 0, self._sizes.hidden))

    def _activate(self, x: str) -> str:
        activation = self._sizes.activation
        if activation is Activation.RELU:
            return self._op("Relu", x)
        form = "tanh" if activation is Activation.GELU_TANH else "none"
        return self._op("Gelu", x, approximate=form)

    def _pool(self, hidden: str) -> str:
        if self._weights.recipe.pooling is Pooling.CLS:
            return self._op("Gather", hidden, self._constant("first", np.int64(0)), axis=1)
        mask = self._mask_as_float((2,))
        total = self._op("ReduceSum", self._op("Mul", hidden, mask), self._whole(1), keepdims=0)
        return self._op("Div", total, self._op("ReduceSum", mask, self._whole(1), keepdims=0))

    def _align(self, pooled: str, alignment: Alignment) -> None:
        basis = alignment.basis
        centered = self._op("Sub", pooled, self._constant("alignment.mean", alignment.mean))
        along = self._op("MatMul", centered, self._constant("alignment.in", basis.T))
        along = self._op("MatMul", along, self._constant("alignment.out", basis))
        aligned = self._unit(self._op("Sub", centered, along))
        self._nodes.append(helper.make_node("Identity", [aligned], ["embedding"]))

    def _unit(self, x: str) -> str:
        norm = self._op("ReduceL2", x, self._whole(1), keepdims=1)
        return self._op("Div", x, self._op("Max", norm, self._number(1e-12)))

    def _mask_as_float(self, axes: tuple[int, ...]) -> str:
        mask = self._op("Cast", "attention_mask", to=TensorProto.FLOAT)
        return self._op("Unsqueeze", mask, self._whole(*axes))

    def _words(self) -> str:
        return self._op("Gather", self._tensor("words"), "input_ids")

    def _norm(self, name: str, x: str) -> str:
        return self._op(
            "LayerNormalization",
            x,
            self._tensor(f"{name}.weight"),
            self._tensor(f"{name}.bias"),
            axis=-1,
            epsilon=self._sizes.norm_epsilon,
        )

    def _linear(self, name: str, x: str) -> str:
        product = self._product(name, x, self._weights.tensors[f"{name}.weight"])
        return self._op("Add", product, self._tensor(f"{name}.bias"))

    def _product(self, name: str, x: str, weight: Float32Array) -> str:
        """`x` times the transpose of `weight` (out, in)."""
        return self._op("MatMul", x, self._constant(f"{name}.weight", weight.T))

    def _split(self, x: str, parts: int) -> list[str]:
        outputs = [f"split{len(self._nodes)}.{part}" for part in range(parts)]
        self._nodes.append(helper.make_node("Split", [x], outputs, axis=-1, num_outputs=parts))
        return outputs

    def _op(self, kind: str, *inputs: str, **attributes: object) -> str:
        output = f"{kind}{len(self._nodes)}"
        self._nodes.append(helper.make_node(kind, list(inputs), [output], **attributes))
        return output

    def _tensor(self, name: str) -> str:
        return self._constant(name, self._weights.tensors[name])

    def _number(self, value: float) -> str:
        return self._constant(f"number {value}", np.float32(value))

    def _whole(self, *values: int) -> str:
        return self._constant(f"whole {values}", np.array(values, np.int64))

    def _constant(self, name: str, value: NDArray[np.generic] | np.generic) -> str:
        if name not in self._constants:
            array = np.ascontiguousarray(value) if np.ndim(value) else np.asarray(value)
            self._constants[name] = numpy_helper.from_array(array, name)
        return name


class _Int8Graph(_Graph):
    """The same in integers where it counts: every product with a matrix, and the words."""

    def _words(self) -> str:
        steps, levels = _quantized(self._weights.tensors["words"], 127)
        rows = self._op("Gather", self._constant("words", levels), "input_ids")
        rows = self._op("Cast", rows, to=TensorProto.FLOAT)
        step = self._op("Gather", self._constant("words.step", steps[:, None]), "input_ids")
        return self._op("Mul", rows, step)

    def _norm(self, name: str, x: str) -> str:
        """Layer normalization in parts: onnxruntime's own is a scalar loop on a CPU.

        The whole encoder is 9 to 14 % faster so.
        """
        last = self._whole(-1)
        centered = self._op("Sub", x, self._op("ReduceMean", x, last, keepdims=1))
        squares = self._op("ReduceSumSquare", centered, last, keepdims=1)
        variance = self._op("Mul", squares, self._number(1 / self._sizes.hidden))
        deviation = self._op(
            "Sqrt", self._op("Add", variance, self._number(self._sizes.norm_epsilon))
        )
        scaled = self._op(
            "Mul", self._op("Div", centered, deviation), self._tensor(f"{name}.weight")
        )
        return self._op("Add", scaled, self._tensor(f"{name}.bias"))

    def _product(self, name: str, x: str, weight: Float32Array) -> str:
        out, size = weight.shape
        steps, levels = _quantized(weight, 63)
        tokens = self._op("Reshape", x, self._whole(-1, size))
        largest = self._op("ReduceMax", self._op("Abs", tokens), self._whole(1), keepdims=0)
        # A token of zeros must not divide by zero.
        step = self._op("Max", self._op("Mul", largest, self._number(1 / 127)), self._number(1e-12))
        middle = self._constant("middle", np.uint8(128))
        middles = self._op("Expand", middle, self._op("Shape", step))
        integers = self._op("QuantizeLinear", tokens, step, middles, axis=0)
        product = self._op(
            "MatMulInteger", integers, self._constant(f"{name}.levels", levels.T), middle
        )
        product = self._op("Cast", product, to=TensorProto.FLOAT)
        product = self._op("Mul", product, self._op("Unsqueeze", step, self._whole(1)))
        product = self._op("Mul", product, self._constant(f"{name}.step", steps))
        shape = self._op("Shape", "input_ids")
        return self._op("Reshape", product, self._op("Concat", shape, self._whole(out), axis=0))


def _quantized(rows: Float32Array, levels: int) -> tuple[Float32Array, NDArray[np.int8]]:
    """A step per row, and whole numbers in -levels .. levels that times it give `rows`."""
    steps = np.abs(rows).max(axis=1) / np.float32(levels)
    divisors = np.where(steps > 0, steps, np.float32(1))
    return steps.astype(np.float32), np.rint(rows / divisors[:, None]).astype(np.int8)
