"""Bottleneck adapters: after each feed-forward part a small one that learns, nothing else.

peft has none for BERT, and the package `adapters` asks for another major version of transformers
than the one that the rest runs on; this is all of it that is needed.

After Pfeiffer et al., "AdapterFusion" (EACL 2021): down, nonlinearity, up, added to what went in.
The way up starts at zero, so that a new adapter changes nothing.
"""

from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn
from torch.nn import functional

if TYPE_CHECKING:
    from transformers import BertModel


class Adapter(nn.Module):
    """A linear layer of the encoder, and the bottleneck behind it."""

    def __init__(self, layer: nn.Linear, width: int) -> None:
        super().__init__()
        self.layer = layer
        self.down = nn.Linear(layer.out_features, width)
        self.up = nn.Linear(width, layer.out_features)
        nn.init.normal_(self.down.weight, std=0.02)
        for zero in (self.down.bias, self.up.weight, self.up.bias):
            nn.init.zeros_(zero)

    def forward(self, x: Tensor) -> Tensor:
        """The layer's output, changed a little."""
        y: Tensor = self.layer(x)
        change: Tensor = self.up(functional.gelu(self.down(y)))
        return y + change.to(y.dtype)


def add_adapters(model: "BertModel", width: int) -> None:
    """An adapter of so many numbers in each layer, in place; all else is frozen."""
    model.requires_grad_(requires_grad=False)
    with torch.no_grad():
        for layer in model.encoder.layer:
            layer.output.dense = Adapter(layer.output.dense, width)
