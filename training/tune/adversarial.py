"""Attacks on the word vectors of a batch: the loss is learned from where they make it worse, too.

FGM (Miyato, Dai and Goodfellow, "Adversarial training methods for semi-supervised text
classification", ICLR 2017): once more after one step to where the loss rises fastest. FreeLB (Zhu
et al., "FreeLB: enhanced adversarial training for natural language understanding", ICLR 2020):
several steps from a random place near by, within a ball, and the mean of all gradients on the way.

Steps are taken from the word vectors of the batch, not from the table: a piece that is in two texts
is moved in each by its own gradient, and the table, which most methods freeze, is never written to.

Shape suffixes: B = texts of a batch, L = tokens, D = embedding dimension.
"""

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext

import torch
from torch import Tensor

# FreeLB's steps are so long, in parts of the ball's radius, that together they cross it.
_ACROSS = 2.0


def backward_with_attack(
    loss_at: Callable[[Tensor], Tensor], words_BLD: Tensor, mask_BL: Tensor, *, length: float
) -> float:
    """Gradients of the loss and of the loss under attack (FGM), added to the parameters'.

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


def backward_on_the_way(
    loss_at: Callable[[Tensor], Tensor],
    words_BLD: Tensor,
    mask_BL: Tensor,
    *,
    length: float,
    steps: int,
) -> float:
    """The mean of the gradients at `steps` places that rise within a ball (FreeLB), added to the
    parameters'; each text's ball has the radius `length`, in parts of its word vectors' length.

    Dropout hides the same in all of them, as the paper has it. Returns the mean loss.
    """
    own_BLD = words_BLD.detach()
    radius_B11 = length * _lengths(_masked(own_BLD, mask_BL))
    shift_BLD = _somewhere(own_BLD, mask_BL, radius_B11)
    slopes_BLD = torch.zeros_like(own_BLD)
    total = 0.0
    for step in range(1, steps + 1):
        shift_BLD.requires_grad_()
        with nullcontext() if step == steps else _drawn_again(own_BLD.device):
            loss = loss_at(own_BLD + shift_BLD) / steps
            loss.backward()  # type: ignore[no-untyped-call]
        assert shift_BLD.grad is not None  # noqa: S101
        slopes_BLD += shift_BLD.grad
        total += float(loss.detach())
        uphill_BLD = _step(own_BLD, shift_BLD.grad, mask_BL, length=_ACROSS * length / steps)
        shift_BLD = within(shift_BLD.detach() + uphill_BLD, radius_B11)
    if words_BLD.requires_grad:  # where the table learns, too
        words_BLD.backward(slopes_BLD)  # type: ignore[no-untyped-call]
    return total


@torch.no_grad()
def moved(words_BLD: Tensor, slope_BLD: Tensor, mask_BL: Tensor, *, length: float) -> Tensor:
    """Word vectors moved up the slope, each text by `length` of its own vectors' length."""
    return words_BLD + _step(words_BLD, slope_BLD, mask_BL, length=length)


@torch.no_grad()
def within(shift_BLD: Tensor, radius_B11: Tensor) -> Tensor:
    """Each text's shift, brought back to its ball where it is outside."""
    factor_B11 = radius_B11 / _lengths(shift_BLD).clamp_min(1e-12)
    return shift_BLD * factor_B11.clamp_max(1.0)


def _step(words_BLD: Tensor, slope_BLD: Tensor, mask_BL: Tensor, *, length: float) -> Tensor:
    slope_BLD = _masked(slope_BLD, mask_BL)
    own_B11 = _lengths(_masked(words_BLD, mask_BL))
    return length * own_B11 * slope_BLD / _lengths(slope_BLD).clamp_min(1e-12)


def _somewhere(words_BLD: Tensor, mask_BL: Tensor, radius_B11: Tensor) -> Tensor:
    """A place to begin within each ball: each number even, up to the radius by their root."""
    even_BLD = _masked(torch.rand_like(words_BLD) * 2.0 - 1.0, mask_BL)
    numbers_B11 = mask_BL.sum(dim=1)[:, None, None].to(words_BLD) * words_BLD.shape[2]
    return even_BLD * radius_B11 / numbers_B11.sqrt()


def _masked(numbers_BLD: Tensor, mask_BL: Tensor) -> Tensor:
    return numbers_BLD * mask_BL[:, :, None].to(numbers_BLD)


def _lengths(numbers_BLD: Tensor) -> Tensor:
    """Of all of a text's numbers as one vector (B, 1, 1)."""
    lengths_B11: Tensor = numbers_BLD.flatten(1).norm(dim=1)[:, None, None]
    return lengths_B11


def _drawn_again(device: torch.device) -> AbstractContextManager[None]:
    """What is drawn within is drawn once more after it."""
    return torch.random.fork_rng(
        devices=[torch.cuda.current_device()] if device.type == "cuda" else []
    )
