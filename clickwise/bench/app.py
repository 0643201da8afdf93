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

    shape = Shape(
        items=items, users=users, events_per_user=EVENTS_PER_USER, dimension=dimension
    )
    try:
        report = bench_serve(
            shape, clients=numbers(clients), workers=numbers(workers), seconds=seconds,
            site=site, console=_progress_console(),
        )  # fmt: skip
    except LoadFailedError as error:
        complain(str(error))
        return Exit.FAILED
    draw_serve(report, _console())
    if json is not None:
        write_json(json, report)
    return Exit.DONE


@app.command()
def freshness(
    events: Annotated[int, typer.Option(min=1, help="Events, one after the other.")] = 500,
    items: Annotated[int, typer.Option(min=300, help="Items of the made-up site.")] = 10_000,
    users: Annotated[int, typer.Option(min=1, help="Users with 200 events each.")] = 200,
    dimension: Annotated[int, typer.Option(min=8, max=4_096, help="Of the vectors.")] = 384,
    kafka: Annotated[bool, typer.Option(help="Also with a real Kafka and PostgreSQL.")] = True,
    json: Json = None,
) -> int:
    """Seconds from an event to the first answer that rests on it."""
    from clickwise.bench.freshness import bench_freshness, draw_freshness
    from clickwise.bench.site import Shape

    shape = Shape(items=items, users=users, events_per_user=200, dimension=dimension)
    report = bench_freshness(shape, events=events, kafka=kafka, console=_progress_console())
    draw_freshness(report, _console())
    if json is not None:
        write_json(json, report)
    return Exit.DONE


@app.command()
def ingest(
    events: Annotated[int, typer.Option(min=1_000, help="Events of each measurement.")] = 60_000,
    users: Annotated[int, typer.Option(min=1, help="Users that they are of.")] = 3_000,
    burst: Annotated[int, typer.Option(min=100, help="New items in the burst.")] = 20_000,
    real_encoder_burst: Annotated[
        int, typer.Option(min=0, help="New items with the default model; 0: leave it out.")
    ] = 1_000,
    kafka: Annotated[bool, typer.Option(help="Also with a real Kafka and PostgreSQL.")] = True,
    json: Json = None,
) -> int:
    """Events a second, embedded and from Kafka; lists during a burst of new items."""
    from clickwise.bench.ingest import bench_ingest, draw_ingest

    try:
        report = bench_ingest(
            events=events, users=users, burst_items=burst,
            real_encoder_items=real_encoder_burst, kafka=kafka, console=_progress_console(),
        )  # fmt: skip
    except LoadFailedError as error:
        complain(str(error))
        return Exit.FAILED
    draw_ingest(report, _console())
    if json is not None:
        write_json(json, report)
    return Exit.DONE


def _console() -> Console:
    return Console(highlight=False)


def _progress_console() -> Console:
    return Console(stderr=True, highlight=False)
