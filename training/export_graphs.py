"""Torch modules as ONNX graphs: the names and shapes that `clickwise.bundle` expects.

Traced by torch's TorchScript exporter: the graphs are small and have no branches, and the newer
one needs another package to make the same of them.

Shape suffixes: see training.model; N = items of one call, C = dimension of the text vectors,
P = of the picture vectors, K = interests, R = recent items, F = facts.
"""

import io
import warnings
from collections.abc import Mapping
from functools import cache
from typing import Protocol

import torch
from torch import Tensor, nn
from torch.onnx.utils import register_custom_op_symbolic

from training.network import Network

OPSET = 17


class _Graph(Protocol):
    """What torch hands to a symbolic function."""

    def op(self, name: str, *inputs: object, **attributes: object) -> object:
        """One more node."""
        ...


class ItemGraph(nn.Module):
    """`items.onnx`: text (N, C), places (N,), and pictures (N, P) where the network has learned
    from some (a zero row: none), to unit vectors (N, D + 1).
    """

    def __init__(self, network: Network, *, text: int) -> None:
        super().__init__()
        self.tower = network.tower
        # A model without text has the input all the same: the site's items have text vectors.
        self.unread = nn.Parameter(torch.zeros(text, 1)) if network.tower.text is None else None

    def forward(
        self, text_NC: Tensor, places_N: Tensor, pictures_NP: Tensor | None = None
    ) -> Tensor:
        """Unit vectors (N, D + 1)."""
        unit_ND: Tensor = self.tower.unit(text_NC, places_N, pictures_NP)
        return unit_ND if self.unread is None else unit_ND + text_NC @ self.unread


class StepGraph(nn.Module):
    """`step.onnx`: one event on a memory (M,)."""

    def __init__(self, network: Network) -> None:
        super().__init__()
        self.user = network.user
        self.radius = network.config.radius

    def forward(
        self, memory_M: Tensor, vector_D1: Tensor, type_: Tensor, weight: Tensor, gap: Tensor
    ) -> Tensor:
        """The memory (M,) after the event; `gap` in seconds."""
        c_D = vector_D1[:-1] * self.radius
        after_M: Tensor = self.user.step(memory_M, c_D, type_, weight, gap)
        return after_M


class ReadGraph(nn.Module):
    """`read.onnx`: a memory (M,) to interests (K, D + 1), whose products with unit item vectors
    are the products that training scores by.
    """

    def __init__(self, network: Network) -> None:
        super().__init__()
        self.user = network.user
        self.width = network.config.width
        self.radius = network.config.radius

    def forward(self, memory_M: Tensor) -> Tensor:
        """Interests (K, D + 1)."""
        u_KD = self.user.read(memory_M[-self.width :])
        return torch.cat([u_KD * self.radius, torch.zeros_like(u_KD[:, :1])], dim=-1)


def item_graph(network: Network, *, text: int) -> bytes:
    """`items.onnx`."""
    inputs = {"text": torch.zeros(2, text), "places": torch.ones(2, dtype=torch.long)}
    if network.tower.picture is not None:
        inputs["pictures"] = torch.zeros(2, network.tower.picture.in_features)
    return to_onnx(
        ItemGraph(network, text=text),
        inputs,
        "vectors",
        {name: {0: "N"} for name in (*inputs, "vectors")},
    )


def step_graph(network: Network) -> bytes:
    """`step.onnx`."""
    return to_onnx(
        StepGraph(network),
        {
            "memory": torch.zeros(network.user.memory),
            "vector": torch.zeros(network.config.dimension + 1),
            "type": torch.tensor(1),
            "weight": torch.tensor(1.0),
            "gap": torch.tensor(1.0),
        },
        "after",
    )


def read_graph(network: Network) -> bytes:
    """`read.onnx`."""
    return to_onnx(ReadGraph(network), {"memory": torch.zeros(network.user.memory)}, "interests")


def to_onnx(
    module: nn.Module,
    inputs: Mapping[str, Tensor],
    output: str,
    dynamic: Mapping[str, Mapping[int, str]] | None = None,
) -> bytes:
    """A module as ONNX with its inputs by name; constants are folded. Runs on the CPU, in place:
    the module is left in evaluation mode.
    """
    _register()
    module.eval()
    file = io.BytesIO()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that this exporter is the old one, and what tracing fixes
        torch.onnx.export(
            module,
            tuple(inputs.values()),
            file,  # type: ignore[arg-type]  # it takes files; its signature names paths only
            input_names=list(inputs),
            output_names=[output],
            dynamic_axes={name: dict(axes) for name, axes in (dynamic or {}).items()},
            opset_version=OPSET,
            dynamo=False,
        )
    return file.getvalue()


@cache
def _register() -> None:
    """Torch writes expm1(x) as exp(x) - 1, which loses every digit of a small x; the recurrence
    takes a root of it. expm1(x) = tanh(x / 2) * (exp(x) + 1) does not.
    """

    def expm1(graph: _Graph, x: object) -> object:
        half = graph.op("Mul", x, graph.op("Constant", value_t=torch.tensor(0.5)))
        one = graph.op("Constant", value_t=torch.tensor(1.0))
        more = graph.op("Add", graph.op("Exp", x), one)
        return graph.op("Mul", graph.op("Tanh", half), more)

    register_custom_op_symbolic("aten::expm1", expm1, OPSET)
