"""`clickwise bench`: the command line of the measurements.

Each prints a table and bars, and writes its figures as JSON when `--json` names a file. It ends
with 1 when anything that it asked for failed: figures of wrong answers are worth nothing.
"""

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from clickwise.bench.loads import LoadFailedError
from clickwise.bench.report import write_json
from clickwise.cli.exits import Exit, complain

app = typer.Typer(no_args_is_help=True, help="Measure this machine.", rich_markup_mode=None)

Json = Annotated[Path | None, typer.Option("--json", help="Write the figures to this file.")]
Numbers = Annotated[str, typer.Option(help="Whole numbers, separated by commas.")]


@app.callback()
def main() -> None:
    """Measure this machine. Each measurement cleans up what it started."""


def numbers(text: str) -> list[int]:
    """`1,8,32` as a list of numbers from 1.

    Raises:
        BadParameter: something else.
    """
    parts = [part.strip() for part in text.split(",")]
    if not all(part.isdecimal() and int(part) > 0 for part in parts):
        raise typer.BadParameter(f"expected whole numbers from 1 such as 1,8,32, got {text!r}")
    return [int(part) for part in parts]


@app.command()
def serve(
    items: Annotated[int, typer.Option(min=300, help="Items of the made-up site.")] = 100_000,
    clients: Numbers = "1,8,32",
    workers: Numbers = "1,2",
    users: Annotated[int, typer.Option(min=1, help="Users with 200 events each.")] = 2_000,
    seconds: Annotated[float, typer.Option(min=0.1, help="Of each run, after a warm-up.")] = 10.0,
    dimension: Annotated[int, typer.Option(min=8, max=4_096, help="Of the vectors.")] = 384,
    site: Annotated[Path | None, typer.Option(help="Keep the site here, and use it again.")] = None,
    json: Json = None,
) -> int:
    """Recommendations a second and their latency, against the bare engine."""
    from clickwise.bench.serve import EVENTS_PER_USER, bench_serve, draw_serve
    from clickwise.bench.site import Shape

    console = Console(stderr=True, highlight=False)
    shape = Shape(
        items=items, users=users, events_per_user=EVENTS_PER_USER, dimension=dimension
    )
    try:
        report = bench_serve(
            shape, clients=numbers(clients), workers=numbers(workers), seconds=seconds,
            site=site, console=console,
        )  # fmt: skip
    except LoadFailedError as error:
        complain(str(error))
        return Exit.FAILED
    draw_serve(report, Console(highlight=False))
    if json is not None:
        write_json(json, report)
    return Exit.DONE
