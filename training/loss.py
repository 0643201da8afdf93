"""Which item came next, as a classification over the catalogue or a sample of it.

Small catalogues: softmax over all items. Large ones: over the item that came and others drawn for
the whole batch, with log-Q correction (Yi et al., "Sampling-bias-corrected neural modeling",
2019): a drawn item's score is lowered by the logarithm of how often it is expected in the sample,
so that the sample's sum stands for the catalogue's.

Shape suffixes: P = positions that have a target, K = interests, D = vector, I = items,
S = sampled items.
"""

import math
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from training.model import scores

FULL_UP_TO = 20_000  # items
_AT_ONCE = 2**20  # scores of a part of the positions that a CPU's cache holds


def full_softmax(u_PKD: Tensor, c_ID: Tensor, targets_P: Tensor) -> Tensor:
    """Mean cross-entropy; `targets` are rows of `c`, negative ones count for nothing."""
    loss: Tensor = _FullSoftmax.apply(u_PKD, c_ID, targets_P)
    return loss


class _FullSoftmax(torch.autograd.Function):
    """Loss and gradient in one go, some positions at a time: their scores are never all there."""

    @staticmethod
    def forward(ctx: Any, *inputs: Tensor) -> Tensor:
        u_PKD, c_ID, targets_P = inputs
        interests = u_PKD.shape[1]
        share_P1 = (targets_P >= 0).float()[:, None]
        share_P1 /= share_P1.sum().clamp_min(1.0)
        d_u_PKD, d_c_ID = torch.empty_like(u_PKD), torch.zeros_like(c_ID, dtype=torch.float32)
        loss = torch.zeros((), device=u_PKD.device)
        part = len(u_PKD) if u_PKD.is_cuda else max(1, _AT_ONCE // (len(c_ID) * interests))
        for begin in range(0, len(u_PKD), part):
            rows = slice(begin, begin + part)
            u_QD = u_PKD[rows].flatten(0, 1)
            dots_PKI = (u_QD @ c_ID.T).float().view(-1, interests, len(c_ID))
            scores_PI = dots_PKI[:, 0] if interests == 1 else torch.logsumexp(dots_PKI, dim=1)
            if interests > 1:
                dots_PKI.sub_(scores_PI[:, None]).exp_()  # each interest's part in a score
            targets_P1 = targets_P[rows].clamp_min(0)[:, None]
            # From here on the scores turn into their gradient, in place.
            d_PI = scores_PI.sub_(scores_PI.amax(dim=1, keepdim=True))
            own_P1 = d_PI.gather(1, targets_P1)
            total_P1 = d_PI.exp_().sum(dim=1, keepdim=True)
            loss += ((total_P1.log() - own_P1) * share_P1[rows]).sum()
            d_PI.mul_(share_P1[rows] / total_P1)
            d_PI.scatter_add_(1, targets_P1, -share_P1[rows])
            d_PKI = d_PI[:, None] if interests == 1 else dots_PKI.mul_(d_PI[:, None])
            d_QI = d_PKI.flatten(0, 1)
            d_u_PKD[rows] = (d_QI @ c_ID).view_as(u_PKD[rows])
            d_c_ID += d_QI.T @ u_QD
        ctx.save_for_backward(d_u_PKD, d_c_ID.to(c_ID.dtype))
        return loss

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor, Tensor, None]:
        d_u_PKD, d_c_ID = ctx.saved_tensors
        return d_u_PKD * grads[0], d_c_ID * grads[0], None


def sampled_softmax(
    u_PKD: Tensor, c_ID: Tensor, targets_P: Tensor, drawn_S: Tensor, log_q_I: Tensor
) -> Tensor:
    """Mean cross-entropy of the targets against the drawn rows of `c`; `log_q` is the logarithm
    of a row's share of the draws. Targets as in `full_softmax`.
    """
    lowered_S = log_q_I[drawn_S] + math.log(len(drawn_S))
    others_PS = scores(u_PKD, c_ID[drawn_S]) - lowered_S
    # The target counts once, as itself.
    others_PS = others_PS.masked_fill(drawn_S == targets_P[:, None], -torch.inf)
    own_P1 = _own(u_PKD, c_ID[targets_P])[:, None]
    first_P = torch.where(targets_P < 0, -100, 0)
    logits_PS = torch.cat([own_P1, others_PS], dim=1)
    lost = functional.cross_entropy(logits_PS, first_P, ignore_index=-100, reduction="sum")
    return lost / (targets_P >= 0).sum().clamp_min(1)


class Draws:
    """Items to compare with: half of them drawn as often as events name them, half evenly."""

    def __init__(self, frequency_I: Tensor) -> None:
        share_I = 0.5 * frequency_I / frequency_I.sum() + 0.5 / len(frequency_I)
        self.log_q_I = torch.log(share_I)
        self._up_to_I = torch.cumsum(share_I.double(), dim=0)

    def __call__(self, number: int) -> Tensor:
        """Places (S,), of torch's own random numbers."""
        at_S = torch.rand(number, dtype=torch.float64, device=self._up_to_I.device)
        places_S = torch.searchsorted(self._up_to_I, at_S * self._up_to_I[-1], right=True)
        return places_S.clamp_max(len(self._up_to_I) - 1)


def pushed_away(u_PKD: Tensor, c_ID: Tensor, disliked_P: Tensor) -> Tensor:
    """What was disliked next shall score below the catalogue's mean vector: mean softplus of the
    difference. `disliked` are rows of `c`, negative ones count for nothing.
    """
    above_P = _own(u_PKD, c_ID[disliked_P]) - _own(u_PKD, c_ID.mean(dim=0)[None])
    real_P = disliked_P >= 0
    return (functional.softplus(above_P) * real_P).sum() / real_P.sum().clamp_min(1)


def _own(u_PKD: Tensor, c_PD: Tensor) -> Tensor:
    """Scores (P,) of one item each."""
    return torch.logsumexp((u_PKD * c_PD[:, None, :]).sum(-1), dim=-1)
