"""Settings from the environment, and the environment that gives them to a child process."""

import difflib
from collections.abc import Mapping
from typing import Any

import msgspec

from clickwise.errors import ConfigurationError
from clickwise.secret import Secret
from clickwise.settings.checks import check
from clickwise.settings.whole import Settings
from clickwise.sites import share_of

PREFIX = "CLICKWISE_"
# Read by the test suite and the release tooling, not by the program.
FOREIGN = ("CLICKWISE_TEST_", "CLICKWISE_REQUIRE_SERVICES")


def load(environment: Mapping[str, str], **overrides: object) -> Settings:
    """Settings from `CLICKWISE_...` variables, then from `overrides` that are not None.

    Raises:
        ConfigurationError: unknown name (with a suggestion), wrong type, out of bounds, or a
            combination that cannot work.

    White space around a text goes: a file that gives a variable ends with a line break, and a
    pattern's `$` would let it through. Where `site` is set it is resolved: see `clickwise.sites`.
    """
    names = Settings.__struct_fields__
    raw: dict[str, Any] = {}
    for variable, text in environment.items():
        if not variable.startswith(PREFIX) or variable.startswith(FOREIGN):
            continue
        name = variable.removeprefix(PREFIX).lower()
        if name not in names:
            raise ConfigurationError(f"unknown setting {variable}{_suggestion(name, names)}")
        raw[name] = text
    raw.update({name: value for name, value in overrides.items() if value is not None})
    raw = {key: value.strip() if isinstance(value, str) else value for key, value in raw.items()}
    try:
        settings = msgspec.convert(raw, Settings, strict=False, dec_hook=_decode_secret)
    except msgspec.ValidationError as error:
        raise ConfigurationError(_explained(str(error))) from error
    check(settings)
    return share_of(settings)


def environment_of(settings: Settings) -> dict[str, str]:
    """The `CLICKWISE_...` variables that give these settings to a child process."""
    variables = {}
    for field in msgspec.structs.fields(Settings):
        value = getattr(settings, field.name)
        if value == field.default:
            continue
        text = value.reveal() if isinstance(value, Secret) else str(value)
        variables[PREFIX + field.name.upper()] = text
    return variables


def _suggestion(name: str, names: tuple[str, ...]) -> str:
    close = difflib.get_close_matches(name, names, n=1, cutoff=0.6)
    return f"; did you mean {PREFIX}{close[0].upper()}?" if close else ""


# Where msgspec would show a pattern that says less than words.
_WORDS = {"site": "expected a letter, then letters, digits and hyphens, all lower case, up to 30"}


def _explained(message: str) -> str:
    for name in Settings.__struct_fields__:
        at = f" - at `$.{name}`"
        if message.endswith(at):
            said = _WORDS.get(name, message.removesuffix(at))
            return f"{PREFIX}{name.upper()}: {said}"
    return message


def _decode_secret(kind: type, value: object) -> object:
    if kind is Secret and isinstance(value, str):
        return Secret(value)
    if kind is Secret and isinstance(value, Secret):
        return value
    raise NotImplementedError(kind)
