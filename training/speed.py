"""How long an epoch takes: ours, SASRec and GRU4Rec on the same histories, side by side.

All have the same look-back, width, layers, loss, and number of targets to a step, and step with
the same optimizer (AdamW, fused). Everything else is as each is really trained: the baselines read
a padded window a row, ours packs windows into rows (training.sequences), keeps averaged weights,
and on a GPU replays a recorded step (training.step). On a GPU all use bfloat16.

Steps are measured in blocks, the systems in turn, for some rounds: what slows the machine for a
while slows all of them. An epoch is not run: its seconds are the median over the rounds times the
steps that it has, and what it takes to cut (and pack) its windows once.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from statistics import median

import msgspec
import torch

from training.devices import auto_device
from training.speed_systems import GRU4REC, SASREC, Corpus, Drill, Sizes, Taken, baseline, ours

Progress = Callable[[str, float], None]


@dataclass(frozen=True, slots=True)
class Measuring:
    """How to measure: `rounds` blocks of `steps` for each system, after `warmup` steps.
    `sampled` items stand for all others in the second loss; 0 leaves that loss out.
    """

    sizes: Sizes = field(default_factory=Sizes)
    sampled: int = 512
    steps: int = 10
    warmup: int = 2
    rounds: int = 3
    threads: int = 1
    device: str = "auto"
    seed: int = 1


class SystemSpeed(msgspec.Struct, frozen=True, kw_only=True):
    """One system with one loss; `loss` is full or sampled.

    `step_seconds` has a figure for each round, and `seconds_per_epoch` is extrapolated from their
    median, `cpu_seconds_per_epoch` likewise from the processor time of this process, which other
    work on the machine changes less. `real_share`: of the steps that are read, those that are no
    padding; `ratio_to_sasrec` is of seconds per epoch.
    """

    system: str
    loss: str
    seconds_per_epoch: float
    ratio_to_sasrec: float
    cpu_seconds_per_epoch: float
    cpu_ratio_to_sasrec: float
    real_share: float
    steps_per_epoch: float
    targets_per_step: float
    prepare_seconds: float
    step_seconds: tuple[float, ...]


class Speed(msgspec.Struct, frozen=True, kw_only=True):
    """All of them, and what they were measured with. `targets`: of an epoch."""

    extrapolated: bool = True
    device: str
    precision: str
    torch: str
    threads: int
    histories: int
    items: int
    events: int
    targets: int
    length: int
    width: int
    layers: int
    batch: int
    sampled: int
    steps: int
    rounds: int
    systems: tuple[SystemSpeed, ...]


def measure(corpus: Corpus, measuring: Measuring, *, progress: Progress) -> Speed:
    """Time steps of each system with each loss, and extrapolate to an epoch.

    Raises:
        ValueError: no history has two events.
    """
    device, sizes = auto_device(measuring.device), measuring.sizes
    losses = {"full": 0, **({"sampled": measuring.sampled} if measuring.sampled else {})}
    found: list[SystemSpeed] = []
    devices = [torch.cuda.current_device()] if device == "cuda" else []
    with limited_threads(measuring.threads), torch.random.fork_rng(devices=devices):
        for loss, sampled in losses.items():
            torch.manual_seed(measuring.seed)
            progress(f"{loss} softmax: windows", 0.0)
            drills = [
                ours(corpus, sizes, sampled=sampled, device=device, seed=measuring.seed),
                baseline(
                    SASREC, corpus, sizes, sampled=sampled, device=device, seed=measuring.seed
                ),
                baseline(
                    GRU4REC, corpus, sizes, sampled=sampled, device=device, seed=measuring.seed
                ),
            ]
            found += _speeds(loss, drills, measuring, device, progress)
    return Speed(
        device=torch.cuda.get_device_name() if device == "cuda" else device,
        precision="bfloat16" if device == "cuda" else "float32",
        torch=str(torch.__version__),
        threads=measuring.threads,
        histories=len(corpus.sequences),
        items=corpus.items,
        events=sum(map(len, corpus.sequences)),
        targets=sum(max(0, len(one) - 1) for one in corpus.sequences),
        length=sizes.length,
        width=sizes.width,
        layers=sizes.layers,
        batch=sizes.batch,
        sampled=measuring.sampled,
        steps=measuring.steps,
        rounds=measuring.rounds,
        systems=tuple(found),
    )


def _speeds(
    loss: str, drills: Sequence[Drill], measuring: Measuring, device: str, progress: Progress
) -> Iterator[SystemSpeed]:
    for drill in drills:
        progress(f"{loss} softmax: {drill.name} warms up", 0.0)
        _block(drill, measuring.warmup, device)
    taken: dict[str, list[Taken]] = {drill.name: [] for drill in drills}
    for nth in range(measuring.rounds):
        for place, drill in enumerate(drills):
            share = (nth * len(drills) + place) / (measuring.rounds * len(drills))
            progress(f"{loss} softmax: {drill.name}", share)
            taken[drill.name].append(_block(drill, measuring.steps, device))
    epochs = {drill.name: _epoch(drill, taken[drill.name]) for drill in drills}
    sasrec = epochs[SASREC]
    for drill in drills:
        own = epochs[drill.name]
        yield SystemSpeed(
            system=drill.name,
            loss=loss,
            seconds_per_epoch=round(own.wall, 4),
            ratio_to_sasrec=round(own.wall / sasrec.wall, 4),
            cpu_seconds_per_epoch=round(own.cpu, 4),
            cpu_ratio_to_sasrec=round(own.cpu / sasrec.cpu, 4),
            real_share=round(drill.real_share, 4),
            steps_per_epoch=round(drill.steps_per_epoch, 2),
            targets_per_step=round(drill.targets_per_step, 1),
            prepare_seconds=round(drill.prepare.wall, 4),
            step_seconds=tuple(round(one.wall, 6) for one in taken[drill.name]),
        )


def _epoch(drill: Drill, taken: Sequence[Taken]) -> Taken:
    return Taken(
        median(one.wall for one in taken) * drill.steps_per_epoch + drill.prepare.wall,
        median(one.cpu for one in taken) * drill.steps_per_epoch + drill.prepare.cpu,
    )


def _block(drill: Drill, steps: int, device: str) -> Taken:
    """What a step takes: the mean over a block."""
    _settle(device)
    begun = Taken.now()
    for _ in range(steps):
        drill.step()
    _settle(device)
    taken = begun.since()
    return Taken(taken.wall / max(1, steps), taken.cpu / max(1, steps))


def _settle(device: str) -> None:
    """A GPU works on after the call has returned."""
    if device == "cuda":
        torch.cuda.synchronize()


@contextmanager
def limited_threads(number: int) -> Iterator[None]:
    """So many threads for torch, and then as before."""
    before = torch.get_num_threads()
    torch.set_num_threads(number)
    try:
        yield
    finally:
        torch.set_num_threads(before)
