"""Answers of an immutable generation to plain queries, remembered.

A click moves one of a user's interests; the others, and all of them on the next page or in
another box of the same page, are asked for again as they were. A generation never changes, so
there is nothing to invalidate: masks and the delta are applied to a remembered answer as they
are to a fresh one, and a new generation starts with nothing.
"""

from collections import OrderedDict
from collections.abc import Callable
from hashlib import blake2b

import numpy as np

from clickwise.vectors.port import Float32Array, Int64Array

MOST = 20_000  # answers of about a kilobyte

Answer = tuple[Int64Array, Float32Array]


class Remembered:
    """Keys and scores by query and limit (bounded, longest unasked out)."""

    def __init__(self, ask: Callable[[list[float], int], tuple[list[int], list[float]]]) -> None:
        """`ask` gives keys and scores of a query, best first, up to a limit."""
        self._ask = ask
        self._known: OrderedDict[bytes, Answer] = OrderedDict()

    def nearest(self, query_D: Float32Array, *, limit: int) -> Answer:
        """The answer to a query, remembered or asked for now."""
        name = blake2b(query_D.tobytes(), digest_size=16, salt=limit.to_bytes(8)).digest()
        known = self._known.get(name)
        if known is not None:
            self._known.move_to_end(name)
            return known
        keys, scores = self._ask(query_D.tolist(), limit)
        answer = self._known[name] = (np.array(keys, np.int64), np.array(scores, np.float32))
        if len(self._known) > MOST:
            self._known.popitem(last=False)
        return answer
