"""Tower and user model together, with the catalogue's texts and pictures at hand.

Shape suffixes: see training.model.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional

from clickwise.vectors.port import Float32Array
from training.model import ModelConfig, Tower, UserModel
from training.sequences import Batch


class Network(nn.Module):
    """What is trained. `text_ID`, `pictures_IP` and `places_I` tell which items there are."""

    def __init__(
        self,
        config: ModelConfig,
        *,
        items: int,
        text_ID: Float32Array | None,
        pictures_IP: Float32Array | None = None,
    ) -> None:
        super().__init__()
        self.config = config
        text = 0 if text_ID is None else text_ID.shape[1]
        pictures = 0 if pictures_IP is None else pictures_IP.shape[1]
        self.tower = Tower(config, items=items, text=text, picture=pictures)
        self.user = UserModel(config)
        self.register_buffer(
            "text_ID",
            torch.zeros(items, 0) if text_ID is None else torch.from_numpy(text_ID).float(),
            persistent=False,
        )
        self.register_buffer(
            "pictures_IP",
            torch.zeros(items, 0) if pictures_IP is None else torch.from_numpy(pictures_IP).float(),
            persistent=False,
        )
        self.register_buffer("places_I", torch.arange(1, items + 1), persistent=False)

    def vectors(self) -> Tensor:
        """Vectors (I, D) of the whole catalogue."""
        c_ID: Tensor = self.tower(self.text_ID, self.places_I, self.pictures_IP)
        return c_ID

    def outputs(self, batch: Batch, c_ID: Tensor) -> Tensor:
        """Outputs (T, B, H) of the last block after each step: what interests are read out of."""
        known_ID = torch.cat([c_ID.new_zeros(1, c_ID.shape[1]), c_ID])
        c_TBD = functional.embedding(batch.items_TB, known_ID)
        x_TBH: Tensor = self.user.sequence(
            c_TBD, batch.types_TB, batch.weights_TB, batch.gaps_TB, batch.fresh_TB
        )
        return x_TBH

    def interests(self, batch: Batch, c_ID: Tensor) -> Tensor:
        """Interests (T, B, K, D) after each step."""
        return self.user.read(self.outputs(batch, c_ID))
