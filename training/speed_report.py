"""`clickwise bench train` as one report: the machine, the seconds, and what they buy."""

from pathlib import Path

import msgspec

from clickwise.bench.machine import Machine, machine
from training.datasets import load_dataset
from training.evaluation.leave_one_out import plan_leave_one_out
from training.made_up import Shape, sequences
from training.speed import Measuring, Progress, Speed, measure
from training.speed_quality import SystemQuality, corpus_of, qualities
from training.speed_systems import Corpus


class TrainReport(msgspec.Struct, frozen=True, kw_only=True):
    """`data` says what was read; `quality` is empty where none was asked for."""

    machine: Machine
    data: str
    seed: int
    speed: Speed
    quality: tuple[SystemQuality, ...] = ()


def bench_train(
    measuring: Measuring, shape: Shape, *, folder: Path | None, epochs: int, progress: Progress
) -> TrainReport:
    """Time on MovieLens-1M's training part in `folder`, or on made-up data of `shape`; with
    `epochs` and a folder train that long too.

    Raises:
        ConfigurationError: the folder does not have it.
    """
    facts = machine()
    if folder is None:
        progress("making data up", 0.0)
        corpus = Corpus(sequences(shape, seed=measuring.seed), shape.items)
        speed = measure(corpus, measuring, progress=progress)
        return TrainReport(machine=facts, data="made up", seed=measuring.seed, speed=speed)
    progress("reading ml-1m", 0.0)
    plan = plan_leave_one_out(load_dataset("ml-1m", folder=folder))
    return TrainReport(
        machine=facts,
        data=plan.train.name,
        seed=measuring.seed,
        speed=measure(corpus_of(plan.train), measuring, progress=progress),
        quality=qualities(
            plan,
            measuring.sizes,
            epochs=epochs,
            threads=measuring.threads,
            device=measuring.device,
            seed=measuring.seed,
            progress=progress,
        )
        if epochs
        else (),
    )
