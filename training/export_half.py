"""A graph with its weights in half precision, for GPUs: products of 16 bits, all else as it was.

A cast before and after each product keeps what needs the range of 32 bits (seconds between
events, interests that are not there) out of the 16.
"""

from collections.abc import Iterator

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

_PRODUCTS = frozenset({"MatMul", "Gemm"})


def halved(model: bytes) -> bytes:
    """The graph with 16-bit weights in its products and its tables."""
    proto = onnx.load_model_from_string(model)
    graph = proto.graph
    weights = {one.name: one for one in graph.initializer if one.data_type == TensorProto.FLOAT}
    small: dict[str, onnx.TensorProto] = {}
    nodes: list[onnx.NodeProto] = []
    for node in graph.node:
        if not _heavy(node, weights):
            nodes.append(node)
            continue
        for name in node.input:
            if name in weights and name not in small:
                half = numpy_helper.to_array(weights[name]).astype(np.float16)
                small[name] = numpy_helper.from_array(half, f"{name}_half")
        nodes += _in_half(node, weights)
    del graph.node[:]
    graph.node.extend(nodes)
    left = {name for node in nodes for name in node.input}
    kept = [one for one in graph.initializer if one.name in left]
    del graph.initializer[:]
    graph.initializer.extend([*kept, *small.values()])
    onnx.checker.check_model(proto)
    content: bytes = proto.SerializeToString()
    return content


def _heavy(node: onnx.NodeProto, weights: dict[str, onnx.TensorProto]) -> bool:
    if node.op_type == "Gather":
        return node.input[0] in weights
    return node.op_type in _PRODUCTS and any(name in weights for name in node.input[:2])


def _in_half(
    node: onnx.NodeProto, weights: dict[str, onnx.TensorProto]
) -> Iterator[onnx.NodeProto]:
    """The node on 16-bit inputs, with casts around it."""
    inputs = list(node.input)
    floats = 1 if node.op_type == "Gather" else len(inputs)  # a table's places stay whole numbers
    for place, name in enumerate(inputs[:floats]):
        inputs[place] = f"{name}_half" if name in weights else f"{node.output[0]}_{place}_half"
        if name not in weights:
            yield helper.make_node("Cast", [name], [inputs[place]], to=TensorProto.FLOAT16)
    output = f"{node.output[0]}_half"
    product = onnx.NodeProto()
    product.CopyFrom(node)
    del product.input[:], product.output[:]
    product.input.extend(inputs)
    product.output.append(output)
    yield product
    yield helper.make_node("Cast", [output], [node.output[0]], to=TensorProto.FLOAT)
