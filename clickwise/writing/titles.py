"""Items' own titles, which no text about another item may copy; the newest are kept at hand."""

from clickwise.text import plain
from clickwise.types import ItemKey

REMEMBERED = 200


class Titles:
    """See the module. Owned by one thread."""

    def __init__(self) -> None:
        self._kept: dict[ItemKey, str] = {}  # the newest last

    def see(self, key: ItemKey, title: str) -> None:
        """Keep the title that an item has now."""
        self._kept.pop(key, None)
        self._kept[key] = plain(title)
        if len(self._kept) > REMEMBERED:
            del self._kept[next(iter(self._kept))]

    def others(self, key: ItemKey) -> list[str]:
        """The titles of the other items, the newest first."""
        return [title for of, title in reversed(self._kept.items()) if of != key]
