"""What of an item is written from, and a digest that tells whether that changed."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from hashlib import blake2b

import msgspec

from clickwise.items import Item
from clickwise.text import plain
from clickwise.types import ITEM_KINDS, ItemKey
from clickwise.writing.gate import Field, Source
from clickwise.writing.prompts import WRITTEN_FIELDS, prompt_of

# Below, a summary would repeat the item, and a model asked for more would make it up.
SUMMARY_CHARACTERS = 200
KEY_POINTS_CHARACTERS = 400
_MOST = 20_000  # of a body that is looked at
_LANGUAGE = "en"  # of items whose language nobody could tell

# What was understood of an item's language; empty: it cannot be told, None: not yet.
LanguageOf = Callable[[ItemKey], str | None]


@dataclass(frozen=True, slots=True)
class Recipe:
    """By which prompts, model and gate texts are made: another makes all of them anew. `guessed` is
    the same for an item that nobody had understood: the text is looked at again once somebody has.
    """

    name: str

    @property
    def guessed(self) -> str:
        """See Recipe."""
        return f"{self.name}?"


def item_of(body: bytes) -> Item:
    """The item in a stored body."""
    return msgspec.json.decode(body, type=Item)


def source_of(item: Item, *, language: str = "") -> Source:
    """Title and text of an item; `language`: as understood, for items that do not say theirs."""
    labels = dict.fromkeys(filter(None, map(plain, (*item.topics, *item.tags))))
    body = plain(item.body[: 5 * _MOST])[:_MOST]
    if labels:
        body = f"{body} ({', '.join(labels)})" if body else f"{', '.join(labels)}."
    said = (item.language or language).partition("-")[0].lower()
    return Source(title=plain(item.title), body=body, language=said or _LANGUAGE)


def source_by(item: Item, key: ItemKey, language_of: LanguageOf) -> tuple[Source, bool]:
    """Title and text of an item, and whether its language is but guessed."""
    language = "" if item.language else language_of(key)
    return source_of(item, language=language or ""), language is None


def fields_of(source: Source) -> tuple[Field, ...]:
    """Which fields the item has enough text for."""
    if not any(character.isalpha() for character in source.title + source.body):
        return ()  # not a word to go by
    length = len(source.body) * (2 if source.language in ("zh", "ja", "ko") else 1)
    enough = {
        Field.TITLE: True,
        Field.SUMMARY: length >= SUMMARY_CHARACTERS,
        Field.KEY_POINTS: length >= KEY_POINTS_CHARACTERS,
    }
    return tuple(field for field in WRITTEN_FIELDS if enough[field])


def digest_of(item: Item, source: Source) -> str:
    """The same for items that are written about alike, whatever else of them changed. Marks in a
    title count: texts and edits hold as long as the title is what it was, to the letter.
    """
    shown = (str(item.hidden), str(item.expires))
    said = "\0".join((item.kind, item.title, source.body, source.language, *shown, *item.topics))
    return blake2b(said.encode(errors="replace"), digest_size=16).hexdigest()


def recipe_of(*, model: str, gate: str) -> Recipe:
    """See Recipe."""
    prompts = [prompt_of(kind, field).name for kind in ITEM_KINDS for field in WRITTEN_FIELDS]
    said = "\0".join((model, gate, *prompts))
    return Recipe(blake2b(said.encode(), digest_size=8).hexdigest())


def is_shown(item: Item, *, now: datetime) -> bool:
    """Whether the item can be in a list at all: for others nothing is spent."""
    return not item.hidden and (item.expires is None or item.expires > now)
