"""One training by several processes, as torchrun starts them: each learns its share of the rows of
every epoch, and gradients are averaged, so that all hold the same weights at every step.

Every process draws the same rows from the same seed and takes every n-th of them, so there is
nothing to hand out; each measures the whole validation part and comes to the same decisions. The
first one alone writes.
"""

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, distributed, nn

from training.data import History
from training.sequences import Histories, Rows, Windows


@dataclass(frozen=True, slots=True)
class World:
    """Which process this is, of how many."""

    rank: int = 0
    size: int = 1

    @property
    def writes(self) -> bool:
        """True in the one process that writes and speaks."""
        return self.rank == 0


ALONE = World()


class SharedHistories(Histories):
    """Histories of which each process learns its share of rows, all of them equally many."""

    def __init__(self, histories: Sequence[History], *, device: str, world: World) -> None:
        super().__init__(histories, device=device)
        self._world = world

    def rows(self, windows: Windows, length: int, *, rng: np.random.Generator) -> Rows:
        """See Histories; where there are fewer rows than processes each learns them all."""
        rows = super().rows(windows, length, rng=rng)
        world = self._world
        share = len(rows) // world.size
        if not share:
            return rows
        return Rows(*(column[world.rank :: world.size][:share] for column in rows.columns()))


@contextmanager
def joined(device: str) -> Iterator[World]:
    """The processes that torchrun started, for the length of a block; alone where it did not."""
    if int(os.environ.get("WORLD_SIZE", "1")) == 1:
        yield ALONE
        return
    on_gpu = device.startswith("cuda")
    if on_gpu:
        torch.cuda.set_device(int(os.environ.get("LOCAL_RANK", "0")))
    distributed.init_process_group("nccl" if on_gpu else "gloo")
    try:
        yield World(distributed.get_rank(), distributed.get_world_size())
    finally:
        distributed.destroy_process_group()


def average_gradients(network: nn.Module, world: World) -> None:
    """From here on the gradients of `network` are means over all processes."""
    if world.size == 1:
        return

    def average(weights: Tensor) -> None:
        if weights.grad is not None:
            distributed.all_reduce(weights.grad)
            weights.grad /= world.size

    for weights in network.parameters():
        weights.register_post_accumulate_grad_hook(average)  # type: ignore[no-untyped-call]  # torch's


def meet(world: World) -> None:
    """Wait until every process is here."""
    if world.size > 1:
        distributed.barrier()
