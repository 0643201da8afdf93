"""`clickwise bench`: the command line of the measurements.

Each prints a table and bars, and writes its figures as JSON when `--json` names a file. It ends
with 1 when anything that it asked for failed: figures of wrong answers are worth nothing.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Literal, TypeVar

import msgspec
import typer
from rich.console import Console

from clickwise import installing, logs
from clickwise.bench.report import check_writable, write_json
from clickwise.cli.exits import Exit, complain
from clickwise.cli.stopping import signals_unwind

app = typer.Typer(no_args_is_help=True, help="Measure this machine.", rich_markup_mode=None)

T = TypeVar("T", bound=msgspec.Struct)
Json = Annotated[Path | None, typer.Option("--json", help="Write the figures to this file.")]
Numbers = Annotated[str, typer.Option(help="Whole numbers, separated by commas.")]
Spacing = Literal["poisson", "even"]
Dimension = Annotated[int, typer.Option(min=8, max=4_096, help="Of the vectors.")]
Kafka = Annotated[bool, typer.Option(help="Also with a real Kafka and PostgreSQL.")]


@app.callback()
def main() -> None:
    """Measure this machine. Each measurement cleans up what it started."""
    logs.configure(level="warning", output="console")


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
    items: Annotated[int, typer.Option(min=1_000, help="Items of the made-up site.")] = 100_000,
    clients: Numbers = "1,8,32",
    workers: Numbers = "1,2",
    users: Annotated[int, typer.Option(min=1, help="Users with 200 events each.")] = 2_000,
    seconds: Annotated[float, typer.Option(min=0.1, help="Of each run, after a warm-up.")] = 10.0,
    dimension: Dimension = 384,
    site: Annotated[Path | None, typer.Option(help="Keep the site here, and use it again.")] = None,
    json: Json = None,
) -> int:
    """Recommendations a second and their latency, against the bare engine."""
    from clickwise.bench.serve import EVENTS_PER_USER, bench_serve, draw_serve
    from clickwise.bench.site import Shape

    shape = Shape(items=items, users=users, events_per_user=EVENTS_PER_USER, dimension=dimension)
    counts, processes = numbers(clients), numbers(workers)
    return reported(
        lambda console: bench_serve(
            shape, clients=counts, workers=processes, seconds=seconds, site=site, console=console
        ),
        draw_serve,
        json,
    )


@app.command()
def load(
    items: Annotated[int, typer.Option(min=1_000, help="Items of the made-up site.")] = 20_000,
    users: Annotated[int, typer.Option(min=1, help="Users with 200 events each.")] = 500,
    workers: Annotated[int, typer.Option(min=1, help="Of the server.")] = 1,
    spacing: Annotated[Spacing, typer.Option(help="Of the requests.")] = "poisson",
    light: Annotated[float, typer.Option(min=1, help="Requests a second of a light load.")] = 50.0,
    times: Annotated[
        float, typer.Option(min=1, help="A rate holds up to this many times p99 at light load.")
    ] = 5.0,
    seconds: Annotated[float, typer.Option(min=0.2, help="Of each step.")] = 10.0,
    run_seconds: Annotated[
        float, typer.Option(min=0.2, help="At the knee, and at twice the knee.")
    ] = 30.0,
    dimension: Dimension = 384,
    json: Json = None,
) -> int:
    """The knee in requests a second, and who is refused at twice the knee, how fast."""
    from clickwise.bench.overload import bench_load, draw_load
    from clickwise.bench.site import Shape

    shape = Shape(items=items, users=users, events_per_user=200, dimension=dimension)
    return reported(
        lambda console: bench_load(
            shape, workers=workers, spacing=spacing, light=light, times=times, seconds=seconds,
            run_seconds=run_seconds, console=console,
        ),
        draw_load,
        json,
    )  # fmt: skip


@app.command()
def freshness(
    events: Annotated[int, typer.Option(min=1, help="Events, one after the other.")] = 500,
    items: Annotated[int, typer.Option(min=1_000, help="Items of the made-up site.")] = 10_000,
    users: Annotated[int, typer.Option(min=1, help="Users with 200 events each.")] = 200,
    dimension: Dimension = 384,
    kafka: Kafka = True,
    json: Json = None,
) -> int:
    """Seconds from an event to the first answer that rests on it."""
    from clickwise.bench.freshness import bench_freshness, draw_freshness
    from clickwise.bench.site import Shape

    shape = Shape(items=items, users=users, events_per_user=200, dimension=dimension)
    return reported(
        lambda console: bench_freshness(shape, events=events, kafka=kafka, console=console),
        draw_freshness,
        json,
    )


@app.command()
def ingest(
    events: Annotated[int, typer.Option(min=1_000, help="Events of each measurement.")] = 60_000,
    users: Annotated[int, typer.Option(min=1, help="Users that they are of.")] = 3_000,
    items: Annotated[int, typer.Option(min=1_000, help="Items before the burst.")] = 20_000,
    burst: Annotated[int, typer.Option(min=100, help="New items in the burst.")] = 20_000,
    real_encoder_burst: Annotated[
        int, typer.Option(min=0, help="New items with the default model; 0: leave it out.")
    ] = 1_000,
    kafka: Kafka = True,
    json: Json = None,
) -> int:
    """Events a second, embedded and from Kafka; lists during a burst of new items."""
    from clickwise.bench.ingest import bench_ingest, draw_ingest

    return reported(
        lambda console: bench_ingest(
            events=events,
            users=users,
            items=items,
            burst_items=burst,
            real_encoder_items=real_encoder_burst,
            kafka=kafka,
            console=console,
        ),
        draw_ingest,
        json,
    )


@app.command()
def elastic(
    workers: Numbers = "1,2,4,2,1",
    users: Annotated[int, typer.Option(min=1, help="Users that the events are of.")] = 3_000,
    backlog: Annotated[int, typer.Option(min=1_000, help="Events that wait.")] = 20_000,
    seconds: Annotated[float, typer.Option(min=0.2, help="With each number of workers.")] = 15.0,
    json: Json = None,
) -> int:
    """Stream workers join and leave under load: events a second, and the time without any."""
    from clickwise.bench.elastic import bench_elastic, draw_elastic

    counts = numbers(workers)
    return reported(
        lambda console: bench_elastic(
            counts, users=users, backlog=backlog, seconds=seconds, console=console
        ),
        draw_elastic,
        json,
    )


@app.command()
def scale(
    items: Numbers = "1000,10000,100000,1000000",
    users: Numbers = "1000,10000,100000,1000000",
    histories: Numbers = "200,1000,5000,20000",
    json: Json = None,
) -> int:
    """Recommendation time and memory as items, users and histories grow."""
    from clickwise.bench.scale import bench_scale, draw_scale

    sizes = numbers(items), numbers(users), numbers(histories)
    return reported(
        lambda console: bench_scale(
            items=sizes[0], users=sizes[1], histories=sizes[2], console=console
        ),
        draw_scale,
        json,
    )


@app.command()
def swap(
    swaps: Annotated[int, typer.Option(min=1, help="Promotions, each with its rollback.")] = 100,
    items: Annotated[int, typer.Option(min=1_000, help="Items of the made-up site.")] = 5_000,
    users: Annotated[int, typer.Option(min=2, help="Users with 50 events each.")] = 400,
    requests: Annotated[float, typer.Option(min=1, help="Lists a second.")] = 100.0,
    events: Annotated[float, typer.Option(min=1, help="Events a second.")] = 200.0,
    dimension: Annotated[int, typer.Option(min=8, max=4_096, help="Of text vectors.")] = 128,
    dimensions: Annotated[str, typer.Option(help="Of the two kinds of model.")] = "64,96",
    json: Json = None,
) -> int:
    """Models promoted and rolled back under load: failures, mixing, losses, memory, latency."""
    from clickwise.bench.site import Shape
    from clickwise.bench.swap import bench_swap, draw_swap

    shape = Shape(items=items, users=users, events_per_user=50, dimension=dimension)
    pair = numbers(dimensions)
    if len(pair) != 2:
        raise typer.BadParameter(f"expected two numbers such as 64,96, got {dimensions!r}")
    return reported(
        lambda console: bench_swap(
            shape, rounds=swaps, requests=requests, events=events,
            dimensions=(pair[0], pair[1]), console=console,
        ),
        draw_swap,
        json,
    )  # fmt: skip


@app.command()
def texts(
    events: Annotated[int, typer.Option(min=100, help="Ratings before writing.")] = 10_000,
    lists: Annotated[int, typer.Option(min=1, help="Ratings after it, each with a list.")] = 500,
    seconds: Annotated[float, typer.Option(min=1, help="The embedded model writes.")] = 180.0,
    rounds: Annotated[
        int, typer.Option(min=0, help="With the model well and hung, in turns; 0: leave it out.")
    ] = 3,
    prompt_price: Annotated[float, typer.Option(min=0, help="Of a million prompt tokens.")] = 0.15,
    completion_price: Annotated[
        float, typer.Option(min=0, help="Of a million completion tokens.")
    ] = 0.60,
    json: Json = None,
) -> int:
    """Texts a minute and their cost, with the embedded model; lists while a model hangs."""
    from clickwise.bench.texts import Price, bench_texts, draw_texts

    price = Price(prompt=prompt_price, completion=completion_price)
    return reported(
        lambda console: bench_texts(
            events=events, lists=lists, seconds=seconds, rounds=rounds, price=price,
            console=console,
        ),
        draw_texts,
        json,
    )  # fmt: skip


def reported(
    measure: Callable[[Console], T], draw: Callable[[T, Console], None], json: Path | None
) -> int:
    """Measure, show, write; a measurement that failed is told in one line."""
    if json is not None:
        check_writable(json)
    try:
        with signals_unwind():  # children are stopped on the way out
            report = measure(Console(stderr=True, highlight=False))
    except ModuleNotFoundError as error:
        complain(f"{error}; say --no-kafka where it is known, or {installing.with_extra('kafka')}")
        return Exit.USAGE
    except (RuntimeError, TimeoutError) as error:
        complain(str(error))
        return Exit.FAILED
    draw(report, Console(highlight=False))
    if json is not None:
        write_json(json, report)
    return Exit.DONE
