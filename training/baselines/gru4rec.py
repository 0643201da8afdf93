"""GRU4Rec: a gated recurrent network over a user's items, each step predicting the next.

Hidasi et al., "Session-based recommendations with recurrent neural networks", ICLR 2016; with
one set of item vectors for reading and for scoring and a softmax over all items or sampled ones
(Hidasi and Karatzoglou, CIKM 2018).

Shape suffixes: B = sequences, T = steps, D = width, H = hidden units.
"""

from collections.abc import Callable
from dataclasses import dataclass

from torch import Tensor, nn

from training.baselines.network import SequenceNetwork
from training.baselines.neural import NeuralConfig, NeuralEpoch, NeuralRanker
from training.baselines.spaces import Choice, Real, Scale, tunable


@dataclass(frozen=True, slots=True, kw_only=True)
class Gru4RecConfig(NeuralConfig):
    """`hidden` units a layer."""

    layers: int = 1
    hidden: int = 128


class Recurrence(nn.Module):
    """GRU layers, then a projection back to the width of the item vectors."""

    def __init__(self, config: Gru4RecConfig) -> None:
        super().__init__()
        self.dropout = nn.Dropout(config.dropout)
        self.gru = nn.GRU(
            config.width,
            config.hidden,
            num_layers=config.layers,
            batch_first=True,
            dropout=config.dropout if config.layers > 1 else 0.0,
        )
        self.project = nn.Linear(config.hidden, config.width)

    def forward(self, items_BTD: Tensor) -> Tensor:
        """(B, T, D)."""
        hidden_BTH, _ = self.gru(self.dropout(items_BTD))
        expected_BTD: Tensor = self.project(self.dropout(hidden_BTH))
        return expected_BTD


def gru4rec(
    config: Gru4RecConfig, *, progress: Callable[[NeuralEpoch], None] | None = None
) -> NeuralRanker:
    """The ranker of a configuration; `progress` is told every epoch as it ends."""
    return NeuralRanker(
        "gru4rec",
        lambda num_items: SequenceNetwork(num_items, width=config.width, body=Recurrence(config)),
        config,
        progress=progress,
    )


BASELINE = tunable(
    Gru4RecConfig(),
    gru4rec,
    {
        "width": Choice((32, 64, 128)),
        "layers": Choice((1, 2)),
        "hidden": Choice((64, 128, 256)),
        "dropout": Real(0.0, 0.6),
        "length": Choice((20, 50, 100, 200)),
        "learning_rate": Scale(3e-4, 1e-2),
        "weight_decay": Scale(1e-4, 0.3),
        "batch": Choice((64, 128, 256)),
        "evidence": Choice(("positive", "all")),
    },
)
