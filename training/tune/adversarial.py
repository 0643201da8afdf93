"""FGM: the loss once more, at the word vectors moved a step to where it rises fastest.

After Miyato, Dai and Goodfellow, "Adversarial training methods for semi-supervised text
classification" (ICLR 2017). The step is taken from the word vectors of the batch, not from the
table: a piece that is in two texts is moved in each by its own gradient, and the table, which
most methods freeze, is never written to.

Shape suffixes: B = texts of a batch, L = tokens, D = embedding dimension.
"""

from collections.abc import Callable

import torch
from torch import Tensor


def backward_with_attack(
    loss_at: Callable[[Tensor], Tensor], words_BLD: Tensor, mask_BL: Tensor, *, length: float
) -> float:
    """Gradients of the loss and of the loss under attack, added to the parameters'.

    `length` of each text's step is in parts of its word vectors' length. Returns the first loss.
    """
    words_BLD = words_BLD if words_BLD.requires_grad else words_BLD.detach().requires_grad_()
    words_BLD.retain_grad()
    loss = loss_at(words_BLD)
    loss.backward()  # type: ignore[no-untyped-call]
    assert words_BLD.grad is not None  # noqa: S101
    attacked = loss_at(moved(words_BLD.detach(), words_BLD.grad, mask_BL, length=length))
    attacked.backward()  # type: ignore[no-untyped-call]
    return float(loss.detach())


@torch.no_grad()
def moved(words_BLD: Tensor, slope_BLD: Tensor, mask_BL: Tensor, *, length: float) -> Tensor:
    """Word vectors moved up the slope, each text by `length` of its own vectors' length."""
    mask_BL1 = mask_BL[:, :, None].to(words_BLD.dtype)
    slope_BLD = slope_BLD * mask_BL1
    norm_B11 = slope_BLD.flatten(1).norm(dim=1)[:, None, None].clamp_min(1e-12)
    own_B11 = (words_BLD * mask_BL1).flatten(1).norm(dim=1)[:, None, None]
    step_BLD: Tensor = length * own_B11 * slope_BLD / norm_B11
    return words_BLD + step_BLD
