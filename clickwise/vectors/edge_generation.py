"""One opened generation: the engine's shard, the mapped columns, and what the delta masks.

A plain search asks the engine for a few more than wanted and drops, from the columns, what
must not be shown: that costs microseconds where the engine's own filters cost milliseconds.
Only when too few are left it asks again, wider, and at last with everything in the filter.

Shape suffixes: Q = queries, N = items, M = keys or hits, D = embedding dimension.
"""

import shutil
from collections.abc import Iterable

import numpy as np

from clickwise.errors import BundleError, ConfigurationError, UnavailableError
from clickwise.types import ItemId
from clickwise.vectors.columns import Columns
from clickwise.vectors.delta import Delta
from clickwise.vectors.edge_shard import EXACT_MATCHES, Shard
from clickwise.vectors.generations import Generations, Manifest
from clickwise.vectors.port import (
    BoolArray,
    Float32Array,
    Float64Array,
    Hits,
    Int64Array,
    ItemTable,
    Where,
)
from clickwise.vectors.remembered import Answer, Remembered
from clickwise.vectors.tables import no_hits

_NEWEST_KEPT = 2_048
_SPARE = 8
_WIDEST = 1_024


class Generation:
    """A generation open for reading. Its owner locks."""

    def __init__(self, manifest: Manifest, columns: Columns, shard: Shard) -> None:
        self.manifest = manifest
        self.columns = columns
        self._shard = shard
        self._remembered = Remembered(
            lambda query, limit: shard.nearest(query, limit=limit, match=None)
        )
        self._overridden_N: BoolArray = np.zeros(len(columns), np.bool_)
        self._blocked_N: BoolArray = columns.hidden_N.copy()
        self._num_overridden = 0
        self._newest: Int64Array | None = None

    @classmethod
    def open(cls, generations: Generations, number: int, dimension: int) -> "Generation":
        """Open a generation.

        Raises:
            BundleError: it is damaged or gone.
            ConfigurationError: it holds vectors of another dimension.
        """
        manifest = generations.manifest(number)
        if manifest.dimension != dimension:
            raise ConfigurationError(
                f"the index of {manifest.model} holds vectors of {manifest.dimension} numbers,"
                f" not {dimension}"
            )
        folder = generations.path(number)
        scratch = generations.scratch("open")
        try:
            columns = Columns.open(folder / "columns")
            shard = Shard.view(folder / "shard", scratch)
        except (OSError, ValueError, UnavailableError, shutil.Error) as error:
            shutil.rmtree(scratch, ignore_errors=True)
            raise BundleError(
                f"generation {number} of {manifest.model} cannot be opened: {error}"
            ) from error
        return cls(manifest, columns, shard)

    def override(self, keys: Iterable[int]) -> None:
        """From now on these items are not what this generation holds."""
        rows, known = self.columns.rows(np.fromiter(keys, np.int64))
        rows = rows[known]
        self._overridden_N[rows] = True
        self._blocked_N[rows] = True
        self._num_overridden = int(np.count_nonzero(self._overridden_N))

    def count(self) -> int:
        """Items that are not overridden."""
        return len(self.columns) - self._num_overridden

    def rows(self, keys_M: Int64Array) -> tuple[Int64Array, BoolArray]:
        """The row of each key, and whether this generation answers for it."""
        rows_M, known_M = self.columns.rows(keys_M)
        if self._num_overridden and len(self.columns):
            known_M &= ~self._overridden_N[rows_M]
        return rows_M, known_M

    def table(self, rows_M: Int64Array) -> ItemTable:
        """Copies of these rows."""
        return self.columns.table(rows_M)

    def label(self, row: int) -> tuple[ItemId, str]:
        """Id and title of a row."""
        return self.columns.label(row)

    def newest(self, limit: int, *, now: float) -> tuple[Int64Array, Float64Array]:
        """Keys and publication times of the newest items that can be shown."""
        published_N = self.columns.published_N
        if self._newest is None:
            kept = min(_NEWEST_KEPT, len(published_N))
            top = np.argpartition(-published_N, kept - 1)[:kept] if kept else np.zeros(0, np.int64)
            self._newest = top[np.argsort(-published_N[top], kind="stable")]
        rows = self._showable(self._newest, now)
        if len(rows) < limit and len(self._newest) < len(published_N):
            self._newest = np.argsort(-published_N, kind="stable")
            rows = self._showable(self._newest, now)
        rows = rows[:limit]
        return self.columns.keys_N[rows], published_N[rows]

    def _showable(self, rows: Int64Array, now: float) -> Int64Array:
        return rows[~self._blocked_N[rows] & (self.columns.expires_N[rows] > now)]

    def search(
        self, queries_QD: Float32Array, *, limit: int, where: Where, delta: Delta
    ) -> list[Hits]:
        """For each query up to `limit` nearest items that this generation answers for."""
        if not len(self.columns) or not len(queries_QD):
            return [no_hits()] * len(queries_QD)
        match = self._shard.match(where)
        asked = limit + _SPARE + min(len(where.without), 512) // 2
        found = [
            self._remembered.nearest(query_D, limit=asked)
            if match is None
            else _arrays(self._shard.nearest(query_D.tolist(), limit=asked, match=match))
            for query_D in queries_QD
        ]
        hits = self._allowed(found, limit, where)
        approximate = match is not None and match.about > EXACT_MATCHES
        for place, query_D in enumerate(queries_QD):
            more = approximate or len(found[place][0]) == asked
            if more and len(hits[place].keys_N) < limit:
                query = query_D.tolist()
                hits[place] = self._wider(query, asked, limit=limit, where=where, delta=delta)
        return hits

    def _allowed(self, found: list[Answer], limit: int, where: Where) -> list[Hits]:
        """All queries' hits masked at once, then taken apart again."""
        keys_M = np.concatenate([keys for keys, _ in found])
        rows_M = self.columns.keys_N.searchsorted(keys_M)
        allowed_M = self.columns.expires_N[rows_M] > where.now
        allowed_M &= ~self._blocked_N[rows_M]
        if where.without:
            keys = keys_M.tolist()
            if not where.without.isdisjoint(keys):
                allowed_M &= np.array([key not in where.without for key in keys], np.bool_)
        hits, start = [], 0
        for own, scores in found:
            part = slice(start, start + len(own))
            kept = np.flatnonzero(allowed_M[part])[:limit]
            hits.append(Hits(own[kept], scores[kept]))
            start = part.stop
        return hits

    def _wider(
        self, query: list[float], asked: int, *, limit: int, where: Where, delta: Delta
    ) -> Hits:
        match = self._shard.match(where)
        asked = min(2 * asked + len(where.without), max(_WIDEST, 2 * asked))
        found = _arrays(self._shard.nearest(query, limit=asked, match=match))
        [hits] = self._allowed([found], limit, where)
        if len(hits.keys_N) == limit or (match is None and len(found[0]) < asked):
            return hits
        return self._filtered(query, limit=limit, where=where, delta=delta)

    def _filtered(self, query: list[float], *, limit: int, where: Where, delta: Delta) -> Hits:
        """Everything in the engine's filter: slow, and never short of what there is."""
        without = {*where.without, *delta.slots, *delta.removed}
        match = self._shard.strict_match(where, without)
        found = self._shard.nearest(query, limit=limit, match=match)
        if len(found[0]) < limit:
            found = self._shard.exact(query, limit=limit, match=match)
        [hits] = self._allowed([_arrays(found)], limit, where)
        return hits

    def close(self) -> None:
        """Let go of the files."""
        self._shard.close()


def _arrays(found: tuple[list[int], list[float]]) -> Answer:
    keys, scores = found
    return np.array(keys, np.int64), np.array(scores, np.float32)
