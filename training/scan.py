"""h_t = a_t * h_{t-1} + b_t over a whole history at once.

On a GPU the steps are combined pairwise in log2(T) rounds (Hillis and Steele, 1986; the pairs
compose as in Martin and Cundy, "Parallelizing linear recurrent neural nets", 2018). On a CPU one
pass over T is faster: every round of the parallel form reads and writes all of B * T * H again.
Either way the gradient is one more scan, backwards: with g = dL/dh and e_t = g_t + a_{t+1} * e_{t+1},
dL/db_t = e_t and dL/da_t = e_t * h_{t-1}.

Shape suffixes: T = steps, B = histories, H = width.
"""

from typing import Any

import torch
from torch import Tensor


def scan(a_TBH: Tensor, b_TBH: Tensor) -> Tensor:
    """All h (T, B, H), from h = 0 before the first step."""
    h_TBH: Tensor = _Scan.apply(a_TBH, b_TBH)
    return h_TBH


class _Scan(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, a_TBH: Tensor, b_TBH: Tensor) -> Tensor:
        h_TBH = _run(a_TBH, b_TBH)
        ctx.save_for_backward(a_TBH, h_TBH)
        return h_TBH

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor, Tensor]:
        a_TBH, h_TBH = ctx.saved_tensors
        (g_TBH,) = grads
        # Reversed in time: the gain of step t is a of the step after it.
        later_TBH = torch.zeros_like(a_TBH)
        later_TBH[1:] = a_TBH.flip(0)[:-1]
        e_TBH = _run(later_TBH, g_TBH.flip(0)).flip(0)
        da_TBH = torch.zeros_like(a_TBH)
        da_TBH[1:] = e_TBH[1:] * h_TBH[:-1]
        return da_TBH, e_TBH


def _run(a_TBH: Tensor, b_TBH: Tensor) -> Tensor:
    return in_rounds(a_TBH, b_TBH) if a_TBH.is_cuda else step_by_step(a_TBH, b_TBH)


def step_by_step(a_TBH: Tensor, b_TBH: Tensor) -> Tensor:
    """One pass, T small operations."""
    h_TBH = b_TBH.clone(memory_format=torch.contiguous_format)
    steps = h_TBH.unbind(0)
    for t, a_BH in enumerate(a_TBH.unbind(0)[1:], 1):
        steps[t].addcmul_(a_BH, steps[t - 1])
    return h_TBH


def in_rounds(a_TBH: Tensor, b_TBH: Tensor) -> Tensor:
    """log2(T) rounds, each over everything."""
    a_TBH, h_TBH = a_TBH.clone(), b_TBH.clone()
    reach = 1
    while reach < len(a_TBH):
        h_TBH[reach:] += a_TBH[reach:] * h_TBH[:-reach].clone()
        a_TBH[reach:] *= a_TBH[:-reach].clone()
        reach *= 2
    return h_TBH
