"""What was understood of an item, as it is stored and shown."""

from datetime import datetime
from typing import Annotated

import msgspec
from msgspec import Meta

from clickwise.types import ItemId


class Keyword(msgspec.Struct, frozen=True, kw_only=True):
    """A word or phrase that stands for the item."""

    word: Annotated[str, Meta(description="As the item writes it.")]
    weight: Annotated[float, Meta(ge=0, le=1, description="Share of all the item's keywords.")]


class TopicWeight(msgspec.Struct, frozen=True, kw_only=True):
    """A topic of the site's taxonomy, or of the item's own."""

    topic: Annotated[str, Meta(description="Its id.")]
    weight: Annotated[float, Meta(ge=0, le=1, description="Share of the item that is about it.")]


class Understanding(msgspec.Struct, frozen=True, kw_only=True):
    """Language, words, sentences and topics of one item.

    `methods` names how each part was made; a part is made anew when its method's name differs.
    """

    language: Annotated[str, Meta(description="BCP 47 primary tag; empty: cannot be told.")]
    confidence: Annotated[float, Meta(ge=0, le=1, description="In the language.")]
    tokens: Annotated[int, Meta(ge=0, description="Pieces of text as the encoder counts them.")]
    keywords: Annotated[tuple[Keyword, ...], Meta(description="Heaviest first.")]
    summary: Annotated[
        tuple[str, ...],
        Meta(description="Sentences of the item, word for word and in its order."),
    ]
    topics: Annotated[tuple[TopicWeight, ...], Meta(description="Heaviest first.")]
    near: Annotated[
        tuple[ItemId, ...], Meta(description="Items with nearly the same text, nearest first.")
    ]
    methods: dict[str, str]
    made: datetime
