"""SASRec: self-attention over a user's items, each step predicting the next.

Kang and McAuley, "Self-attentive sequential recommendation", ICDM 2018; with layers that
normalize first and a softmax over all items, which is what makes it strong (Klenitskiy and
Vasilev, "Turning dross into gold loss", RecSys 2023). RecTools has one too, but RecTools 0.19
needs numpy below 2, pandas below 3 and attrs below 24, so this is our own.

Shape suffixes: B = sequences, T = steps, D = width.
"""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from training.baselines.network import SequenceNetwork
from training.baselines.neural import NeuralConfig, NeuralEpoch, NeuralRanker
from training.baselines.spaces import Choice, Real, Scale, tunable


@dataclass(frozen=True, slots=True, kw_only=True)
class SasRecConfig(NeuralConfig):
    """`width` is a multiple of `heads`; the feed-forward part is `expansion` times as wide."""

    heads: int = 2
    expansion: int = 4


class CausalAttention(nn.Module):
    """Item vectors with their positions, through layers that look back alone."""

    def __init__(self, config: SasRecConfig) -> None:
        super().__init__()
        self.positions = nn.Embedding(config.length, config.width)
        nn.init.normal_(self.positions.weight, std=0.02)
        self.dropout = nn.Dropout(config.dropout)
        self.layers = nn.ModuleList(
            nn.TransformerEncoderLayer(
                config.width,
                config.heads,
                dim_feedforward=config.expansion * config.width,
                dropout=config.dropout,
                activation="gelu",
                batch_first=True,
                norm_first=True,
            )
            for _ in range(config.layers)
        )
        self.norm = nn.LayerNorm(config.width)
        self.scale = config.width**0.5

    def forward(self, items_BTD: Tensor) -> Tensor:
        """(B, T, D)."""
        steps = items_BTD.shape[1]
        hidden_BTD = self.dropout(items_BTD * self.scale + self.positions.weight[:steps])
        later_TT = torch.ones(steps, steps, dtype=torch.bool, device=items_BTD.device).triu(1)
        for layer in self.layers:
            hidden_BTD = layer(hidden_BTD, src_mask=later_TT, is_causal=True)
        expected_BTD: Tensor = self.norm(hidden_BTD)
        return expected_BTD


def sasrec(
    config: SasRecConfig, *, progress: Callable[[NeuralEpoch], None] | None = None
) -> NeuralRanker:
    """The ranker of a configuration; `progress` is told every epoch as it ends."""
    return NeuralRanker(
        "sasrec",
        lambda num_items: SequenceNetwork(
            num_items, width=config.width, body=CausalAttention(config)
        ),
        config,
        progress=progress,
    )


BASELINE = tunable(
    SasRecConfig(),
    sasrec,
    {
        "width": Choice((32, 64, 128)),
        "layers": Choice((1, 2, 3)),
        "heads": Choice((1, 2, 4)),
        "dropout": Real(0.0, 0.6),
        "length": Choice((20, 50, 100, 200)),
        "learning_rate": Scale(3e-4, 5e-3),
        "weight_decay": Scale(1e-4, 0.3),
        "batch": Choice((64, 128, 256)),
        "evidence": Choice(("positive", "all")),
    },
)
