"""The gated linear recurrence over whole rows at once.

    a_t = exp(-c rate sigmoid(keep_t)),   0 where a history begins
    h_t = a_t * h_{t-1} + sqrt(1 - a_t^2) * value_t

This is RG-LRU (De et al., "Griffin", 2024) without its input gate, which changed nothing in
quality. It is one autograd function with its own gradient: half the passes over memory that one
node for each operation takes. With g = dL/dh and e_t = g_t + a_{t+1} * e_{t+1}, another scan,
dL/da_t = e_t * h_{t-1}, and all else is elementwise.

On a CPU one pass over T is fastest. On a GPU the row is cut into about sqrt(T) chunks, which are
scanned side by side and then joined (Blelloch, 1990), so that there are 2 sqrt(T) steps in a row.

Shape suffixes: T = steps, B = rows, H = width, N = chunks, C = steps of a chunk.
"""

import math
from typing import Any

import torch
from torch import Tensor

GATE_SHARPNESS = 8.0  # c
_LEAST = 1e-8  # under the root, whose slope has no bound at 0


def gated_scan(value_TBH: Tensor, keep_TBH: Tensor, rate_H: Tensor, fresh_TB1: Tensor) -> Tensor:
    """All h (T, B, H), from h = 0 before the first step and before each `fresh` one."""
    h_TBH: Tensor = _GatedScan.apply(value_TBH, keep_TBH, rate_H, fresh_TB1)
    return h_TBH


def gates(keep: Tensor, rate: Tensor) -> tuple[Tensor, Tensor]:
    """What is kept of a state, a, and what enters of a value, sqrt(1 - a^2)."""
    log_a = torch.sigmoid(keep) * (-GATE_SHARPNESS * rate)
    return torch.exp(log_a), torch.sqrt(_LEAST - torch.expm1(2.0 * log_a))


class _GatedScan(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, *inputs: Tensor) -> Tensor:
        value_TBH, keep_TBH, rate_H, fresh_TB1 = inputs
        # In the rate's precision: near a = 1 it decides how long a memory lasts.
        keep_TBH = torch.sigmoid(keep_TBH.to(rate_H.dtype))
        log_a_TBH = keep_TBH * (-GATE_SHARPNESS * rate_H)
        root_TBH = (log_a_TBH * 2.0).expm1_().neg_().add_(_LEAST).sqrt_()
        a_TBH = log_a_TBH.exp_().masked_fill_(fresh_TB1, 0.0)
        h_TBH = scan(a_TBH, root_TBH * value_TBH)
        ctx.save_for_backward(value_TBH, keep_TBH, rate_H, root_TBH, a_TBH, h_TBH)
        return h_TBH

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor, Tensor, Tensor, None]:
        value_TBH, keep_TBH, rate_H, root_TBH, a_TBH, h_TBH = ctx.saved_tensors
        e_TBH = scan_back(a_TBH, grads[0])
        # d sqrt(1 - a^2) / d log a = -a^2 / sqrt(1 - a^2)
        slope_TBH = (root_TBH - (1.0 + _LEAST) / root_TBH).mul_(value_TBH)
        slope_TBH[1:].addcmul_(a_TBH[1:], h_TBH[:-1])
        slope_TBH.mul_(e_TBH).mul_(keep_TBH)  # dL / d log a * sigmoid(keep)
        d_rate_H = slope_TBH.sum(dim=(0, 1)).mul_(-GATE_SHARPNESS)
        d_keep_TBH = slope_TBH.mul_(1.0 - keep_TBH).mul_(-GATE_SHARPNESS * rate_H)
        d_value_TBH = e_TBH.mul_(root_TBH)
        return d_value_TBH.to(value_TBH.dtype), d_keep_TBH.to(value_TBH.dtype), d_rate_H, None


def scan(a_TBH: Tensor, b_TBH: Tensor) -> Tensor:
    """h_t = a_t * h_{t-1} + b_t, in the memory of b where it can."""
    return in_chunks(a_TBH, b_TBH) if a_TBH.is_cuda else step_by_step(a_TBH, b_TBH)


def scan_back(a_TBH: Tensor, g_TBH: Tensor) -> Tensor:
    """e_t = g_t + a_{t+1} * e_{t+1}, in new memory."""
    if a_TBH.is_cuda:
        later_TBH = torch.cat([torch.zeros_like(a_TBH[:1]), a_TBH[1:].flip(0)])
        return in_chunks(later_TBH, g_TBH.flip(0)).flip(0)
    e_TBH = g_TBH.clone(memory_format=torch.contiguous_format)
    steps, gains = e_TBH.unbind(0), a_TBH.unbind(0)
    for t in range(len(steps) - 2, -1, -1):
        steps[t].addcmul_(gains[t + 1], steps[t + 1])
    return e_TBH


def step_by_step(a_TBH: Tensor, b_TBH: Tensor) -> Tensor:
    """One pass, T small operations, in the memory of b."""
    steps, gains = b_TBH.unbind(0), a_TBH.unbind(0)
    for t in range(1, len(steps)):
        steps[t].addcmul_(gains[t], steps[t - 1])
    return b_TBH


def in_chunks(a_TBH: Tensor, b_TBH: Tensor) -> Tensor:
    """Chunks side by side, then each joined to the end of the one before."""
    steps = math.isqrt(max(0, len(a_TBH) - 1)) + 1
    a_NCBH, h_NCBH = _chunks(a_TBH, steps), _chunks(b_TBH, steps)
    for c in range(1, steps):
        h_NCBH[:, c].addcmul_(a_NCBH[:, c], h_NCBH[:, c - 1])
        a_NCBH[:, c].mul_(a_NCBH[:, c - 1])  # now the product since the chunk began
    ends = [torch.zeros_like(h_NCBH[0, 0])]
    for n in range(len(h_NCBH) - 1):
        ends.append(torch.addcmul(h_NCBH[n, -1], a_NCBH[n, -1], ends[-1]))
    h_NCBH.addcmul_(a_NCBH, torch.stack(ends)[:, None])
    h_TBH: Tensor = h_NCBH.flatten(0, 1)[: len(a_TBH)]
    return h_TBH


def _chunks(x_TBH: Tensor, steps: int) -> Tensor:
    """A copy (N, C, B, H), the last chunk filled up with zeros."""
    number = -(-len(x_TBH) // steps)
    room_TBH = x_TBH.new_zeros(number * steps, *x_TBH.shape[1:])
    room_TBH[: len(x_TBH)] = x_TBH
    return room_TBH.view(number, steps, *x_TBH.shape[1:])
