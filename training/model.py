"""The network: an item tower, a gated linear recurrence over events, and interest read-outs.

    item   c = [W text + V picture + E[id]] / R, and one coordinate more that makes its length 1
    user   x_t = P c_t + type + w weight + gap features
           in each block:  h_t = a_t * h_{t-1} + sqrt(1 - a_t^2) * V x_t
           with a gate a_t of the event (training.scan; with a constant one it is LRURec's
           recurrence: Yue et al., 2024), then a gated output and an MLP
    score  r_i = log sum_k exp(<u_k, c_i>), the u_k read out of the last block

The extra coordinate turns a search by inner product into one by cosine without changing any score
(Neyshabur and Srebro, 2015): a read-out has a zero there. E is dropped at random in training, so
that a new item works on its text alone; and so is a picture, for which a learned vector stands
wherever an item has none.

`sequence` runs rows of histories; `step` one event on a memory of (L + 1) * H numbers: the state of
each block and the last output. Both are the same sums (tested), and `step` is what is exported.

Shape suffixes: B = rows, T = steps, I = items, D = vector of an item (without the extra
coordinate), H = width, L = blocks, K = interests, M = (L + 1) * H, P = picture vector.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from training.scan import GATE_SHARPNESS, gated_scan, gates

EVENT_CODES = 16  # room for more types than there are


@dataclass(frozen=True, slots=True)
class ModelConfig:
    """Sizes and regularization. Change `dimension` with the catalogue, `length` with histories.

    A million events carry more than these: dimension 128, width 256 and dropouts of 0.3.
    """

    dimension: int = 64
    width: int = 128
    layers: int = 2
    interests: int = 1
    expansion: int = 2  # the MLP's inner width over `width`
    length: int = 200  # steps that training looks back
    dropout: float = 0.2
    input_dropout: float = 0.2
    id_dropout: float = 0.1
    picture_dropout: float = 0.2  # of whole pictures, where the site has any
    radius: float = 8.0  # R: vectors of items are kept within it


class Tower(nn.Module):
    """Items to vectors: text and picture projected, plus what is learnt of each known item."""

    def __init__(self, config: ModelConfig, *, items: int, text: int, picture: int = 0) -> None:
        super().__init__()
        self.radius = config.radius
        self.id_dropout = config.id_dropout
        self.text = nn.Linear(text, config.dimension, bias=False) if text else None
        self.ids = nn.Embedding(items + 1, config.dimension, padding_idx=0)  # 0: not known
        nn.init.normal_(self.ids.weight, std=config.dimension**-0.5)
        with torch.no_grad():
            self.ids.weight[0] = 0.0
        if self.text is not None:
            nn.init.normal_(self.text.weight, std=config.dimension**-0.5)
        self.picture_dropout = config.picture_dropout
        self.picture: nn.Linear | None = None
        if picture:
            self.picture = nn.Linear(picture, config.dimension, bias=False)
            self.no_picture = nn.Parameter(torch.zeros(config.dimension))
            nn.init.normal_(self.picture.weight, std=config.dimension**-0.5)

    def forward(
        self, text_ND: Tensor, places_N: Tensor, pictures_NP: Tensor | None = None
    ) -> Tensor:
        """Vectors (N, D), no longer than the radius. `pictures_NP` has a zero row for an item
        without a picture; a tower that reads none does not look at it.
        """
        ids_ND = self.ids(places_N)
        if self.training and self.id_dropout:
            kept_N = torch.rand(len(places_N), 1, device=ids_ND.device) >= self.id_dropout
            ids_ND = ids_ND * kept_N
        c_ND: Tensor = ids_ND if self.text is None else ids_ND + self.text(text_ND)
        if self.picture is not None and pictures_NP is not None:
            c_ND = c_ND + self._pictured(self.picture(pictures_NP), pictures_NP)
        length_N = c_ND.norm(dim=-1, keepdim=True).clamp_min(1e-6)
        kept_ND: Tensor = c_ND * (length_N.clamp_max(self.radius) / length_N)
        return kept_ND

    def _pictured(self, seen_ND: Tensor, pictures_NP: Tensor) -> Tensor:
        """What is seen, or the vector that stands for no picture."""
        has_N1 = pictures_NP.abs().sum(-1, keepdim=True) > 0.0
        if self.training and self.picture_dropout:
            drawn_N1 = torch.rand(len(seen_ND), 1, device=seen_ND.device)
            has_N1 = has_N1 & (drawn_N1 >= self.picture_dropout)
        pictured_ND: Tensor = torch.where(has_N1, seen_ND, self.no_picture)
        return pictured_ND

    def unit(self, text_ND: Tensor, places_N: Tensor, pictures_NP: Tensor | None = None) -> Tensor:
        """Vectors (N, D + 1) of length 1, as the index keeps them."""
        c_ND = self(text_ND, places_N, pictures_NP) / self.radius
        rest_N = (1.0 - (c_ND * c_ND).sum(-1, keepdim=True)).clamp_min(0.0).sqrt()
        return torch.cat([c_ND, rest_N], dim=-1)


class Block(nn.Module):
    """One recurrence with its gates, and an MLP; both residual."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        width = config.width
        self.norm = nn.LayerNorm(width)
        self.enter = nn.Linear(width, 3 * width)  # the value, what gates the output, and the keep
        self.out = nn.Linear(width, width)
        # a at a half-open gate, by channel: memories from a few steps to a few hundred.
        first = torch.linspace(0.6, 0.999, width)
        self.rate = nn.Parameter(torch.log(torch.expm1(-2.0 * torch.log(first) / GATE_SHARPNESS)))
        self.mlp_norm = nn.LayerNorm(width)
        self.mlp_in = nn.Linear(width, config.expansion * width)
        self.mlp_out = nn.Linear(config.expansion * width, width)
        self.dropout = nn.Dropout(config.dropout)

    def _leave(self, x: Tensor, h: Tensor, shown: Tensor) -> Tensor:
        x = x + self.dropout(self.out(h * functional.silu(shown)))
        left: Tensor = x + self.dropout(
            self.mlp_out(functional.silu(self.mlp_in(self.mlp_norm(x))))
        )
        return left

    def sequence(self, x_TBH: Tensor, fresh_TB1: Tensor) -> Tensor:
        """Outputs (T, B, H); the state is nothing where a history begins."""
        value, shown, keep = self.enter(self.norm(x_TBH)).chunk(3, dim=-1)
        h_TBH = gated_scan(value, keep, functional.softplus(self.rate), fresh_TB1)
        return self._leave(x_TBH, h_TBH, shown)

    def step(self, x_H: Tensor, h_H: Tensor) -> tuple[Tensor, Tensor]:
        """One event: output and new state."""
        value, shown, keep = self.enter(self.norm(x_H)).chunk(3, dim=-1)
        a, root = gates(keep, functional.softplus(self.rate))
        h_H = a * h_H + root * value
        return self._leave(x_H, h_H, shown), h_H


class UserModel(nn.Module):
    """Events to K interests."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.config = config
        self.item = nn.Linear(config.dimension, config.width)
        self.types = nn.Embedding(EVENT_CODES, config.width)
        self.numbers = nn.Linear(3, config.width, bias=False)  # weight, gap, long gap
        nn.init.normal_(self.types.weight, std=0.02)
        nn.init.normal_(self.numbers.weight, std=0.02)
        self.input_dropout = nn.Dropout(config.input_dropout)
        self.blocks = nn.ModuleList(Block(config) for _ in range(config.layers))
        self.norm = nn.LayerNorm(config.width)
        self.read_out = nn.Linear(config.width, config.interests * config.dimension)

    @property
    def memory(self) -> int:
        """M."""
        return (self.config.layers + 1) * self.config.width

    def _blocks(self) -> Iterator[Block]:
        return (block for block in self.blocks if isinstance(block, Block))

    def _input(self, c: Tensor, types: Tensor, weights: Tensor, gaps: Tensor) -> Tensor:
        numbers = torch.stack([weights, _short(gaps), _long(gaps)], dim=-1)
        entered: Tensor = self.item(c) + self.types(types) + self.numbers(numbers)
        return entered

    def sequence(
        self, c_TBD: Tensor, types_TB: Tensor, weights_TB: Tensor, gaps_TB: Tensor, fresh_TB: Tensor
    ) -> Tensor:
        """Outputs (T, B, H) of the last block; `gaps` in seconds since the step before, `fresh`
        where a history begins.
        """
        entered_TBH = self._input(c_TBD, types_TB, weights_TB, gaps_TB)
        x_TBH: Tensor = self.input_dropout(entered_TBH)
        for block in self._blocks():
            x_TBH = block.sequence(x_TBH, fresh_TB[..., None])
        return x_TBH

    def step(
        self, memory_M: Tensor, c_D: Tensor, type_: Tensor, weight: Tensor, gap: Tensor
    ) -> Tensor:
        """The memory (M,) after one event."""
        states = memory_M.view(self.config.layers + 1, self.config.width)
        x_H = self._input(c_D, type_, weight, gap)
        after = []
        for block, h_H in zip(self._blocks(), states[:-1], strict=True):
            x_H, h_H = block.step(x_H, h_H)  # noqa: PLW2901  # the state after
            after.append(h_H)
        return torch.cat([*after, x_H])

    def read(self, x: Tensor) -> Tensor:
        """Interests (..., K, D) of the last block's output."""
        u: Tensor = self.read_out(self.norm(x))
        return u.view(*x.shape[:-1], self.config.interests, self.config.dimension)


def scores(u: Tensor, c_ID: Tensor) -> Tensor:
    """Scores (..., I) of items for interests (..., K, D)."""
    dots = u @ c_ID.T
    return dots.squeeze(-2) if dots.shape[-2] == 1 else torch.logsumexp(dots, dim=-2)


def _short(gaps: Tensor) -> Tensor:
    """Seconds to minutes: 0 at once, 1 after about an hour."""
    return torch.log1p(gaps.clamp_min(0.0)) / math.log(3_600.0)


def _long(gaps: Tensor) -> Tensor:
    """Days: 0 within the hour, 1 after a month."""
    return torch.log1p(gaps.clamp_min(0.0) / 3_600.0) / math.log(720.0)
