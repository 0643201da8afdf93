"""AdaLoRA's ranks, shared out by importance as it learns (Zhang et al., ICLR 2023), through peft.

The averages that importance is told by, and the ranks that are left, stand in peft's objects and
in no module's state: a tuning that goes on from a checkpoint has to bring them along.
"""

from collections.abc import Mapping
from typing import TYPE_CHECKING, TypedDict

import torch
from torch import Tensor, nn

if TYPE_CHECKING:
    from peft import AdaLoraConfig
    from peft.tuners.adalora.layer import RankAllocator

_EVEN = 0.5  # weight of what keeps the factors orthogonal


class Shares(TypedDict):
    """What the next sharing out depends on, by names of parameters."""

    sensitivity: dict[str, Tensor]
    uncertainty: dict[str, Tensor]
    left: dict[str, list[bool]]


def orthogonality(encoder: nn.Module) -> Tensor:
    """AdaLoRA's regularizer: how far its factors are from orthogonal, 0 for other methods."""
    parts = [
        factor
        for name, factor in encoder.named_parameters()
        if factor.requires_grad and ("lora_A" in name or "lora_B" in name)
    ]
    total = torch.zeros((), device=parts[0].device if parts else None)
    for factor in parts:
        square = factor @ factor.T if factor.shape[0] <= factor.shape[1] else factor.T @ factor
        total = total + torch.linalg.matrix_norm(
            square - torch.eye(len(square), device=square.device)
        )
    return _EVEN * total / max(1, len(parts))


def share_out(encoder: nn.Module, step: int) -> None:
    """The ranks anew, after the optimizer's step and before the gradients are cleared."""
    encoder.base_model.update_and_allocate(step)  # type: ignore[union-attr,operator]


def shares_of(encoder: nn.Module) -> Shares | None:
    """What a checkpoint has to hold beside the weights; None for other methods."""
    found = _parts(encoder)
    if found is None:
        return None
    allocator, config = found
    return Shares(
        sensitivity=dict(allocator.exp_avg_ipt),
        uncertainty=dict(allocator.exp_avg_unc),
        left=dict(config.rank_pattern or {}),
    )


def take_shares(encoder: nn.Module, shares: Shares | None) -> None:
    """Put them where `shares_of` found them."""
    found = _parts(encoder)
    if found is None or shares is None:
        return
    allocator, config = found
    parameters = dict(encoder.named_parameters())
    for held, averages in (
        (allocator.exp_avg_ipt, shares["sensitivity"]),
        (allocator.exp_avg_unc, shares["uncertainty"]),
    ):
        for short, value in averages.items():
            held[short] = value.to(_of(parameters, short))
    # peft takes a name that it has no average of for one at its first step.
    allocator.ipt = {name: torch.zeros_like(value) for name, value in allocator.exp_avg_ipt.items()}
    config.rank_pattern = shares["left"] or None


def _of(parameters: Mapping[str, Tensor], short: str) -> Tensor:
    return next(value for name, value in parameters.items() if name.endswith(short))


def _parts(encoder: nn.Module) -> "tuple[RankAllocator, AdaLoraConfig] | None":
    inner = getattr(encoder, "base_model", None)
    allocator = getattr(inner, "rankallocator", None)
    if inner is None or allocator is None:
        return None
    config = inner.peft_config[inner.trainable_adapter_name]
    return allocator, config
