"""Commands about what a site holds: `import`, `archive`, `recommend`, `understand`."""

from pathlib import Path
from typing import Annotated

import typer

from clickwise.cli.options import Home, Json, Url, settings_from

_FORMATS = "auto, jsonl, csv, parquet, movielens, deskdrop, mind or recbole."


def import_(
    path: Annotated[Path, typer.Argument(help="A file, a known data set's folder, or ml-100k.")],
    layout: Annotated[
        str,
        typer.Option("--format", help=_FORMATS),
    ] = "auto",
    url: Annotated[str, typer.Option(help="Send to a server at this address.")] = "",
    holds: Annotated[
        str, typer.Option("--as", help="items or events, where columns do not tell.")
    ] = "",
    kind: Annotated[str, typer.Option(help="Kind of items in a table that has no kind.")] = "",
    event_type: Annotated[
        str, typer.Option("--type", help="Type of events in a table that has no type.")
    ] = "",
    mapping: Annotated[
        list[str] | None, typer.Option("--map", help="OURS=THEIRS, a column's other name.")
    ] = None,
    time: Annotated[
        str, typer.Option(help="keep, or shift-to-now: the last event happens now.")
    ] = "keep",
    limit: Annotated[int, typer.Option(min=0, help="At most so many items and events.")] = 0,
    refused: Annotated[Path, typer.Option(help="Where refused rows go.")] = Path(
        "clickwise-refused.jsonl"
    ),
    json: Json = False,
    home: Home = None,
) -> int:
    """Import items and events, in order of time; 1 if any was refused."""
    from clickwise.cli.importing import ImportOptions
    from clickwise.cli.importing import import_path as run

    return run(
        settings_from(home=home),
        ImportOptions(
            path=path, layout=layout, url=url, holds=holds, kind=kind, event_type=event_type,
            mapping=tuple(mapping or ()), time=time, limit=limit, refused=refused, json=json,
        ),
    )  # fmt: skip


def archive(
    once: Annotated[bool, typer.Option("--once", help="Only what is there now.")] = False,
    every: Annotated[
        float | None,
        typer.Option(
            min=0.05,
            help="Seconds between runs.",
            show_default="CLICKWISE_ARCHIVE_INTERVAL_SECONDS",
        ),
    ] = None,
    json: Json = False,
    home: Home = None,
) -> int:
    """Archive events, exposures and items as Parquet, for training; until it is stopped."""
    from clickwise.cli.archiving import archive_loop, archive_once

    settings = settings_from(home=home)
    if once:
        if every is not None:
            raise typer.BadParameter("--once and --every exclude each other")
        return archive_once(settings, json=json)
    seconds = settings.archive_interval_seconds if every is None else every
    return archive_loop(settings, every_seconds=seconds, json=json)


def recommend(
    user: Annotated[str, typer.Argument(help="Id of the user.")],
    limit: Annotated[int, typer.Option(min=1, max=100)] = 10,
    explain: Annotated[bool, typer.Option("--explain", help="Also what was left out.")] = False,
    json: Json = False,
    url: Url = "",
    home: Home = None,
) -> int:
    """Show a user's list, and why each item is in it."""
    from clickwise.cli.recommending import recommend as run

    return run(settings_from(home=home), user, limit=limit, explain=explain, json=json, url=url)


def understand(
    path: Annotated[Path, typer.Argument(help="A file of items, or a known data set's folder.")],
    layout: Annotated[
        str,
        typer.Option("--format", help=_FORMATS),
    ] = "auto",
    texts: Annotated[bool, typer.Option("--texts", help="Only items with a body.")] = False,
    limit: Annotated[int, typer.Option(min=0, help="Stop after so many. 0: all.")] = 0,
    json: Json = False,
    home: Home = None,
) -> int:
    """Show what is understood of items in a file: to try a taxonomy, say. Stores nothing of them.

    The text encoder is that of the home, which keeps it; without a home it is made for this once.
    """
    from clickwise.cli.understanding import UnderstandOptions
    from clickwise.cli.understanding import understand as run

    options = UnderstandOptions(path=path, layout=layout, texts=texts, limit=limit, json=json)
    return run(settings_from(home=home), options)
