"""A graph with its weights in 8 bits, for CPUs: dynamic quantization of matrix products.

Only products with weights are quantized (their inputs are, at run time); the gates of the
recurrence and all that is added up stay in 32 bits.
"""

import logging
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import onnx
from onnxruntime.quantization import QuantType, quantize_dynamic


def quantized(model: bytes) -> bytes:
    """The graph with 8-bit weights, one scale per output."""
    with tempfile.TemporaryDirectory() as folder, _quiet():
        path = Path(folder) / "quantized.onnx"
        quantize_dynamic(
            onnx.load_model_from_string(model),
            path,
            op_types_to_quantize=["MatMul"],  # Gemm is turned into it
            per_channel=True,
            weight_type=QuantType.QInt8,
            extra_options={"MatMulConstBOnly": True},  # products of two inputs stay
        )
        return path.read_bytes()


@contextmanager
def _quiet() -> Iterator[None]:
    """It advises on every call to optimize the graph first; torch has folded its constants."""
    root = logging.getLogger()
    before = root.level
    root.setLevel(logging.ERROR)
    try:
        yield
    finally:
        root.setLevel(before)
