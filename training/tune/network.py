"""An encoder with a classifier on its pooled vector.

The head sees unit vectors, each number of which is centered and scaled by what it is over the
texts that are learned from: an encoder's vectors lie in a narrow cone, where a linear layer would
need thousands of steps to begin to tell them apart.

Shape suffixes: B = texts of a batch, L = tokens, D = embedding dimension, C = classes.
"""

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional

from clickwise.encoder.weights import Pooling
from clickwise.vectors.port import Float32Array
from training.tune.batches import Row, by_length, lengths, padded


class TextNetwork(nn.Module):
    """`encoder` is transformers' BertModel, or peft's wrapper of one."""

    mean_D: Tensor
    scale_D: Tensor

    def __init__(
        self,
        encoder: nn.Module,
        *,
        pooling: Pooling,
        dimension: int,
        classes: int,
        pad: int,
        dropout: float,
    ) -> None:
        super().__init__()
        self.encoder = encoder
        self.head = nn.Linear(dimension, classes)
        self.drop = nn.Dropout(dropout)
        self.pad = pad
        self._pooling = pooling
        self.register_buffer("mean_D", torch.zeros(dimension))
        self.register_buffer("scale_D", torch.ones(dimension))

    @property
    def device(self) -> torch.device:
        """Where it computes; ids and masks may come from elsewhere."""
        return self.mean_D.device

    def embedded(self, ids_BL: Tensor) -> Tensor:
        """Word vectors (B, L, D), before positions and the first norm."""
        words = self.encoder.get_input_embeddings()  # type: ignore[operator]
        found: Tensor = words(ids_BL.to(self.device))
        return found

    def pooled(self, ids_BL: Tensor, mask_BL: Tensor, words_BLD: Tensor | None = None) -> Tensor:
        """Unit vectors (B, D), float32; `words_BLD` stands for the word vectors of `ids_BL`."""
        ids_BL, mask_BL = ids_BL.to(self.device), mask_BL.to(self.device)
        given = {"input_ids": ids_BL} if words_BLD is None else {"inputs_embeds": words_BLD}
        hidden_BLD = self.encoder(**given, attention_mask=mask_BL).last_hidden_state
        return pooled(hidden_BLD, mask_BL, self._pooling)

    def classify(self, pooled_BD: Tensor) -> Tensor:
        """Logits (B, C) of pooled vectors."""
        scaled_BD = (pooled_BD - self.mean_D) / self.scale_D
        logits: Tensor = self.head(self.drop(scaled_BD)).float()
        return logits

    def forward(self, ids_BL: Tensor, mask_BL: Tensor, words_BLD: Tensor | None = None) -> Tensor:
        """Logits (B, C)."""
        return self.classify(self.pooled(ids_BL, mask_BL, words_BLD))

    def center(self, pooled_ND: Float32Array) -> None:
        """Center and scale by these vectors."""
        given = torch.from_numpy(pooled_ND).to(self.device)
        self.mean_D.copy_(given.mean(dim=0))
        self.scale_D.copy_(given.std(dim=0).clamp_min(1e-6))


def pooled(hidden_BLD: Tensor, mask_BL: Tensor, pooling: Pooling) -> Tensor:
    """Unit vectors (B, D), float32, of a last layer's."""
    hidden_BLD = hidden_BLD.float()
    if pooling is Pooling.CLS:
        return functional.normalize(hidden_BLD[:, 0], dim=1)
    mask_BL1 = mask_BL[:, :, None].float()
    total_BD = (hidden_BLD * mask_BL1).sum(dim=1)
    return functional.normalize(total_BD / mask_BL1.sum(dim=1), dim=1)


@torch.inference_mode()
def vectors(network: TextNetwork, rows: Sequence[Row], *, batch: int = 64) -> Float32Array:
    """Pooled unit vectors (N, D) of all rows."""
    network.eval()
    found = torch.empty(len(rows), len(network.mean_D))
    for chosen in by_length(lengths(rows), size=batch):
        ids_BL, mask_BL = padded([rows[row] for row in chosen.tolist()], pad=network.pad)
        found[torch.from_numpy(chosen)] = network.pooled(ids_BL, mask_BL).cpu()
    made: Float32Array = found.numpy()
    return made


@torch.inference_mode()
def logits(network: TextNetwork, rows: Sequence[Row], *, batch: int = 64) -> Float32Array:
    """Logits (N, C) of all rows."""
    pooled_ND = vectors(network, rows, batch=batch)
    given_ND = torch.from_numpy(pooled_ND).to(network.device)
    made: Float32Array = network.classify(given_ND).cpu().numpy()
    return made
