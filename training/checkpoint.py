"""A training's state on disk, so that a killed run goes on as if nothing had happened.

What an epoch draws depends on the seed and its number alone (see training.fit), so weights, their
average, the best of them and the optimizer's moments are all there is to keep.
"""

import os
import pickle
from pathlib import Path

import torch

from training.fit import FitState
from training.network import Network

_FORMAT = 1


def save_checkpoint(path: Path, network: Network, state: FitState) -> None:
    """Write it, whole or not at all and durable when this returns, in the place of the last one."""
    content = {
        "format": _FORMAT,
        "weights": network.state_dict(),
        "optimizer": state.optimizer.state_dict(),
        "epoch": state.epoch,
        "batches": state.batches,
        "best": state.best,
        "best_epoch": state.best_epoch,
        "best_weights": state.best_weights,
        "average": state.average,
        "done": state.done,
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f"{path.name}.part")
    with part.open("wb") as file:
        torch.save(content, file)
        file.flush()
        os.fsync(file.fileno())
    part.replace(path)


def load_checkpoint(path: Path, network: Network, state: FitState) -> bool:
    """Put network and state where they were; False where there is no checkpoint that fits."""
    device = next(network.parameters()).device
    try:
        content = torch.load(path, map_location=device, weights_only=True)
    except (OSError, EOFError, RuntimeError, pickle.UnpicklingError):
        return False  # none, or a damaged one: the training begins anew
    if content.get("format") != _FORMAT:
        return False
    network.load_state_dict(content["weights"])
    state.optimizer.load_state_dict(content["optimizer"])
    for name in ("epoch", "batches", "best", "best_epoch", "best_weights", "average", "done"):
        setattr(state, name, content[name])
    return True
