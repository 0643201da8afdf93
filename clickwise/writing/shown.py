"""The words that an item is shown with, as answers carry them."""

from typing import Annotated, Literal

import msgspec
from msgspec import Meta

Shown = Literal["written", "edited", "own", "held"]


class ItemText(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What to show of an item: its own words, or ones written for the reader's interest."""

    shown: Annotated[
        Shown,
        Meta(
            description=(
                "Whose words: `written` by the model and accepted, `edited` by a person, the"
                " item's `own`, or `held`: its own though others are ready, because the reader is"
                " one of those who see originals, for comparison."
            )
        ),
    ]
    title: str
    summary: Annotated[str, Meta(description="Empty: none is ready.")] = ""
    key_points: Annotated[tuple[str, ...], Meta(description="Empty: none are ready.")] = ()
    segment: Annotated[
        str, Meta(description="Readers it was written for: language and topic code.")
    ] = ""
    version: Annotated[int, Meta(description="Of the texts; 0: the item's own.")] = 0
