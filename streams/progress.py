"""How far the agents have come, and whether they have anything in hand."""

from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import faust
from faust.types import TP


class Progress:
    """Of each partition and topic. Owned by the application's event loop."""

    def __init__(self, app: faust.App) -> None:
        self._app = app
        self._applied: dict[TP, int] = {}
        self._in_hand: Counter[str] = Counter()

    @contextmanager
    def at_work(self, topic: str) -> Iterator[None]:
        """Around what an agent does with a batch, however long a service lets it wait."""
        self._in_hand[topic] += 1
        try:
            yield
        finally:
            self._in_hand[topic] -= 1

    def advance(self, message: faust.types.Message) -> None:
        """A message was applied. Said of partitions that have gone to another worker, too: a
        batch may come out of a buffer just after that.
        """
        before = self._applied.get(message.tp, 0)
        self._applied[message.tp] = max(before, message.offset + 1)

    def following(self, topic: str, partition: int) -> int:
        """The offset after the last one that was applied or committed, at least; or 0."""
        place = TP(topic, partition)
        committed = self._app.consumer._committed_offset.get(place)  # noqa: SLF001  # no public one
        return max(self._applied.get(place, 0), committed or 0)

    def idle(self) -> Mapping[TP, int]:
        """The next offset to apply of each partition of ours whose agent waits for messages."""
        return {
            place: self.following(place.topic, place.partition)
            for place in self._app.consumer.assignment()
            if not self._in_hand[place.topic]
        }
