"""The bundle that serves before anything was learned: hand-set weights in an ONNX graph.

score = interest * max_k gain_k <c, i_k>  +  recent * sum_r a_r <c, x_r>  -  aversion * relu<c, d>
        + facts . weights,   with target attention  a = softmax(sharpness * <c, x> + log w)

(the attention form follows DIN: Zhou et al., 2018). Its version covers encoder, rules and
weights; item vectors depend on the encoder alone and are named after it.
"""

from datetime import UTC, datetime
from hashlib import blake2b
from pathlib import Path

import msgspec
import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from clickwise.bundle.folder import Bundle, Manifest, load_bundle, write_bundle
from clickwise.bundle.scorer import FACTS, RECENTS
from clickwise.errors import BundleError
from clickwise.profile import Rules
from clickwise.types import ModelVersion

GRAPH = 2  # raise when the graph below changes its meaning


class Day0Weights(msgspec.Struct, frozen=True, kw_only=True):
    """Chosen by living MovieLens-100k forward (docs/lab.md), then kept for every site."""

    interest: float = 0.6
    recent: float = 0.6
    aversion: float = 0.4
    sharpness: float = 8.0
    popularity: float = 0.3
    freshness: float = 0.05
    topic_affinity: float = 0.15
    co_clicked: float = 20.0


def day0_bundle(
    folder: Path,
    *,
    encoder_version: str,
    dimension: int,
    rules: Rules,
    weights: Day0Weights | None = None,
) -> Bundle:
    """The day-0 bundle below `folder`, written when it is not there or damaged."""
    chosen = weights if weights is not None else Day0Weights()
    parts = msgspec.json.encode([GRAPH, encoder_version, dimension, rules, chosen])
    version = ModelVersion(f"day0-{blake2b(parts, digest_size=6).hexdigest()}")
    path = folder / version
    if path.exists():
        try:
            return load_bundle(path)
        except BundleError:
            pass  # damaged: written again below
    manifest = Manifest(
        version=version,
        vectors=ModelVersion(encoder_version),
        created=datetime.now(UTC),
        encoder=encoder_version,
        text_dimension=dimension,
        dimension=dimension,
        rules=rules,
    )
    write_bundle(path, manifest, {"scorer.onnx": scorer_graph(chosen).SerializeToString()})
    return load_bundle(path)


def scorer_graph(weights: Day0Weights) -> onnx.ModelProto:
    """The formula above as ONNX, opset 17."""
    # One product of the candidates with all of the user's vectors, then cut into its parts: the
    # same sums by MatMul with a vector take three times as long as everything else here.
    constants = {
        "interest_weight": np.float32(weights.interest),
        "recent_weight": np.float32(weights.recent),
        "aversion_weight": np.float32(-weights.aversion),
        "sharpness": np.float32(weights.sharpness),
        "tiny": np.float32(1e-9),
        "fact_weights": np.array([[getattr(weights, name) for name in FACTS]], np.float32),
        "zero": np.array([0], np.int64),
        "axis": np.array([1], np.int64),
        "recents_end": np.array([RECENTS], np.int64),
        "aversion_end": np.array([RECENTS + 1], np.int64),
        "end": np.array([2**31 - 1], np.int64),
    }
    nodes = [
        helper.make_node("Unsqueeze", ["aversion", "zero"], ["aversion_row"]),
        helper.make_node("Concat", ["recents", "aversion_row", "interests"], ["user"], axis=0),
        helper.make_node("Gemm", ["candidates", "user"], ["cosines"], transB=1),
        helper.make_node("Slice", ["cosines", "zero", "recents_end", "axis"], ["alike"]),
        helper.make_node("Slice", ["cosines", "recents_end", "aversion_end", "axis"], ["dislike"]),
        helper.make_node("Slice", ["cosines", "aversion_end", "end", "axis"], ["near"]),
        helper.make_node("Mul", ["near", "interest_gains"], ["gained"]),
        helper.make_node("ReduceMax", ["gained"], ["best"], axes=[1], keepdims=1),
        helper.make_node("Mul", ["best", "interest_weight"], ["interest_part"]),
        helper.make_node("Mul", ["alike", "sharpness"], ["sharp"]),
        helper.make_node("Add", ["recent_weights", "tiny"], ["safe_weights"]),
        helper.make_node("Log", ["safe_weights"], ["log_weights"]),
        helper.make_node("Add", ["sharp", "log_weights"], ["logits"]),
        helper.make_node("Softmax", ["logits"], ["attention"], axis=1),
        helper.make_node("Mul", ["attention", "alike"], ["attended"]),
        helper.make_node("ReduceSum", ["attended", "axis"], ["recent_sum"], keepdims=1),
        helper.make_node("Mul", ["recent_sum", "recent_weight"], ["recent_part"]),
        helper.make_node("Relu", ["dislike"], ["disliked_only"]),
        helper.make_node("Mul", ["disliked_only", "aversion_weight"], ["aversion_part"]),
        helper.make_node("Gemm", ["facts", "fact_weights"], ["fact_part"], transB=1),
        helper.make_node(
            "Sum", ["interest_part", "recent_part", "aversion_part", "fact_part"], ["column"]
        ),
        helper.make_node("Squeeze", ["column", "axis"], ["scores"]),
    ]
    shapes = {
        "interests": ["K", "D"],
        "interest_gains": ["K"],
        "recents": [RECENTS, "D"],
        "recent_weights": [RECENTS],
        "aversion": ["D"],
        "candidates": ["N", "D"],
        "facts": ["N", len(FACTS)],
    }
    graph = helper.make_graph(
        nodes,
        "clickwise_scorer",
        [helper.make_tensor_value_info(n, TensorProto.FLOAT, s) for n, s in shapes.items()],
        [helper.make_tensor_value_info("scores", TensorProto.FLOAT, ["N"])],
        [numpy_helper.from_array(np.asarray(value), name) for name, value in constants.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)])
    model.ir_version = 10
    onnx.checker.check_model(model)
    return model
