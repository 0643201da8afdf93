"""Topics and language that an item is served by, where the methods of now give it other ones.

On receipt an item that brings no topics is given some (`Item.inferred_topics`), by the methods of
that time; one that names no language has none until it is understood (`Item.inferred_language`):
what tells languages loads in the process that understands. Both stand in the item itself, so other
ones are written the way that items are.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import msgspec

from clickwise.items import Item
from clickwise.types import ItemId, ItemKey, item_key
from clickwise.understanding.understanding import TopicWeight

# Another one when items that are understood have to be told again by the next program.
VERSION = "retold-2"
# In place of the methods of an understanding: its item may be stored with topics that it is not
# found by yet.
UNTOLD = "untold"


@dataclass(frozen=True, slots=True)
class Retold:
    """An item as it was at `change`, but for its topics and language, which are those of now."""

    item: Item
    change: int

    @property
    def key(self) -> ItemKey:
        """The item's."""
        return item_key(self.item.id)


class TopicsDoor(Protocol):
    """Writes such items; `streams.retelling` implements it."""

    def put(self, told: Sequence[Retold], again: Sequence[ItemId]) -> dict[ItemKey, int]:
        """Store and index those that are still as they were; the changes that they have then.

        `again`: items that an earlier call may have stored and not indexed. Searches find all of
        them as they are stored when this returns, or where each process reads changes for itself
        when it has read them.

        Raises:
            UnavailableError: the database or the vector store does not answer.
            ConflictError: they go on changing.
            ClickwiseError: what a later try alone does not get past. After any fault they may be
                stored and not indexed.
        """
        ...


def retold(
    item: Item, topics: Sequence[TopicWeight], language: str, *, change: int
) -> Retold | None:
    """The item with these topics and this language (empty: none) inferred, where it brings none of
    its own; None where that changes nothing.
    """
    told = item
    if not item.topics:
        names = tuple(one.topic for one in topics)
        told = msgspec.structs.replace(told, inferred_topics=names)
    if not item.language:
        told = msgspec.structs.replace(told, inferred_language=language or None)
    return None if told == item else Retold(told, change)
