"""Commands about one person: `forget`, `export`, `merge`."""

from pathlib import Path
from typing import Annotated

import typer

from clickwise.cli.options import Home, Json, settings_from


def forget(
    user: Annotated[str, typer.Argument(help="Id of the user.")] = "",
    receipt: Annotated[Path | None, typer.Option(help="Write the receipt to this file.")] = None,
    verify: Annotated[
        Path | None, typer.Option(help="Search again for whom this receipt is about.")
    ] = None,
    again: Annotated[
        Path | None,
        typer.Option(help="Erase once more whom this receipt, or a folder of them, is about."),
    ] = None,
    json: Json = False,
    home: Home = None,
) -> int:
    """Erase a user from every store, and give a receipt; or verify one: 1 if anything is found."""
    from clickwise.cli import people

    settings = settings_from(home=home)
    if again is not None:
        if user or receipt is not None or verify is not None:
            raise typer.BadParameter("--again takes receipts, and nothing else")
        return people.again(settings, people.receipts_in(again), json=json)
    if verify is not None:
        if user or receipt is not None:
            raise typer.BadParameter("--verify takes a receipt, and no user")
        return people.verify(settings, verify, json=json)
    if not user:
        raise typer.BadParameter("give the id of a user, or --verify or --again RECEIPT")
    return people.forget(settings, user, receipt=receipt, json=json)


def export(
    user: Annotated[str, typer.Argument(help="Id of the user.")],
    home: Home = None,
) -> int:
    """Print everything that is known of a user, as JSON lines; the first says what they are."""
    from clickwise.cli.people import export as run

    return run(settings_from(home=home), user)


def merge(
    guest: Annotated[str, typer.Argument(help="Id that the guest's events were sent under.")],
    user: Annotated[str, typer.Argument(help="Id of the user that the guest turned out to be.")],
    json: Json = False,
    home: Home = None,
) -> int:
    """Make what a guest did, and does later, the user's."""
    from clickwise.cli.merging import merge as run

    return run(settings_from(home=home), guest, user, json=json)
