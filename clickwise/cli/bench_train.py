"""`clickwise bench train`: seconds per epoch of ours, SASRec and GRU4Rec, and what they buy.

It joins the benchmarks from here, because what they all share may not know the training.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

from clickwise.bench.app import Json, app, reported
from clickwise.bench.report import bars, shown, table
from clickwise.cli.extras import train_extra

if TYPE_CHECKING:
    from training.speed import Progress as Follow
    from training.speed import SystemSpeed
    from training.speed_report import TrainReport

__all__ = ["app"]

Size = Annotated[int, typer.Option(min=1, help="The same for all.")]


@app.command()
def train(
    rounds: Annotated[int, typer.Option(min=1, help="Of which the median counts.")] = 3,
    steps: Annotated[int, typer.Option(min=1, help="Of each system in a round.")] = 10,
    threads: Annotated[int, typer.Option(min=1, help="Of the processor.")] = 1,
    length: Size = 200,
    width: Size = 64,
    layers: Size = 2,
    batch: Annotated[int, typer.Option(min=1, help="Windows; ours: rows with as much.")] = 128,
    sampled: Annotated[
        int, typer.Option(min=0, help="Items of the sampled softmax; 0: the full one alone.")
    ] = 512,
    histories: Annotated[int, typer.Option(min=1, help="Made-up ones.")] = 6_040,
    items: Annotated[int, typer.Option(min=10, help="Made-up ones.")] = 3_416,
    device: Annotated[
        Literal["auto", "cpu", "cuda"], typer.Option(help="Where to train.")
    ] = "auto",
    seed: Annotated[int, typer.Option(min=0, help="Of made-up data and of weights.")] = 1,
    data: Annotated[
        Path | None, typer.Option(help="Folder that has MovieLens-1M, in place of made-up data.")
    ] = None,
    epochs: Annotated[
        int, typer.Option(min=0, help="With --data: train so many and report NDCG@10 too.")
    ] = 0,
    json: Json = None,
) -> int:
    """Seconds per epoch at MovieLens-1M's size: ours, SASRec and GRU4Rec."""
    if epochs and data is None:
        raise typer.BadParameter("made-up data teach nothing: --epochs needs --data")
    with train_extra():
        from training.made_up import Shape
        from training.speed import Measuring
        from training.speed_report import bench_train
        from training.speed_systems import Sizes

    measuring = Measuring(
        sizes=Sizes(length=length, width=width, layers=layers, batch=batch),
        sampled=sampled, steps=steps, rounds=rounds, threads=threads, device=device, seed=seed,
    )  # fmt: skip

    def run(console: Console) -> "TrainReport":
        with _following(console) as follow:
            return bench_train(
                measuring,
                Shape(histories=histories, items=items),
                folder=data,
                epochs=epochs,
                progress=follow,
            )

    return reported(run, draw_train, json)


def draw_train(report: "TrainReport", console: Console) -> None:
    """The report for people."""
    speed = report.speed
    console.print(
        table(
            f"{report.data}: {speed.histories:,} histories, {speed.items:,} items,"
            f" {speed.events:,} events; {speed.device}, {speed.precision}, threads {speed.threads}",
            ("system, loss", "epoch", "/ SASRec", "processor", "/ SASRec", "real steps"),
            [
                (
                    _name(one),
                    shown(one.seconds_per_epoch),
                    f"{one.ratio_to_sasrec:.2f}",
                    shown(one.cpu_seconds_per_epoch),
                    f"{one.cpu_ratio_to_sasrec:.2f}",
                    f"{one.real_share:.1%}",
                )
                for one in speed.systems
            ],
        )
    )
    console.print(
        bars(
            "seconds per epoch, extrapolated",
            [
                (_name(one), one.seconds_per_epoch, shown(one.seconds_per_epoch))
                for one in speed.systems
            ],
        )
    )
    for one in report.quality:
        console.print(
            f"{one.system}: NDCG@10 {one.ndcg_at_10:.4f} after {one.epochs} epochs,"
            f" {shown(one.fit_seconds)}"
        )


def _name(one: "SystemSpeed") -> str:
    return f"{one.system}, {one.loss}"


@contextmanager
def _following(console: Console) -> "Iterator[Follow]":
    """A bar for what is being done, moved by (what, share that is done)."""
    with Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        TimeElapsedColumn(),
        console=console,
        transient=True,
        disable=not console.is_terminal,
    ) as bar:
        task = bar.add_task("starting", total=1.0)

        def follow(what: str, share: float) -> None:
            bar.update(task, description=what, completed=share)

        yield follow
