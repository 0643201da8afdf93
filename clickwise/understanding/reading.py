"""The text of an item as it is understood: plain, bounded, title apart from body."""

from dataclasses import dataclass

from clickwise.items import Item
from clickwise.text import body_text, plain

# Of the body, after cleaning. What matters stands in the first pages, and costs grow with it.
MAX_BODY_CHARACTERS = 20_000


@dataclass(frozen=True, slots=True)
class Reading:
    """Plain text; `whole` is both as one text. All empty when an item says nothing."""

    title: str
    body: str

    @property
    def whole(self) -> str:
        """Title and body, told apart by a full stop where the title has no end of its own."""
        if not self.title or not self.body:
            return self.title or self.body
        closed = self.title[-1] in ".!?\u2026\u3002\uff01\uff1f"
        return f"{self.title}{'' if closed else '.'} {self.body}"


def read(item: Item) -> Reading:
    """Title and body of `item` without markup, controls and half characters."""
    return Reading(plain(item.title), body_text(item.body, limit=MAX_BODY_CHARACTERS))
