"""Commands that look and measure: `check`, `version`, `bench`, `evaluate`."""

from pathlib import Path
from typing import Annotated

import typer

from clickwise.cli.options import Home, Host, Json, Port, settings_from


def check(
    deep: Annotated[
        bool, typer.Option("--deep", help="Read every row and file, too; changes nothing.")
    ] = False,
    json: Json = False,
    home: Home = None,
    host: Host = None,
    port: Port = None,
) -> int:
    """Look at settings, machine and services, and say what to do."""
    from clickwise.cli import checking

    look = checking.check_deep if deep else checking.check
    return look({"home": home, "host": host, "port": port}, json=json)


def version(json: Json = False) -> None:
    """Show the versions of Clickwise and of what it stands on."""
    from clickwise.cli.versions import show_versions

    show_versions(json=json)


def bench(context: typer.Context) -> int:
    """Measure this machine: serve, freshness, ingest, scale, swap, train."""
    from clickwise.cli.benching import bench as run

    return run(context.args)


def evaluate(
    dataset: Annotated[
        str, typer.Argument(help="ml-100k, ml-1m, deskdrop, serenade, or a path to import.")
    ],
    protocol: Annotated[
        str, typer.Option(help="leave-one-out, forward, lived, deskdrop, sessions or attacks.")
    ] = "",
    systems: Annotated[str, typer.Option(help="Names with commas between; all if none.")] = "",
    json: Annotated[Path | None, typer.Option(help="Write the figures to this file.")] = None,
    html: Annotated[Path | None, typer.Option(help="Write a page to this file.")] = None,
    png: Annotated[Path | None, typer.Option(help="Write the plots to this folder.")] = None,
    seed: Annotated[int, typer.Option(min=0, help="Equal seeds give equal figures.")] = 1,
    trials: Annotated[
        int, typer.Option(min=1, help="Configurations tried for each system; 1: the defaults.")
    ] = 1,
    data: Annotated[Path | None, typer.Option(help="Folder that has the data set.")] = None,
    quick: Annotated[bool, typer.Option("--quick", help="Two epochs, wider intervals.")] = False,
    home: Home = None,
) -> int:
    """Compare systems on a data set: figures with intervals, tests, slices, plots."""
    from clickwise.cli.evaluating import EvaluateOptions
    from clickwise.cli.evaluating import evaluate as run

    return run(
        settings_from(home=home),
        EvaluateOptions(
            dataset=dataset, protocol=protocol, systems=systems, json=json, html=html, png=png,
            seed=seed, trials=trials, data=data, quick=quick,
        ),
    )  # fmt: skip
