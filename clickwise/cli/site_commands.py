"""Commands that run a site and keep it: `up`, `serve`, `stream`, `backup` and so on."""

from pathlib import Path
from typing import Annotated

import typer

from clickwise.cli.options import Home, Host, Json, Port, Workers, settings_from


def up(home: Home = None, host: Host = None, port: Port = None, workers: Workers = None) -> int:
    """Run everything in one process group and one folder, with no other services."""
    from clickwise.cli.starting import say_first_start

    settings = settings_from(home=home, host=host, port=port, workers=workers)
    say_first_start(settings, settings.folder)  # before imports that take a second
    from clickwise.cli.up import up as run

    return run(settings)


def serve(home: Home = None, host: Host = None, port: Port = None, workers: Workers = None) -> int:
    """Run the HTTP interface over Kafka and a shared database."""
    from clickwise.cli.starting import say_first_start

    settings = settings_from(home=home, host=host, port=port, workers=workers)
    say_first_start(settings, settings.folder)  # before imports that take a second
    from clickwise.cli.up import serve as run

    return run(settings)


def stream(home: Home = None) -> int:
    """Run a stream worker: Kafka's events and items into profiles, index and lists."""
    from clickwise.cli.stream import stream as run

    return run(settings_from(home=home))


def migrate(
    back_to: Annotated[
        str,
        typer.Option(
            help="An older schema (0005, say), for the older version that is started next."
        ),
    ] = "",
    home: Home = None,
) -> int:
    """Bring the database's tables to this version; every process does so when it starts, too."""
    from clickwise.cli import migrating

    settings = settings_from(home=home)
    if back_to:
        return migrating.migrate_back(settings, back_to)
    return migrating.migrate(settings)


def backup(
    path: Annotated[Path, typer.Argument(help="Folder to make, or an empty one.")],
    json: Json = False,
    home: Home = None,
) -> int:
    """Copy an embedded site while it runs: state, log, archive, models; checked when restored."""
    from clickwise.cli.backing_up import backup as run

    return run(settings_from(home=home), path, json=json)


def restore(
    path: Annotated[Path, typer.Argument(help="A folder that `clickwise backup` made.")],
    receipts: Annotated[
        Path | None,
        typer.Option(help="Receipts of people who were forgotten since: a file, or a folder."),
    ] = None,
    json: Json = False,
    home: Home = None,
) -> int:
    """Make a site of a backup, in a home that is empty; people who were forgotten stay so."""
    from clickwise.cli.restoring import restore as run

    return run(settings_from(home=home), path, receipts=receipts, json=json)


def demo(
    once: Annotated[bool, typer.Option("--once", help="Exit when all is lived.")] = False,
    json: Annotated[Path | None, typer.Option(help="Write the figures to this file.")] = None,
    port: Port = None,
    home: Annotated[Path | None, typer.Option(help="Folder, made anew each time.")] = None,
    people: Annotated[int, typer.Option(min=0, max=20, help="People to watch closely.")] = 3,
    lanes: Annotated[int, typer.Option(min=1, max=32, help="Requests at once.")] = 2,
    events: Annotated[int, typer.Option(min=0, hidden=True, help="Live only so many.")] = 0,
    history: Annotated[int, typer.Option(min=0, hidden=True, help="And so many before.")] = 0,
) -> int:
    """Live MovieLens-100k through the HTTP interface and watch lists change."""
    from clickwise.cli.starting import say_first_start

    settings = settings_from()
    say_first_start(settings, home if home is not None else settings.folder / "demo")
    from clickwise.cli.demo import DemoOptions
    from clickwise.cli.demo import demo as run

    return run(
        DemoOptions(
            once=once, json=json, port=port, home=home, people=people, lanes=lanes,
            events=events, history=history,
        )
    )  # fmt: skip
