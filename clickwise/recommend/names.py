"""Names of topic codes, learnt from the items that carry them and kept in memory (bounded)."""

import msgspec

from clickwise.items import Item
from clickwise.state.port import State
from clickwise.types import ItemId, topic_code

MOST = 100_000


class TopicNames:
    """Looks a code up; an unknown one costs one read of an item that has it, once."""

    def __init__(self, state: State) -> None:
        self._state = state
        self._names: dict[int, str] = {}

    def of(self, codes: list[int], item: ItemId) -> tuple[str, ...]:
        """Names of topic codes of `item`; a code whose item is gone is left out."""
        wanted = [code for code in codes if code]
        if any(code not in self._names for code in wanted):
            self._learn(item)
        return tuple(self._names[code] for code in wanted if code in self._names)

    def known(self, code: int) -> str | None:
        """The name of a code, if an item with it was seen."""
        return self._names.get(code)

    def _learn(self, item: ItemId) -> None:
        row = self._state.item(item)
        if row is None or row.body is None:
            return
        if len(self._names) >= MOST:
            self._names.clear()
        for topic in msgspec.json.decode(row.body, type=Item).subjects:
            self._names[topic_code(topic)] = topic
