"""Archived events as columns of numbers: distinct, in event-time order, weighed.

Two passes over the files: one for the users and items that occur, one that turns them into
places. What is held is numbers only. Shape suffixes: N = events.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

import numpy as np
import polars as pl
from numpy.typing import NDArray

from clickwise.archive.columns import EVENT_COLUMNS
from clickwise.events import Event
from clickwise.profile import weight_of
from clickwise.types import EVENT_CODES, EVENT_TYPES, EventId, EventType, ItemId, UserId
from clickwise.vectors.port import Float32Array, Float64Array, Int32Array, Int64Array
from training.data import Log, UInt8Array

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_SCHEMA = dict(EVENT_COLUMNS)
_VALUED = frozenset({EventType.VIEW, EventType.RATING})


@dataclass(frozen=True, slots=True)
class ArchivedEvents:
    """Events whose users and items are places in `users` and `items`, both sorted by id."""

    users: tuple[str, ...]
    items: tuple[str, ...]
    duplicates: int
    users_N: Int32Array
    items_N: Int32Array
    types_N: UInt8Array
    weights_N: Float32Array
    times_N: Float64Array

    def log(self, places: Int32Array) -> Log:
        """The log, with `places[i]` for the item that is i here."""
        return Log(self.users_N, places[self.items_N], self.types_N, self.weights_N, self.times_N)


def read_events(
    files: Sequence[pl.LazyFrame],
    *,
    since: datetime | None = None,
    until: datetime | None = None,
) -> ArchivedEvents:
    """The events in `files` (the archive's columns), by their own time from `since` to `until`.

    An event is known by the hash of its id, as it is where it is served. Of repeated ids the
    first to arrive stands. Events of types that this program does not know are left out.
    """
    parts = [_within(file, since, until) for file in files] or [pl.LazyFrame(schema=_SCHEMA)]
    users, items = (_ids(parts, name) for name in ("user", "item"))
    # File by file: one scan over all of them reads ahead without a bound that could be set.
    found = pl.concat(_numbers(part, users, items) for part in parts)
    # Columns one by one, and out of the frame: sorting it whole would hold it three times.
    arrival = [found.drop_in_place(name).to_numpy() for name in ("received", "partition", "offset")]
    repeated = _repeated(found.drop_in_place("key").to_numpy(), arrival)
    times_N = found.drop_in_place("time").to_numpy()
    order = np.lexsort((*reversed(arrival), times_N))
    del arrival
    if len(repeated):
        order = order[~np.isin(order, repeated)]
    types_N = found.drop_in_place("type").to_numpy()
    values_N = found.drop_in_place("value").fill_null(np.nan).to_numpy()
    return ArchivedEvents(
        users=tuple(users),
        items=tuple(items),
        duplicates=len(repeated),
        users_N=found.drop_in_place("user").to_numpy()[order],
        items_N=found.drop_in_place("item").to_numpy()[order],
        types_N=types_N[order],
        weights_N=weights_of(types_N, values_N)[order],
        times_N=times_N[order] / 1e6,
    )


def _repeated(keys_N: NDArray[np.uint64], arrival: Sequence[Int64Array]) -> NDArray[np.intp]:
    """Rows whose key another row has that arrived before."""
    order = np.argsort(keys_N)
    same = keys_N[order[1:]] == keys_N[order[:-1]]
    if not same.any():
        return np.empty(0, np.intp)
    shared = order[np.append(same, False) | np.append(False, same)]
    shared = shared[np.lexsort((*(column[shared] for column in reversed(arrival)), keys_N[shared]))]
    later: NDArray[np.intp] = shared[1:][keys_N[shared[1:]] == keys_N[shared[:-1]]]
    return later


def weights_of(types_N: UInt8Array, values_N: Float64Array) -> Float32Array:
    """What `profile.weight_of` gives for each event; a value that is not known is NaN.

    The rule itself is asked, once for each type and value that occur.
    """
    weights_N = np.zeros(len(types_N), np.float32)
    for kind in EVENT_TYPES:
        of_kind: NDArray[np.intp] = np.flatnonzero(types_N == EVENT_CODES[kind])
        if not len(of_kind):
            continue
        if kind not in _VALUED:
            weights_N[of_kind] = _weight(kind, np.nan)
            continue
        values, places = np.unique(values_N[of_kind], return_inverse=True)
        weights = np.array([_weight(kind, value) for value in values.tolist()], np.float32)
        weights_N[of_kind] = weights[places]
    return weights_N


def _weight(kind: EventType, value: float) -> float:
    known = None if np.isnan(value) else value
    event = Event(
        id=EventId("e"), user=UserId("u"), item=ItemId("i"), type=kind, time=_EPOCH, value=known
    )
    return weight_of(event)


def _within(rows: pl.LazyFrame, since: datetime | None, until: datetime | None) -> pl.LazyFrame:
    rows = rows.filter(pl.col("type").is_in(list(EVENT_TYPES)))
    if since is not None:
        rows = rows.filter(pl.col("time") >= since)
    if until is not None:
        rows = rows.filter(pl.col("time") < until)
    return rows


def _ids(parts: Sequence[pl.LazyFrame], name: str) -> list[str]:
    found = pl.concat(part.select(pl.col(name).unique()) for part in parts)
    ids: list[str] = found.unique().collect(engine="streaming")[name].sort().to_list()
    return ids


def _numbers(rows: pl.LazyFrame, users: Sequence[str], items: Sequence[str]) -> pl.DataFrame:
    """Events as numbers only: the key of the id, places, times in microseconds since 1970."""
    return rows.select(
        pl.col("id").hash().alias("key"),
        pl.col("user").cast(pl.Enum(users)).to_physical().cast(pl.Int32),
        pl.col("item").cast(pl.Enum(items)).to_physical().cast(pl.Int32),
        pl.col("type").replace_strict(EVENT_CODES, return_dtype=pl.UInt8),
        pl.col("time").dt.epoch("us"),
        "value",
        pl.col("received").dt.epoch("us"),
        "partition",
        "offset",
    ).collect(engine="streaming")
