"""Where torch computes, and random numbers that the caller's are not disturbed by."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch


def auto_device(wanted: str) -> str:
    """`cuda` where `auto` finds one."""
    if wanted != "auto":
        return wanted
    return "cuda" if torch.cuda.is_available() else "cpu"


@contextmanager
def seeded(seed: int, device: torch.device | str) -> Iterator[None]:
    """Within the block torch draws from `seed`, on the CPU and on `device`; after it, as before."""
    device = torch.device(device)
    devices = [torch.cuda.current_device()] if device.type == "cuda" else []
    with torch.random.fork_rng(devices=devices):
        torch.manual_seed(seed)
        yield
