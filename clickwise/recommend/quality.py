"""What answers are like, as figures: how new their items, how varied, how much of the catalogue.

Click-through needs the events too: `clickwise_followed_events_total`, counted where they are
folded, over `clickwise_shown_items_total`.

Shape suffixes: N = items of one page.
"""

from collections import Counter, deque

import numpy as np

from clickwise import metrics
from clickwise.vectors.port import Float64Array, Int32Array, Int64Array

NEW_SECONDS = 86_400.0  # an item is new for a day
REMEMBERED = 10_000  # places whose items are told apart

_NEW = metrics.shown_items.labels("new")
_KNOWN = metrics.shown_items.labels("known")


class Quality:
    """Told of every page that is given; bounded, and owned by one thread."""

    def __init__(self) -> None:
        self._places: deque[int] = deque()
        self._counts: Counter[int] = Counter()

    def observe(
        self, *, keys_N: Int64Array, published_N: Float64Array, topics_N: Int32Array, now: float
    ) -> None:
        """One page. `published_N`, `now`: seconds since 1970. `topics_N`: first topics, 0 none."""
        if not len(keys_N):
            return
        new = int(np.count_nonzero(published_N > now - NEW_SECONDS))
        _NEW.inc(new)
        _KNOWN.inc(len(keys_N) - new)
        topics = [topic for topic in topics_N.tolist() if topic]
        if len(topics) > 1:
            metrics.page_topics.observe(len(set(topics)) / len(topics))
        for key in keys_N.tolist():
            self._remember(key)
        metrics.shown_distinct.set(len(self._counts))

    def _remember(self, key: int) -> None:
        self._places.append(key)
        self._counts[key] += 1
        if len(self._places) > REMEMBERED:
            oldest = self._places.popleft()
            self._counts[oldest] -= 1
            if not self._counts[oldest]:
                del self._counts[oldest]
