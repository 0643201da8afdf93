"""The commands `clickwise keys ...`."""

from typing import Annotated

import typer

from clickwise.cli.options import Home, Json, settings_from

keys = typer.Typer(no_args_is_help=True, help="API keys: who may do what over HTTP.")

KeyArgument = Annotated[str, typer.Argument(help="Id of the key, as `keys list` names it.")]


@keys.command()
def create(
    name: Annotated[str, typer.Argument(help="For people: whose it is. No secret.")],
    scope: Annotated[
        list[str],
        typer.Option("--scope", help="events, read, items, operate or admin; several times."),
    ],
    days: Annotated[
        float, typer.Option(min=0, max=36_500, help="Until it expires. 0: never.")
    ] = 365.0,
    rate: Annotated[
        float,
        typer.Option(
            min=0, max=1_000_000, help="Requests a second of each serving process. 0: as set."
        ),
    ] = 0.0,
    quota: Annotated[
        int,
        typer.Option(
            min=0, max=10**12, help="Requests a day (UTC) of all serving processes. 0: any number."
        ),
    ] = 0,
    json: Json = False,
    home: Home = None,
) -> int:
    """Make a key and print it, this once: a digest of it is all that is kept."""
    from clickwise.cli.keys import create_key

    return create_key(
        settings_from(home=home), name,
        scopes=scope, days=days, rate=rate, quota=quota, json=json,
    )  # fmt: skip


@keys.command("list")
def list_(json: Json = False, home: Home = None) -> int:
    """List keys: whose, for what, until when; also those that open nothing any more."""
    from clickwise.cli.keys import list_keys

    return list_keys(settings_from(home=home), json=json)


@keys.command()
def rotate(
    key: KeyArgument,
    grace_hours: Annotated[
        float, typer.Option(min=0, max=8_760, help="How long the old one opens beside it.")
    ] = 24.0,
    json: Json = False,
    home: Home = None,
) -> int:
    """Make another key in place of one, with its name, scopes, rate, quota and length of life."""
    from clickwise.cli.keys import rotate_key

    return rotate_key(settings_from(home=home), key, grace_hours=grace_hours, json=json)


@keys.command()
def revoke(key: KeyArgument, home: Home = None) -> int:
    """Let a key open nothing; servers know within seconds."""
    from clickwise.cli.keys import revoke_key

    return revoke_key(settings_from(home=home), key)
