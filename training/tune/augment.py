"""Training texts, a little different each time. All work on pieces, so on every script alike.

No list of synonyms is needed: what is dropped or moved is enough to keep a network from leaning
on one piece alone (Wei and Zou, "EDA", EMNLP 2019; Shen et al., "Cutoff", 2020).

Shape suffixes: B = texts of a batch, L = tokens, D = embedding dimension, C = classes.
"""

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor

from training.tune.batches import Row
from training.tune.ways import Augmentation

_SHARE = 0.15  # of a text's own pieces
_MIX = 0.2  # of the beta distribution: mostly one text with a little of another

Change = Callable[[Row, np.random.Generator], Row]


def changed(row: Row, augmentation: Augmentation, *, fixed: int, rng: np.random.Generator) -> Row:
    """`row` with some of its own pieces dropped or moved; the first `fixed` (those before the
    text) and the last one are left as they are.
    """
    change = _CHANGES.get(augmentation)
    own = row[fixed:-1]
    if change is None or len(own) < 3:
        return row
    return np.concatenate([row[:fixed], change(own, rng), row[-1:]])


def cut_off(mask_BL: Tensor, *, fixed: int, rng: np.random.Generator) -> Tensor:
    """The mask with some pieces hidden: the network sees their places, not them."""
    hidden_BL = torch.from_numpy(rng.random(tuple(mask_BL.shape)) < _SHARE)
    hidden_BL[:, :fixed] = False
    return mask_BL * (~hidden_BL).long()


def mixed(
    pooled_BD: Tensor, targets_BC: Tensor, *, rng: np.random.Generator
) -> tuple[Tensor, Tensor]:
    """Each text's vector and classes with a share of another's (Guo et al., "Augmenting data
    with mixup for sentence classification", 2019).
    """
    share = max(share := float(rng.beta(_MIX, _MIX)), 1.0 - share)
    other = torch.from_numpy(rng.permutation(len(pooled_BD))).to(pooled_BD.device)
    return (
        share * pooled_BD + (1.0 - share) * pooled_BD[other],
        share * targets_BC + (1.0 - share) * targets_BC[other],
    )


def _deleted(own: Row, rng: np.random.Generator) -> Row:
    kept = rng.random(len(own)) >= _SHARE
    return own[kept] if kept.any() else own


def _swapped(own: Row, rng: np.random.Generator) -> Row:
    found = own.copy()
    for _ in range(max(1, round(_SHARE * len(own) / 2))):
        first, second = rng.choice(len(own), 2, replace=False)
        found[[first, second]] = found[[second, first]]
    return found


def _without_span(own: Row, rng: np.random.Generator) -> Row:
    length = int(rng.integers(1, max(2, round(2 * _SHARE * len(own)) + 1)))
    begin = int(rng.integers(0, len(own) - length + 1))
    return np.concatenate([own[:begin], own[begin + length :]])


_CHANGES: dict[Augmentation, Change] = {
    Augmentation.DELETE: _deleted,
    Augmentation.SWAP: _swapped,
    Augmentation.SPAN: _without_span,
}
