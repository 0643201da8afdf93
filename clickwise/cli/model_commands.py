"""The commands `clickwise models ...`."""

from typing import Annotated

import typer

from clickwise.cli.options import Home, Json, settings_from

models = typer.Typer(no_args_is_help=True, help="The models: which are in use, and since when.")

Model = Annotated[str, typer.Argument(help="A number, a version, or an alias such as live.")]
Bundle = Annotated[str, typer.Argument(help="Folder of a bundle, or a version in this home.")]
BundleUrl = Annotated[
    str, typer.Option("--url", help="Where other machines find it; it is copied there.")
]
BundleEncoder = Annotated[
    str, typer.Option("--encoder", help="Text encoder that it was made for, where it is another.")
]
Share = Annotated[float, typer.Option(help="Above 0, at most 1.")]


@models.command("list")
def models_list(json: Json = False, home: Home = None) -> int:
    """List the models that were trained, newest first."""
    from clickwise.cli.registry import list_models

    return list_models(settings_from(home=home), json=json)


@models.command("show")
def models_show(model: Model, json: Json = False, home: Home = None) -> int:
    """Show a model's card; as JSON also its parameters and figures."""
    from clickwise.cli.registry import show_model

    return show_model(settings_from(home=home), model, json=json)


@models.command("diff")
def models_diff(first: Model, second: Model, json: Json = False, home: Home = None) -> int:
    """Show the parameters and figures in which two models differ."""
    from clickwise.cli.registry import diff_models

    return diff_models(settings_from(home=home), first, second, json=json)


@models.command("promote")
def models_promote(
    bundle: Bundle,
    url: BundleUrl = "",
    encoder: BundleEncoder = "",
    json: Json = False,
    home: Home = None,
) -> int:
    """Make a bundle the live model, while everything runs."""
    from clickwise.cli.models import promote

    return promote(settings_from(home=home), bundle, url=url, encoder=encoder, json=json)


@models.command("rollback")
def models_rollback(json: Json = False, home: Home = None) -> int:
    """Make the previous model live again."""
    from clickwise.cli.models import rollback

    return rollback(settings_from(home=home), json=json)


@models.command("canary")
def models_canary(
    bundle: Bundle,
    share: Share = 0.1,
    url: BundleUrl = "",
    encoder: BundleEncoder = "",
    json: Json = False,
    home: Home = None,
) -> int:
    """Give a bundle to a share of users, always the same ones."""
    from clickwise.cli.models import try_on

    return try_on(
        settings_from(home=home), "canary", bundle, share=share, url=url, encoder=encoder,
        json=json,
    )  # fmt: skip


@models.command("shadow")
def models_shadow(
    bundle: Bundle,
    share: Share = 0.1,
    url: BundleUrl = "",
    encoder: BundleEncoder = "",
    json: Json = False,
    home: Home = None,
) -> int:
    """Ask a bundle beside the live model on a share of requests, and compare; nobody sees it."""
    from clickwise.cli.models import try_on

    return try_on(
        settings_from(home=home), "shadow", bundle, share=share, url=url, encoder=encoder,
        json=json,
    )  # fmt: skip


@models.command("withdraw")
def models_withdraw(home: Home = None) -> int:
    """End every trial, and forget a candidate that did not go live."""
    from clickwise.cli.models import withdraw

    return withdraw(settings_from(home=home))


@models.command("status")
def models_status(json: Json = False, home: Home = None) -> int:
    """Show which models are in use, and how far what follows from it has come."""
    from clickwise.cli.models import status

    return status(settings_from(home=home), json=json)


@models.command("prune")
def models_prune(
    keep: Annotated[
        int, typer.Option(min=0, help="So many of the newest stay, beside those in use.")
    ] = 5,
    json: Json = False,
    home: Home = None,
) -> int:
    """Remove old bundles from the home, and the index of their vectors."""
    from clickwise.cli.models import prune

    return prune(settings_from(home=home), keep=keep, json=json)
