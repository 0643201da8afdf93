"""The commands `clickwise train ...`."""

from pathlib import Path
from typing import Annotated, Literal

import typer

from clickwise.cli.options import Home, settings_from

train = typer.Typer(no_args_is_help=True, help="Training: from the log to a better model.")

Seed = Annotated[int, typer.Option(min=0, help="Equal seeds give equal models.")]
Archived = Annotated[
    str, typer.Option("--from", help="Folder or URL of an archive; this site's if none is given.")
]
NoPromote = Annotated[
    bool, typer.Option("--no-promote", help="Judge and register, but leave what is live.")
]
Boards = Annotated[Path | None, typer.Option(help="Write curves for TensorBoard to this folder.")]
Processor = Annotated[Literal["auto", "cpu", "cuda"], typer.Option(help="Where to train.")]
Precision = Annotated[
    Literal["fp32", "int8", "fp16", "auto"],
    typer.Option(help="What is released; auto: int8 if it is faster and nearly as good."),
]
Epochs = Annotated[int, typer.Option(min=0, help="At most so many; 0: as many as help.")]
Size = Annotated[int, typer.Option(min=0, help="0: the default.")]


@train.command("once")
def train_once(
    archive: Archived = "",
    dataset: Annotated[
        str, typer.Option(help="A data set by name or path, instead of an archive.")
    ] = "",
    data: Annotated[Path | None, typer.Option(help="Folder that has the data set.")] = None,
    incremental: Annotated[
        bool,
        typer.Option("--incremental/--full", help="Go on from the live model with new events."),
    ] = False,
    seed: Seed = 1,
    no_promote: NoPromote = False,
    tensorboard: Boards = None,
    json: Annotated[Path | None, typer.Option(help="Write what came of it to this file.")] = None,
    device: Processor = "auto",
    precision: Precision = "fp32",
    epochs: Epochs = 0,
    dimension: Size = 0,
    width: Size = 0,
    encoder: Annotated[
        str, typer.Option(help="Another text encoder, such as a folder of `tune`; in full only.")
    ] = "",
    home: Home = None,
) -> int:
    """Train, compare with the live model on later events, and promote what is better."""
    from clickwise.cli.training import TrainCommand, once

    return once(
        settings_from(home=home),
        TrainCommand(
            dataset=dataset, data=data, archive=archive, seed=seed, promotes=not no_promote,
            kind="incremental" if incremental else "full", tensorboard=tensorboard, json=json,
            device=device, precision=precision, epochs=epochs, dimension=dimension, width=width,
            encoder=encoder,
        ),
    )  # fmt: skip


@train.command("loop")
def train_loop(
    every: Annotated[str, typer.Option(help="90s, 10m, 2h, 1d.")] = "10m",
    full_every: Annotated[str, typer.Option(help="How often from nothing.")] = "1d",
    archive: Archived = "",
    seed: Seed = 1,
    no_promote: NoPromote = False,
    device: Processor = "auto",
    precision: Precision = "fp32",
    epochs: Epochs = 0,
    home: Home = None,
) -> int:
    """Train again and again: small steps from the live model, now and then from nothing."""
    from clickwise.cli.training import TrainCommand, loop, seconds_of

    return loop(
        settings_from(home=home),
        TrainCommand(
            archive=archive, kind="auto", seed=seed, promotes=not no_promote, device=device,
            precision=precision, epochs=epochs, full_every_seconds=seconds_of(full_every),
        ),
        every_seconds=seconds_of(every),
    )  # fmt: skip


@train.command("search")
def train_search(
    trials: Annotated[int, typer.Option(min=1, help="Configurations to try.")] = 20,
    archive: Archived = "",
    dataset: Annotated[
        str, typer.Option(help="A data set by name or path, instead of an archive.")
    ] = "",
    data: Annotated[Path | None, typer.Option(help="Folder that has the data set.")] = None,
    seed: Seed = 1,
    json: Annotated[Path | None, typer.Option(help="Write all trials to this file.")] = None,
    epochs: Epochs = 0,
    device: Processor = "auto",
    home: Home = None,
) -> int:
    """Search for sizes and rates by the validation part alone; later events are not looked at."""
    from clickwise.cli.training import TrainCommand
    from clickwise.cli.training_search import search

    return search(
        settings_from(home=home),
        TrainCommand(
            archive=archive, dataset=dataset, data=data, seed=seed, json=json, epochs=epochs,
            device=device,
        ),
        trials=trials,
    )  # fmt: skip
