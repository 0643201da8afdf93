"""`clickwise models list|show|diff`: the models that were trained, and how they differ."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import msgspec
from rich.text import Text

from clickwise import logs
from clickwise.cli import homes, release_status
from clickwise.cli.exits import Exit
from clickwise.cli.extras import train_extra
from clickwise.cli.options import with_home
from clickwise.cli.output import console, plain, print_json, print_table
from clickwise.errors import ClickwiseError, NotFoundError
from clickwise.settings import Settings

if TYPE_CHECKING:
    from training.registry import Registry


log = logs.get(__name__)


class Shown(msgspec.Struct, frozen=True, kw_only=True):
    """A model with what its training noted."""

    number: int
    version: str
    vectors: str
    created: str
    gate: str
    quality: float | None
    precision: str
    aliases: tuple[str, ...]
    params: dict[str, str]
    figures: dict[str, float]
    card: str


class Difference(msgspec.Struct, frozen=True, kw_only=True):
    """One parameter or figure that two models do not share; None where one lacks it."""

    name: str
    first: str | float | None
    second: str | float | None


def registry_of(settings: Settings) -> "Registry":
    """Runs and models: the server that is set, or a file in the home."""
    from training.registry import Registry

    if settings.mlflow_url:
        return Registry(settings.mlflow_url, artifacts=None, name=settings.mlflow_name)
    folder = settings.folder / "mlflow"
    return Registry(
        f"sqlite:///{(folder / 'mlflow.sqlite').absolute()}",
        artifacts=folder / "artifacts",
        name=settings.mlflow_name,
    )


def _is_used(settings: Settings) -> bool:
    """Whether this site has a registry."""
    return bool(settings.mlflow_url) or (settings.folder / "mlflow" / "mlflow.sqlite").exists()


def aliased(settings: Settings) -> Mapping[str, Sequence[str]]:
    """Bundle versions that an alias of the registry names, with their aliases.

    Raises:
        UnavailableError: the registry does not answer.
    """
    if not _is_used(settings):
        return {}
    with train_extra():
        return registry_of(settings).aliased()


def follow_roles(settings: Settings) -> None:
    """Let the registry's aliases name what the database says is in use, where there is one.

    The database decides, so a registry that does not answer is said and changes nothing else.
    """
    if not _is_used(settings):
        return
    status = release_status.status(settings)
    named = {one.role: one.version for one in status.roles}
    try:
        with train_extra():
            registry_of(settings).follow(
                {role: named.get(role, "") for role in ("live", "previous", "candidate")}
            )
    except ClickwiseError as error:
        log.warning("registry_not_told", kind=error.kind, reason=str(error))


def list_models(settings: Settings, *, json: bool) -> int:
    """List the models, newest first.

    Raises:
        NotFoundError: there is no such home.
    """
    _need_registry(settings)
    with train_extra():
        models = registry_of(settings).models()
    if json:
        print_json(models)
        return Exit.DONE
    print_table(
        ("number", "version", "made", "gate", "quality", "precision", "aliases"),
        [
            (
                str(one.number),
                one.version,
                f"{one.created:%Y-%m-%d %H:%M}",
                one.gate,
                "" if one.quality is None else f"{one.quality:.4f}",
                one.precision,
                ", ".join(one.aliases),
            )
            for one in models
        ],
    )
    if not models:
        told = with_home("clickwise train once", settings)
        console().print(Text(f"no model was trained yet: {told}"), soft_wrap=True)
    return Exit.DONE


def show_model(settings: Settings, wanted: str, *, json: bool) -> int:
    """Show a model's card, or everything as JSON.

    Raises:
        NotFoundError: there is no such model.
    """
    shown = _shown(settings, wanted)
    if json:
        print_json(shown)
        return Exit.DONE
    if shown.card:
        for line in shown.card.splitlines():
            console().print(plain(line))
    else:
        print_table(("what", "value"), sorted(shown.params.items()), title=shown.version)
    return Exit.DONE


def diff_models(settings: Settings, first: str, second: str, *, json: bool) -> int:
    """Show the parameters and figures in which two models differ.

    Raises:
        NotFoundError: there is no such model.
    """
    one, other = _shown(settings, first), _shown(settings, second)
    found = [*_differences(one.params, other.params), *_differences(one.figures, other.figures)]
    if json:
        print_json(found)
        return Exit.DONE
    print_table(
        ("what", one.version, other.version),
        [(each.name, _cell(each.first), _cell(each.second)) for each in found],
    )
    if not found:
        console().print(Text("no parameter and no figure differs"))
    return Exit.DONE


def _need_registry(settings: Settings) -> None:
    if not _is_used(settings):
        homes.need_home(settings)


def _shown(settings: Settings, wanted: str) -> Shown:
    _need_registry(settings)
    with train_extra():
        from training.registry import BUNDLE, CARD

        registry = registry_of(settings)
        if not registry.models():
            raise NotFoundError(
                f"no model {wanted!r}: none was trained yet:"
                f" {with_home('clickwise train once', settings)}"
            )
        model = registry.model(wanted)
        return Shown(
            number=model.number,
            version=model.version,
            vectors=model.vectors,
            created=model.created.isoformat(),
            gate=model.gate,
            quality=model.quality,
            precision=model.precision,
            aliases=model.aliases,
            params=registry.params(model),
            figures=registry.metrics(model),
            card=registry.text(model, f"{BUNDLE}/{CARD}") or "",
        )


def _differences(
    first: Mapping[str, str | float], second: Mapping[str, str | float]
) -> list[Difference]:
    return [
        Difference(name=name, first=first.get(name), second=second.get(name))
        for name in sorted(first.keys() | second.keys())
        if first.get(name) != second.get(name)
    ]


def _cell(value: str | float | None) -> str:
    if value is None:
        return "-"
    return value if isinstance(value, str) else f"{value:.6g}"
