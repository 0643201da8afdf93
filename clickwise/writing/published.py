"""The message of the topic `texts`: all words that stand for an item, for readers of no database.

Keyed by the item; the newest message replaces those before. A consumer that serves pages does as
`clickwise.writing.overlay`: for each field what was decided, else the text of the best segment,
as long as `title` is the item's.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated

import msgspec
from msgspec import Meta

from clickwise.codec import SCHEMA_VERSION
from clickwise.state.text_port import Action, Decision, StoredText
from clickwise.types import ItemId


class PublishedText(msgspec.Struct, frozen=True, kw_only=True):
    """One field for one segment, written by a model and accepted."""

    segment: Annotated[str, Meta(description="`<language>:<topic code>`; own: the item's.")]
    field: Annotated[str, Meta(description="title, summary or key_points (one per line).")]
    text: str
    title: Annotated[str, Meta(description="The item's title that it was written from.")]
    topic: Annotated[str, Meta(description="Main topic of its readers; empty: everybody.")]
    change: Annotated[int, Meta(description="The item's, that it was written from.")]
    prompt: Annotated[str, Meta(description="Name and version of the prompt.")]
    model: str
    version: int
    made: datetime


class PublishedDecision(msgspec.Struct, frozen=True, kw_only=True):
    """What a person decided; an empty segment or field stands for all."""

    segment: str
    field: str
    action: Annotated[
        Action, Meta(description="block: own words; edit: while it has this title; pin: always.")
    ]
    text: str
    title: str
    version: int
    at: datetime


class ItemTexts(msgspec.Struct, frozen=True, kw_only=True):
    """All words that stand for an item."""

    item: ItemId
    texts: tuple[PublishedText, ...]
    decisions: tuple[PublishedDecision, ...]
    version: Annotated[int, Meta(description="Grows with each change: a smaller one is older.")]
    schema_version: int = SCHEMA_VERSION


def item_texts(
    item: ItemId, texts: Sequence[StoredText], decisions: Sequence[Decision], version: int
) -> ItemTexts | None:
    """The message of an item; None when nothing stands."""
    written = tuple(
        PublishedText(
            segment=one.segment, field=one.field, text=one.text, title=one.title, topic=one.topic,
            change=one.change, prompt=one.prompt, model=one.model, version=one.number,
            made=one.made,
        )
        for one in texts
        if one.text is not None
    )  # fmt: skip
    decided = tuple(
        PublishedDecision(
            segment=one.segment, field=one.field, action=one.action, text=one.text,
            title=one.title, version=one.number, at=one.at,
        )
        for one in decisions
    )  # fmt: skip
    if not written and not decided:
        return None
    return ItemTexts(item=item, texts=written, decisions=decided, version=version)
