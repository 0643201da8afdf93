"""The engine: one Qdrant Edge shard, and everything that is peculiar about it.

- Every call holds the interpreter's lock, so no thread helps; `max_search_threads=1` is the
  fastest. Opening 100,000 x 384 takes 0.1 to 0.3 s.
- There is no snapshot. A closed shard's folder can be copied or hard-linked; opening rewrites
  small files by rename and maps the others without changing them, so readers open a linked
  folder of their own and remove it at once: the maps stay.
- Filters on booleans match nothing: `hidden` is 0 or 1. JSON has no infinity: see `payloads`.
- Payload indexes with their own graph links make a build six times longer and plain searches
  slower, so there are none; ACORN walks the plain graph under a filter, and few matches are
  scored exactly.
- Faults arrive as bare `Exception`.
"""

import os
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from qdrant_edge import (
    AcornSearchParams,
    CountRequest,
    Distance,
    EdgeConfig,
    EdgeOptimizersConfig,
    EdgeShard,
    EdgeVectorParams,
    FieldCondition,
    Filter,
    FloatIndexParams,
    HasIdCondition,
    HnswIndexConfig,
    IntegerIndexParams,
    MatchAny,
    Point,
    Query,
    QueryRequest,
    RangeFloat,
    SearchParams,
    UpdateOperation,
)

from clickwise.errors import UnavailableError
from clickwise.vectors.payloads import NEVER
from clickwise.vectors.port import ItemTable, Where

VECTOR = "item"

# Matches up to this many are scored one by one (0.3 us each), which is exact.
EXACT_MATCHES = 5_000
_GRAPH_FROM_VECTORS = 1_500
_POINTS_AT_ONCE = 1_000
# Written once when a segment is built: copies of a shard share them.
_IMMUTABLE = frozenset({"matrix.dat", "graph.bin", "links_compressed.bin", "links.bin"})


@dataclass(frozen=True, slots=True)
class Match:
    """A payload filter, and how many points about satisfy it."""

    filter: Filter
    about: int


class Shard:
    """An open shard."""

    def __init__(self, shard: EdgeShard) -> None:
        self._shard = shard

    @classmethod
    def create(cls, folder: Path, dimension: int, *, threads: int) -> "Shard":
        """A new, empty shard with an index for every filter."""
        with _translated("create"):
            shard = EdgeShard.create(str(folder), _config(dimension, threads))
            for field in ("kind", "language", "topics", "hidden"):
                index = IntegerIndexParams(lookup=True, range=False, enable_hnsw=False)
                shard.update(UpdateOperation.create_field_index(field, index))
            expires = FloatIndexParams(enable_hnsw=False)
            shard.update(UpdateOperation.create_field_index("expires", expires))
        return cls(shard)

    @classmethod
    def change(cls, folder: Path, dimension: int, *, threads: int) -> "Shard":
        """Open a folder of one's own (see `copy_shard`) to write to it."""
        with _translated("open"):
            return cls(EdgeShard.load(str(folder), _config(dimension, threads)))

    @classmethod
    def view(cls, folder: Path, scratch: Path) -> "Shard":
        """Open a generation's shard to read it, through links in `scratch`, which goes away."""
        try:
            own = scratch / "shard"
            shutil.copytree(folder, own, copy_function=os.link)
            with _translated("open"):
                return cls(EdgeShard.load(str(own)))
        finally:
            shutil.rmtree(scratch, ignore_errors=True)

    def upsert(self, table: ItemTable) -> None:
        """Put the rows of `table`, in portions."""
        expires = np.minimum(table.expires_N, NEVER)
        for start in range(0, len(table), _POINTS_AT_ONCE):
            points = [
                Point(
                    int(table.keys_N[row]),
                    {VECTOR: table.vectors_ND[row].tolist()},
                    {
                        "kind": int(table.kinds_N[row]),
                        "language": int(table.languages_N[row]),
                        "topics": [code for code in table.topics_NT[row].tolist() if code],
                        "expires": float(expires[row]),
                        "hidden": int(table.hidden_N[row]),
                    },
                )
                for row in range(start, min(start + _POINTS_AT_ONCE, len(table)))
            ]
            with _translated("upsert"):
                self._shard.update(UpdateOperation.upsert_points(points))

    def delete(self, keys: Sequence[int]) -> None:
        """Delete points; unknown keys do no harm."""
        for start in range(0, len(keys), _POINTS_AT_ONCE):
            with _translated("delete"):
                self._shard.update(
                    UpdateOperation.delete_points(list(keys[start : start + _POINTS_AT_ONCE]))
                )

    def finish(self) -> None:
        """Index everything, write it out and close."""
        with _translated("optimize"):
            self._shard.optimize()
            self._shard.flush()
            self._shard.close()

    def close(self) -> None:
        """Let go of the files."""
        with _translated("close"):
            self._shard.close()

    def match(self, where: Where) -> Match | None:
        """The filter for what an item is; None when `where` does not look at that."""
        kinds = _conditions(where)
        return self._counted(Filter(must=[*kinds])) if kinds else None

    def strict_match(self, where: Where, without: set[int]) -> Match:
        """The filter for all of `where` and `without`. It makes a query cost milliseconds."""
        shown = [
            FieldCondition("hidden", match=MatchAny([0])),
            FieldCondition("expires", range=RangeFloat(gt=where.now)),
        ]
        unwanted = HasIdCondition({*without})
        return self._counted(Filter(must=[*_conditions(where), *shown], must_not=[unwanted]))

    def _counted(self, wanted: Filter) -> Match:
        with _translated("count"):
            return Match(wanted, self._shard.count(CountRequest(exact=False, filter=wanted)))

    def nearest(
        self, query: list[float], *, limit: int, match: Match | None
    ) -> tuple[list[int], list[float]]:
        """Keys and scores of the nearest points, best first."""
        if match is None:
            params = SearchParams(hnsw_ef=max(64, limit))
        elif match.about <= EXACT_MATCHES:
            params = SearchParams(exact=True)
        else:
            acorn = AcornSearchParams(enable=True, max_selectivity=1.0)
            params = SearchParams(hnsw_ef=max(64, limit), acorn=acorn)
        return self._query(query, limit, match.filter if match else None, params)

    def exact(
        self, query: list[float], *, limit: int, match: Match
    ) -> tuple[list[int], list[float]]:
        """As `nearest`, but every match is scored."""
        return self._query(query, limit, match.filter, SearchParams(exact=True))

    def _query(
        self, query: list[float], limit: int, wanted: Filter | None, params: SearchParams
    ) -> tuple[list[int], list[float]]:
        request = QueryRequest(
            limit, query=Query.Nearest(query, using=VECTOR), filter=wanted, params=params
        )
        try:  # not `_translated`: a generator costs a microsecond here
            points = self._shard.query(request)
        except Exception as error:
            raise UnavailableError(f"Qdrant Edge could not query: {error}") from error
        keys: list[int] = [point.id for point in points]  # type: ignore[misc]  # ours are numbers
        return keys, [point.score for point in points]


def copy_shard(source: Path, target: Path) -> None:
    """Copy a closed shard's folder in order to change the copy; the source stays as it is."""

    def copy(file: str, to: str) -> str:
        if Path(file).name in _IMMUTABLE:
            os.link(file, to)
        else:
            _copy_sparse(file, to)
        return to

    shutil.copytree(source, target, copy_function=copy)


def _copy_sparse(source: str, target: str) -> None:
    """Copy a file without its holes: the engine reserves 32 MB pages and uses a part."""
    with open(source, "rb") as reader, open(target, "wb") as writer:  # noqa: PTH123 - plain paths
        size = os.fstat(reader.fileno()).st_size
        writer.truncate(size)
        at = 0
        while at < size:
            try:
                start = os.lseek(reader.fileno(), at, os.SEEK_DATA)
            except OSError:  # ENXIO: only a hole is left
                return
            at = os.lseek(reader.fileno(), start, os.SEEK_HOLE)
            reader.seek(start)
            writer.seek(start)
            writer.write(reader.read(at - start))


def _conditions(where: Where) -> list[FieldCondition]:
    wanted = (("kind", where.kinds), ("language", where.languages), ("topics", where.topics))
    return [FieldCondition(field, match=MatchAny(list(codes))) for field, codes in wanted if codes]


def _config(dimension: int, threads: int) -> EdgeConfig:
    return EdgeConfig(
        vectors={VECTOR: EdgeVectorParams(dimension, Distance.Dot)},
        hnsw_config=HnswIndexConfig(
            m=16,
            ef_construct=100,
            full_scan_threshold=max(1, _GRAPH_FROM_VECTORS * dimension * 4 // 1024),
            max_indexing_threads=threads,
        ),
        # From the first kilobyte on: every optimize() leaves one indexed segment.
        optimizers=EdgeOptimizersConfig(
            indexing_threshold=1, default_segment_number=1, deleted_threshold=0.1
        ),
        max_search_threads=1,
        wal_enabled=False,
    )


@contextmanager
def _translated(what: str) -> Iterator[None]:
    try:
        yield
    except Exception as error:  # the engine raises nothing more specific
        raise UnavailableError(f"Qdrant Edge could not {what}: {error}") from error
