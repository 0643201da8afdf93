"""Items near an interest, remembered while neither the interest nor the items change.

A click moves one of a user's interests; the others, and all of them on the next page or in
another box of the same page, are asked for again as they were. Entries are keyed by the vector
itself, so there is nothing to invalidate when a profile changes; when any item changes, all of
them go, since an item has to be findable as soon as it was acknowledged.

Shape suffixes: Q = queries, D = embedding dimension.
"""

from collections import OrderedDict
from hashlib import blake2b

import numpy as np

from clickwise.catalog import Catalog
from clickwise.vectors.port import Float32Array, Int64Array, Where

MOST = 20_000  # entries of about half a kilobyte


class Neighbors:
    """Vector queries of one process, the plain ones remembered (bounded, oldest out)."""

    def __init__(self, catalog: Catalog) -> None:
        self._catalog = catalog
        self._known: OrderedDict[bytes, Int64Array] = OrderedDict()
        self._state: tuple[int, int] | None = None

    def near(self, queries_QD: Float32Array, *, limit: int, where: Where) -> list[list[int]]:
        """For each query the keys of the nearest items that `where` allows, best first.

        A remembered answer may hold items that expired since; candidates are checked anyway.
        """
        state = self._catalog.held
        if state is None or where.restricts or where.without:
            return self._asked(queries_QD, limit, where)
        if state != self._state:
            self._known.clear()
            self._state = state
        names = [
            blake2b(query_D.tobytes(), digest_size=16, salt=limit.to_bytes(4)).digest()
            for query_D in queries_QD
        ]
        missing = [at for at, name in enumerate(names) if name not in self._known]
        if missing:
            found = self._asked(queries_QD[missing], limit, where)
            for at, keys in zip(missing, found, strict=True):
                self._known[names[at]] = np.array(keys, np.int64)
        answers: list[list[int]] = [self._known[name].tolist() for name in names]
        for name in names:
            self._known.move_to_end(name)
        while len(self._known) > MOST:
            self._known.popitem(last=False)
        return answers

    def _asked(self, queries_QD: Float32Array, limit: int, where: Where) -> list[list[int]]:
        hits = self._catalog.index.search(queries_QD, limit=limit, where=where)
        return [one.keys_N.tolist() for one in hits]
