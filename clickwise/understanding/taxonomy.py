"""The site's taxonomy: the topics that items may be about, from a TOML file.

[[topic]]
id = "markets"
name = {en = "Markets", zh = "..."}             # or one text for all languages
description = {en = "Shares, bonds and currencies", zh = "..."}
examples = ["Shares fall on inflation fears"]   # titles; optional
"""

import tomllib
from pathlib import Path
from typing import Annotated

import msgspec
from msgspec import Meta

from clickwise.errors import ConfigurationError
from clickwise.limits import MAX_LABEL_CHARACTERS

MAX_TOPICS = 1_000
MAX_EXAMPLES = 200
_Text = Annotated[str, Meta(min_length=1, max_length=2_000)]
_ByLanguage = dict[Annotated[str, Meta(pattern=r"^[a-z]{2,3}\Z")], _Text]


class Topic(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One topic, told in one language or in several."""

    id: Annotated[str, Meta(min_length=1, max_length=MAX_LABEL_CHARACTERS)]
    name: _Text | _ByLanguage = ""
    description: _Text | _ByLanguage = ""
    examples: Annotated[tuple[_Text, ...], Meta(max_length=MAX_EXAMPLES)] = ()

    def texts(self) -> tuple[str, ...]:
        """Name and description, one text for each language that it is told in."""
        names, described = _by_language(self.name), _by_language(self.description)
        told = []
        for language in dict.fromkeys((*names, *described)):
            parts = (
                names.get(language, names.get("", "")),
                described.get(language, described.get("", "")),
            )
            told.append(". ".join(filter(None, parts)))
        return tuple(told) or (self.id,)


class Taxonomy(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """All topics of a site."""

    topic: Annotated[tuple[Topic, ...], Meta(min_length=1, max_length=MAX_TOPICS)]


def load_taxonomy(path: Path) -> Taxonomy:
    """The taxonomy in a file.

    Raises:
        ConfigurationError: no such file, or not such TOML; says where.
    """
    try:
        data = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigurationError(f"CLICKWISE_TAXONOMY={path}: {error.strerror}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigurationError(f"CLICKWISE_TAXONOMY={path}: {error}") from error
    try:
        taxonomy = msgspec.convert(data, Taxonomy)
    except msgspec.ValidationError as error:
        raise ConfigurationError(f"CLICKWISE_TAXONOMY={path}: {error}") from error
    ids = [topic.id for topic in taxonomy.topic]
    repeated = next((one for place, one in enumerate(ids) if one in ids[:place]), None)
    if repeated is not None:
        raise ConfigurationError(f"CLICKWISE_TAXONOMY={path}: topic {repeated!r} is there twice")
    return taxonomy


def _by_language(text: str | dict[str, str]) -> dict[str, str]:
    if isinstance(text, dict):
        return text
    return {"": text} if text else {}
