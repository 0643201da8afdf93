"""A generation's facts in memory-mapped columns, one row per item, sorted by key.

Every worker maps the same files, so they share one copy in the page cache. The vectors are
here a second time (the engine keeps its own) because profiles and scorers gather a few hundred
rows at once, which a mapped array does in microseconds.

Shape suffixes: N = items, M = rows asked for, D = embedding dimension, T = topics per item.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import numpy as np
from numpy.typing import DTypeLike, NDArray

from clickwise.types import ItemId
from clickwise.vectors.delta import Delta
from clickwise.vectors.port import (
    TOPICS_PER_ITEM,
    BoolArray,
    Float32Array,
    Float64Array,
    Int16Array,
    Int32Array,
    Int64Array,
    ItemTable,
)

_ROWS_AT_ONCE = 32_768
_Scalar = TypeVar("_Scalar", bound=np.generic)


@dataclass(frozen=True, slots=True)
class Columns:
    """Mapped columns of N items. `offsets` has 2 N + 1 places in `text`: id, title, id ..."""

    keys_N: Int64Array
    vectors_ND: Float32Array
    kinds_N: Int16Array
    languages_N: Int32Array
    topics_NT: Int32Array
    published_N: Float64Array
    expires_N: Float64Array
    hidden_N: BoolArray
    offsets: Int64Array
    text: NDArray[np.uint8]

    @classmethod
    def open(cls, folder: Path) -> "Columns":
        """Map the columns in `folder`.

        Raises:
            OSError: a file is missing. ValueError: one is not a column.
        """
        return cls(
            keys_N=_mapped(folder, "keys", np.int64),
            vectors_ND=_mapped(folder, "vectors", np.float32),
            kinds_N=_mapped(folder, "kinds", np.int16),
            languages_N=_mapped(folder, "languages", np.int32),
            topics_NT=_mapped(folder, "topics", np.int32),
            published_N=_mapped(folder, "published", np.float64),
            expires_N=_mapped(folder, "expires", np.float64),
            hidden_N=_mapped(folder, "hidden", np.bool_),
            offsets=_mapped(folder, "offsets", np.int64),
            text=_mapped(folder, "text", np.uint8),
        )

    def __len__(self) -> int:
        return len(self.keys_N)

    def rows(self, keys_M: Int64Array) -> tuple[Int64Array, BoolArray]:
        """The row of each key, and whether there is one (where not, the row means nothing)."""
        if not len(self):
            return np.zeros(len(keys_M), np.int64), np.zeros(len(keys_M), np.bool_)
        rows_M = np.searchsorted(self.keys_N, keys_M)
        np.minimum(rows_M, len(self) - 1, out=rows_M)
        return rows_M, self.keys_N[rows_M] == keys_M

    def table(self, rows_M: Int64Array) -> ItemTable:
        """Copies of these rows (`take` is a third faster than an index here)."""
        return ItemTable(
            keys_N=self.keys_N.take(rows_M, axis=0),
            vectors_ND=self.vectors_ND.take(rows_M, axis=0),
            kinds_N=self.kinds_N.take(rows_M, axis=0),
            languages_N=self.languages_N.take(rows_M, axis=0),
            topics_NT=self.topics_NT.take(rows_M, axis=0),
            published_N=self.published_N.take(rows_M, axis=0),
            expires_N=self.expires_N.take(rows_M, axis=0),
            hidden_N=self.hidden_N.take(rows_M, axis=0),
        )

    def label(self, row: int) -> tuple[ItemId, str]:
        """Id and title of a row."""
        start, middle, end = self.offsets[2 * row : 2 * row + 3]
        return (
            ItemId(self.text[start:middle].tobytes().decode()),
            self.text[middle:end].tobytes().decode(),
        )


def _mapped(folder: Path, name: str, scalar: type[_Scalar]) -> NDArray[_Scalar]:
    # A plain array on top of the map: np.memmap's own indexing costs microseconds a call.
    column = np.asarray(np.load(folder / f"{name}.npy", mmap_mode="r", allow_pickle=False))
    if column.dtype != scalar:
        raise ValueError(f"column {name} holds {column.dtype}, not {scalar.__name__}")
    return column


def write_columns(folder: Path, base: Columns | None, delta: Delta) -> int:
    """Write the columns of `base` with `delta` applied into `folder`; the number of items."""
    slots = delta.sorted_slots()
    fresh_keys = delta.view().keys_N[slots]
    old_rows = np.zeros(0, np.int64)
    if base is not None:
        gone = np.fromiter(delta.removed, np.int64, len(delta.removed))
        changed = np.concatenate([fresh_keys, gone])
        old_rows = np.flatnonzero(~np.isin(base.keys_N, changed))
    old_keys = base.keys_N[old_rows] if base is not None else old_rows
    order = np.argsort(np.concatenate([old_keys, fresh_keys]), kind="stable")
    merge = _Merge(folder, base, delta, old_rows=old_rows, slots=slots, order=order)
    for name, dtype, width in (
        ("keys", np.int64, ()),
        ("vectors", np.float32, (delta.dimension,)),
        ("kinds", np.int16, ()),
        ("languages", np.int32, ()),
        ("topics", np.int32, (TOPICS_PER_ITEM,)),
        ("published", np.float64, ()),
        ("expires", np.float64, ()),
        ("hidden", np.bool_, ()),
    ):
        merge.column(name, dtype, width)
    merge.texts()
    return len(order)


@dataclass(frozen=True, slots=True)
class _Merge:
    """Rows kept of the old columns and rows of the delta, brought into one order of keys.

    `order[i] < len(old_rows)` says that new row i is old row `old_rows[order[i]]`; otherwise
    it is delta row `slots[order[i] - len(old_rows)]`.
    """

    folder: Path
    base: Columns | None
    delta: Delta
    old_rows: Int64Array
    slots: Int64Array
    order: Int64Array

    def column(self, name: str, dtype: DTypeLike, width: tuple[int, ...]) -> None:
        """Write one column, some rows at a time."""
        target = np.lib.format.open_memmap(
            self.folder / f"{name}.npy", "w+", dtype, (len(self.order), *width)
        )
        for start in range(0, len(self.order), _ROWS_AT_ONCE):
            part = self.order[start : start + _ROWS_AT_ONCE]
            rows = target[start : start + len(part)]
            old = part < len(self.old_rows)
            if self.base is not None and old.any():
                source = getattr(self.base, _FIELDS[name])
                rows[old] = source[self.old_rows[part[old]]]
            if not old.all():
                fresh = getattr(self.delta.view(), _FIELDS[name])
                rows[~old] = fresh[self.slots[part[~old] - len(self.old_rows)]]
        target.flush()

    def texts(self) -> None:
        """Write ids and titles: runs of old rows are copied as they lie."""
        num_old = len(self.old_rows)
        lengths = np.zeros((len(self.order), 2), np.int64)
        old = self.order < num_old
        if self.base is not None:
            lengths[old] = np.diff(self.base.offsets).reshape(-1, 2)[self.old_rows[self.order[old]]]
        texts = {
            int(place): self._texts(int(self.order[place]) - num_old)
            for place in np.flatnonzero(~old)
        }
        for place, (item, title) in texts.items():
            lengths[place] = len(item), len(title)
        offsets = np.zeros(2 * len(self.order) + 1, np.int64)
        np.cumsum(lengths.reshape(-1), out=offsets[1:])
        np.save(self.folder / "offsets.npy", offsets)
        target = np.lib.format.open_memmap(
            self.folder / "text.npy", "w+", np.uint8, (int(offsets[-1]),)
        )
        for place, pair in texts.items():
            start, end = offsets[2 * place], offsets[2 * place + 2]
            target[start:end] = np.frombuffer(b"".join(pair), np.uint8)
        if self.base is not None:
            self._copy_runs(self.base, np.flatnonzero(old), offsets, target)
        target.flush()

    def _texts(self, number: int) -> tuple[bytes, bytes]:
        slot = int(self.slots[number])
        return self.delta.ids[slot].encode(), self.delta.titles[slot].encode()

    def _copy_runs(
        self, base: Columns, places: Int64Array, offsets: Int64Array, target: NDArray[np.uint8]
    ) -> None:
        if not len(places):
            return
        rows = self.old_rows[self.order[places]]
        cuts = np.flatnonzero((np.diff(places) != 1) | (np.diff(rows) != 1)) + 1
        starts, ends = np.r_[0, cuts], np.r_[cuts, len(places)]
        for first, last in zip(starts.tolist(), (ends - 1).tolist(), strict=True):
            source = slice(base.offsets[2 * rows[first]], base.offsets[2 * rows[last] + 2])
            copied = slice(offsets[2 * places[first]], offsets[2 * places[last] + 2])
            target[copied] = base.text[source]


_FIELDS = {
    "keys": "keys_N",
    "vectors": "vectors_ND",
    "kinds": "kinds_N",
    "languages": "languages_N",
    "topics": "topics_NT",
    "published": "published_N",
    "expires": "expires_N",
    "hidden": "hidden_N",
}
