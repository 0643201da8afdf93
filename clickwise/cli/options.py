"""Options that several commands share, and the settings that they override."""

import os
import shlex
from pathlib import Path
from typing import Annotated

import typer

from clickwise.settings import PREFIX, Settings, load
from clickwise.sites import without_share

Home = Annotated[
    Path | None,
    typer.Option(help="Folder of the site's data.", show_default="CLICKWISE_HOME or .clickwise"),
]
Port = Annotated[
    int | None,
    typer.Option(min=0, max=65_535, help="Port to listen on; 0 picks a free one."),
]
Host = Annotated[
    str | None,
    typer.Option(help="Address to listen on; beyond loopback only with API keys."),
]
Workers = Annotated[
    int | None, typer.Option(min=1, max=64, help="Serving processes, one per core.")
]
Json = Annotated[bool, typer.Option("--json", help="JSON for machines.")]
Url = Annotated[
    str, typer.Option(help="Ask a running server at this address instead of opening the data.")
]


def settings_from(
    *,
    home: Path | None = None,
    host: str | None = None,
    port: int | None = None,
    workers: int | None = None,
) -> Settings:
    """The environment's settings with the command line's on top.

    Raises:
        ConfigurationError: see `clickwise.settings.load`.
    """
    return load(
        os.environ,
        home=str(home) if home is not None else None,
        host=host,
        port=port,
        workers=workers,
    )


def with_home(command: str, settings: Settings) -> str:
    """A command to run next, on the same home: with `--home` where this one was given another than
    the environment names.
    """
    site = os.environ.get(f"{PREFIX}SITE", "").strip()
    home = without_share(settings.home, site)
    if home == (os.environ.get(f"{PREFIX}HOME", "").strip() or Settings().home):
        return command
    return f"{command} --home {shlex.quote(home)}"
