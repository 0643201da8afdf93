"""Prompts: files with versions, one for each kind of item, and the messages they make.

`prompts/<kind>.toml` has a table for each field (title, summary, key_points) with its `version`,
bounds and instructions in English, Chinese and Portuguese; `prompts/system.toml` holds what all of
them begin with. A text's freshness is told by its prompt's name, `news/title@1-3f2a...`, which
also holds a digest of the words: a change that forgets its version is a change all the same.
"""

import tomllib
from functools import cache
from hashlib import blake2b
from importlib.resources import files
from typing import Annotated

import msgspec
from msgspec import Meta

from clickwise.types import ItemKind
from clickwise.writing.gate import Field, Source
from clickwise.writing.port import Message
from clickwise.writing.quoting import fenced, inert

INSTRUCTED = ("en", "zh", "pt")  # languages that instructions are written in; the first is for all
WRITTEN_FIELDS = (Field.TITLE, Field.SUMMARY, Field.KEY_POINTS)
SOURCE_TOKENS = 1_000  # of an item's text in a prompt
TITLE_TOKENS = 200
TOPIC_TOKENS = 30

Words = dict[str, str]


class _System(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    version: int
    rules: Words
    readers: Words  # follows the rules where a topic of readers is given
    languages: Words  # how a prompt calls a language, by its tag


class _FieldPrompt(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    version: Annotated[int, Meta(ge=1)]
    max_tokens: Annotated[int, Meta(ge=8, le=1_000)]
    temperature: Annotated[float, Meta(ge=0, le=2)]
    again: Annotated[float, Meta(ge=0, le=2)]  # temperature of the second try
    en: str
    zh: str
    pt: str


class Prompt(msgspec.Struct, frozen=True):
    """The prompt of one kind and field."""

    name: str
    kind: ItemKind
    field: Field
    max_tokens: int
    temperature: float
    again: float
    rules: Words
    readers: Words
    instructions: Words
    languages: Words


@cache
def prompt_of(kind: ItemKind, field: Field) -> Prompt:
    """The prompt for a field of an item of this kind.

    Raises:
        ValueError: nothing is written for that field.
    """
    if field not in WRITTEN_FIELDS:
        raise ValueError(f"no prompt writes a {field}")
    system = msgspec.convert(_read("system"), _System)
    table = _read(kind.value)[field.value]
    found = msgspec.convert(table, _FieldPrompt)
    said = msgspec.json.encode([msgspec.to_builtins(system), msgspec.to_builtins(found)])
    digest = blake2b(said, digest_size=4).hexdigest()
    return Prompt(
        name=f"{kind.value}/{field.value}@{found.version}-{digest}",
        kind=kind,
        field=field,
        max_tokens=found.max_tokens,
        temperature=found.temperature,
        again=found.again,
        rules=system.rules,
        readers=system.readers,
        instructions={"en": found.en, "zh": found.zh, "pt": found.pt},
        languages=system.languages,
    )


def messages_of(
    prompt: Prompt, source: Source, *, language: str, topic: str, fence: str
) -> list[Message]:
    """What the model is asked: rules and instruction, then the item between fences.

    Args:
        prompt: of the item's kind.
        source: the item's plain text.
        language: BCP 47 primary tag that the text is to be in.
        topic: what the readers are after; empty: everybody. The site's word, so quoted too; what is
            to be made of it stands with the rules.
        fence: drawn for this call, see `new_fence`.
    """
    instructed = language if language in INSTRUCTED else INSTRUCTED[0]
    called = prompt.languages.get(language, language or prompt.languages["en"])
    rules = prompt.rules[instructed].format(fence=fence, language=called)
    liked = inert(topic, max_tokens=TOPIC_TOKENS)
    if liked:
        rules += ("" if instructed == "zh" else " ") + prompt.readers[instructed]
    lines = [
        ("TITLE", inert(source.title, max_tokens=TITLE_TOKENS)),
        ("TEXT", inert(source.body, max_tokens=SOURCE_TOKENS)),
        ("READERS LIKE", liked),
    ]
    instruction = prompt.instructions[instructed].format(language=called)
    return [
        Message("system", rules),
        Message("user", f"{fenced(lines, fence)}\n{instruction}"),
    ]


def _read(name: str) -> dict[str, object]:
    text = files(__package__).joinpath("prompts", f"{name}.toml").read_text("utf-8")
    return tomllib.loads(text)
