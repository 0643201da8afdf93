"""The weights of the last steps as one: a running mean of what learns.

The last steps of a tuning circle around a place that is often better than where any of them is
(Polyak and Juditsky, "Acceleration of stochastic approximation by averaging", 1992).
"""

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn

# The mean is over a tenth of the steps at first: early ones are far from where it goes.
_EARLY = 10.0

Averages = dict[str, Tensor]


@torch.no_grad()
def take_step(averages: Averages, module: nn.Module, *, decay: float, step: int) -> None:
    """Move `averages` (by name, float32; begun where empty) to what `module` is after `step`, from
    1; about 1 / (1 - `decay`) steps count.
    """
    keeps = min(decay, step / (step + _EARLY))
    for name, own in _learning(module):
        if name in averages:
            averages[name].lerp_(own.float(), 1.0 - keeps)
        else:
            averages[name] = own.float().clone()


@contextmanager
def averaged(averages: Averages, module: nn.Module) -> Iterator[None]:
    """`module` with the averages as what learned; as it was afterwards. Empty: as it is."""
    before = {name: own.clone() for name, own in _learning(module) if name in averages}
    _put(averages, module)
    try:
        yield
    finally:
        _put(before, module)


def _learning(module: nn.Module) -> Iterator[tuple[str, Tensor]]:
    for name, own in module.named_parameters():
        if own.requires_grad:
            yield name, own.detach()


@torch.no_grad()
def _put(weights: Averages, module: nn.Module) -> None:
    for name, own in _learning(module):
        if name in weights:
            own.copy_(weights[name])
