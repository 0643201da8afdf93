"""Where texts lay before a pre-training, and how far they have strayed from there.

An encoder that is made for cosines unlearns them while it guesses pieces. What is learned from a
text with hidden pieces is therefore also to lie where the whole text lay: a vector that says as
much of a text as before, from less of it.

Shape suffixes: N = texts, B = texts of a batch, L = tokens, D = embedding dimension.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from clickwise.encoder.weights import Pooling
from clickwise.vectors.port import Int64Array
from training.tune.base import Base
from training.tune.batches import Row
from training.tune.network import TextNetwork, pooled, vectors

if TYPE_CHECKING:
    from transformers import BertModel


@dataclass(frozen=True, slots=True)
class Anchors:
    """Unit vectors of whole texts by the encoder as it came. `spread`: their mean squared distance
    from their mean.
    """

    anchors_ND: Tensor
    spread: float
    pooling: Pooling

    @classmethod
    def of(cls, base: Base, model: "BertModel", rows: Sequence[Row]) -> "Anchors":
        """Those of `rows`, by `model` as it is now."""
        recipe = base.weights.recipe
        network = TextNetwork(
            model, pooling=recipe.pooling, dimension=base.weights.architecture.hidden,
            classes=1, pad=base.pad, dropout=0.0,
        ).to(model.device)  # fmt: skip
        anchors_ND = torch.from_numpy(vectors(network, rows)).to(model.device)
        apart_N = (anchors_ND - anchors_ND.mean(dim=0)).square().sum(dim=1)
        return cls(anchors_ND, max(float(apart_N.mean()), 1e-12), recipe.pooling)

    def strayed(self, hidden_BLD: Tensor, mask_BL: Tensor, chosen_B: Int64Array) -> Tensor:
        """The mean squared distance of texts `chosen_B` from where they lay, over the spread: 0:
        none; 1: as if all lay in the middle.
        """
        found_BD = pooled(hidden_BLD, mask_BL.to(hidden_BLD.device), self.pooling)
        wanted_BD = self.anchors_ND[torch.from_numpy(chosen_B).to(hidden_BLD.device)]
        return (found_BD - wanted_BD).square().sum(dim=1).mean() / self.spread
