"""Learned bundles with random weights, for tests and benches: no torch, no training.

They have every file of a learned model, in any dimension, and scores that depend on the bundle
alone: interests times candidates, no facts. So an answer that mixes two models shows.

Shape suffixes: N = items, C = dimension of the text vectors, D = embedding dimension, M = memory,
K = interests.
"""

import io
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from clickwise.bundle.folder import KEYS, READ, SCORER, STEP, TOWER, Manifest, write_bundle
from clickwise.bundle.scorer import FACTS, RECENTS
from clickwise.profile import Rules
from clickwise.types import ModelVersion
from clickwise.vectors.port import Float32Array

_FORGETS = 0.9  # what a memory keeps of itself at each event


def random_bundle(
    folder: Path,
    version: str,
    *,
    encoder: str,
    text_dimension: int,
    dimension: int,
    interests: int = 2,
    seed: int = 0,
    keys: Sequence[int] = (),
    created: datetime | None = None,
) -> Path:
    """A bundle at `folder / version`, of its own space; D - 1 of D coordinates say something.

    `keys`: items that have a learned part of their own. `created`: None for now.
    """
    draw = np.random.default_rng([seed, dimension])
    memory = interests * dimension
    manifest = Manifest(
        version=ModelVersion(version),
        vectors=ModelVersion(f"{version}-items"),
        created=created if created is not None else datetime.now(UTC),
        encoder=encoder,
        text_dimension=text_dimension,
        dimension=dimension,
        rules=Rules(),
        memory=memory,
        interests=interests,
    )
    known = np.array(sorted(set(keys)), np.int64)
    projection_CD = _normal(draw, text_dimension, dimension - 1)
    learned_ND = _normal(draw, len(known) + 1, dimension - 1)
    learned_ND[0] = 0.0
    packed = io.BytesIO()
    np.save(packed, known)
    path = folder / version
    write_bundle(
        path,
        manifest,
        {
            TOWER: _tower(projection_CD, learned_ND),
            KEYS: packed.getvalue(),
            STEP: _step(_normal(draw, interests, 1), dimension),
            READ: _read(interests, dimension),
            SCORER: _scorer(),
        },
    )
    return path


def _normal(draw: np.random.Generator, rows: int, columns: int) -> Float32Array:
    drawn: Float32Array = draw.standard_normal((rows, columns), np.float32)
    return drawn / np.float32(np.sqrt(columns))


def _tower(projection_CD: Float32Array, learned_ND: Float32Array) -> bytes:
    """Vectors = unit(text @ W + E[place]) with a last coordinate of 0."""
    nodes = [
        helper.make_node("MatMul", ["text", "projection"], ["projected"]),
        helper.make_node("Gather", ["learned", "places"], ["own"]),
        helper.make_node("Add", ["projected", "own"], ["sum"]),
        helper.make_node("LpNormalization", ["sum"], ["unit"], axis=1, p=2),
        helper.make_node("Pad", ["unit", "pads"], ["vectors"]),
    ]
    return _model(
        nodes,
        inputs={"text": (TensorProto.FLOAT, ["N", "C"]), "places": (TensorProto.INT64, ["N"])},
        outputs={"vectors": ["N", "D"]},
        constants={
            "projection": projection_CD,
            "learned": learned_ND,
            "pads": np.array([0, 0, 0, 1], np.int64),
        },
    )


def _step(gates_K1: Float32Array, dimension: int) -> bytes:
    """After = 0.9 memory + weight * gate_k * vector, for each of K parts of the memory."""
    interests = len(gates_K1)
    nodes = [
        helper.make_node("Reshape", ["memory", "parts"], ["memory_KD"]),
        helper.make_node("Mul", ["memory_KD", "forgets"], ["kept"]),
        helper.make_node("Mul", ["gates", "vector"], ["spread"]),
        helper.make_node("Mul", ["spread", "weight"], ["taken"]),
        helper.make_node("Add", ["kept", "taken"], ["sum"]),
        # Both are inputs of every step; here they move nothing.
        helper.make_node("Cast", ["type"], ["type_as_float"], to=TensorProto.FLOAT),
        helper.make_node("Add", ["type_as_float", "gap"], ["unused"]),
        helper.make_node("Mul", ["unused", "zero"], ["nothing"]),
        helper.make_node("Add", ["sum", "nothing"], ["after_KD"]),
        helper.make_node("Reshape", ["after_KD", "flat"], ["after"]),
    ]
    scalar: list[str | int] = []
    return _model(
        nodes,
        inputs={
            "memory": (TensorProto.FLOAT, ["M"]),
            "vector": (TensorProto.FLOAT, ["D"]),
            "type": (TensorProto.INT64, scalar),
            "weight": (TensorProto.FLOAT, scalar),
            "gap": (TensorProto.FLOAT, scalar),
        },
        outputs={"after": ["M"]},
        constants={
            "parts": np.array([interests, dimension], np.int64),
            "flat": np.array([interests * dimension], np.int64),
            "gates": 1.0 + gates_K1 / 4.0,
            "forgets": np.float32(_FORGETS),
            "zero": np.float32(0.0),
        },
    )


def _read(interests: int, dimension: int) -> bytes:
    return _model(
        [helper.make_node("Reshape", ["memory", "parts"], ["interests"])],
        inputs={"memory": (TensorProto.FLOAT, ["M"])},
        outputs={"interests": ["K", "D"]},
        constants={"parts": np.array([interests, dimension], np.int64)},
    )


def _scorer() -> bytes:
    """Score = max_k gain_k <c, i_k>; the other inputs count nothing."""
    nodes = [
        helper.make_node("Gemm", ["candidates", "interests"], ["near"], transB=1),
        helper.make_node("Mul", ["near", "interest_gains"], ["gained"]),
        helper.make_node("ReduceMax", ["gained"], ["scores"], axes=[1], keepdims=0),
    ]
    shapes: dict[str, list[str | int]] = {
        "interests": ["K", "D"],
        "interest_gains": ["K"],
        "recents": [RECENTS, "D"],
        "recent_weights": [RECENTS],
        "aversion": ["D"],
        "candidates": ["N", "D"],
        "facts": ["N", len(FACTS)],
    }
    return _model(
        nodes,
        inputs={name: (TensorProto.FLOAT, shape) for name, shape in shapes.items()},
        outputs={"scores": ["N"]},
        constants={},
    )


def _model(
    nodes: list[onnx.NodeProto],
    *,
    inputs: dict[str, tuple[int, list[str | int]]],
    outputs: dict[str, list[str | int]],
    constants: dict[str, object],
) -> bytes:
    graph = helper.make_graph(
        nodes,
        "random",
        [helper.make_tensor_value_info(n, kind, shape) for n, (kind, shape) in inputs.items()],
        [helper.make_tensor_value_info(n, TensorProto.FLOAT, s) for n, s in outputs.items()],
        [numpy_helper.from_array(np.asarray(value), name) for name, value in constants.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)])
    model.ir_version = 10
    onnx.checker.check_model(model)
    serialized: bytes = model.SerializeToString()
    return serialized
