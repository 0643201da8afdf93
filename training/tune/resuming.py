"""A tuning's state on disk, after each epoch: what learns, its moments, and the best so far.

Frozen weights are not kept: they come from the base again. See training.checkpoint.
"""

import os
import pickle
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypedDict

import torch
from torch import Tensor

from training.tune.methods import trained
from training.tune.network import TextNetwork
from training.tune.ranks import shares_of, take_shares

_FORMAT = 3  # 2 had no averages, 1 no shares of AdaLoRA's ranks
_NAME = "tuning.pt"


class Noted(TypedDict):
    """An epoch as it is kept."""

    number: int
    loss: float
    quality: float
    best: float
    seconds: float
    stop: bool


@dataclass(slots=True)
class Held:
    """All that the next epoch depends on, beside what learns and the optimizer's moments."""

    epoch: int = 0
    steps: int = 0
    best: float = -1.0
    best_epoch: int = 0
    done: bool = False
    rates: list[float] = field(default_factory=list)
    epochs: list[Noted] = field(default_factory=list)
    averages: dict[str, Tensor] = field(default_factory=dict)
    best_weights: dict[str, Tensor] = field(default_factory=dict)

    def note(
        self, *, number: int, loss: float, quality: float, best: float, seconds: float, stop: bool
    ) -> None:
        """Keep an epoch."""
        self.epochs.append(
            Noted(number=number, loss=loss, quality=quality, best=best, seconds=seconds, stop=stop)
        )


def save(
    work: Path, network: TextNetwork, optimizer: torch.optim.Optimizer, held: Held, *, mark: str
) -> None:
    """Write it, whole or not at all and durable when this returns; `mark` names the tuning."""
    content = {
        "format": _FORMAT,
        "mark": mark,
        "weights": trained(network),
        "optimizer": optimizer.state_dict(),
        "shares": shares_of(network.encoder),
        **{name: getattr(held, name) for name in Held.__dataclass_fields__},
    }
    work.mkdir(parents=True, exist_ok=True)
    part = work / f"{_NAME}.part"
    with part.open("wb") as file:
        torch.save(content, file)
        file.flush()
        os.fsync(file.fileno())
    part.replace(work / _NAME)


def load(
    work: Path, network: TextNetwork, optimizer: torch.optim.Optimizer, held: Held, *, mark: str
) -> bool:
    """Put all where it was; False where there is no checkpoint of this tuning."""
    try:
        content = torch.load(work / _NAME, map_location="cpu", weights_only=True)
    except (OSError, EOFError, RuntimeError, LookupError, ValueError, pickle.UnpicklingError):
        return False  # none, or a damaged one: the tuning begins anew
    if content.get("format") != _FORMAT or content.get("mark") != mark:
        return False
    network.load_state_dict(content["weights"], strict=False)
    optimizer.load_state_dict(content["optimizer"])
    take_shares(network.encoder, content["shares"])
    for name in Held.__dataclass_fields__:
        setattr(held, name, content[name])
    held.averages = {name: one.to(network.device) for name, one in held.averages.items()}
    return True
