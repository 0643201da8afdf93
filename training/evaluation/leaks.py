"""Does a training part know what the test part asks about? Each way that it can is looked for.

Shape suffixes: N = events, I = items.
"""

import enum

import msgspec
import numpy as np
from numpy.typing import NDArray

from clickwise.vectors.port import Float64Array
from training.data import Dataset, Log

REPEAT_SECONDS = 60.0
_MOST = 0.5


class LeakKind(enum.StrEnum):
    """What leaked."""

    SHARED_EVENT = "an event is in both parts"
    REPEATED_EVENT = "an event and its repeat lie on both sides of the split"
    LATE_EVENT = "a training event is not before the cut"
    LATER_PUBLICATION = "an item of training events is published after the cut"
    PUBLICATION_FROM_TEST = "items are published just when the test part first names them"
    POPULARITY_FROM_TEST = "popularity counts more events than the training part has"


class Leak(msgspec.Struct, frozen=True):
    """A way in which the future reached the training part; `number` of events or items."""

    kind: LeakKind
    number: int


def find_leaks(
    train: Dataset,
    test: Log,
    *,
    cut: float | None = None,
    popularity_I: Float64Array | None = None,
    repeat_seconds: float = REPEAT_SECONDS,
) -> tuple[Leak, ...]:
    """Every leak from `test` into `train`.

    `cut` is the time of a split by time; without it, order and publication are not looked at.
    `popularity_I` are events per item as some model counts them. Events of equal user, item
    and type within `repeat_seconds` are repeats of one (infinity: at any time).
    """
    log = train.log
    gaps_N = _seconds_to_nearest(test, log)
    numbers = {
        LeakKind.SHARED_EVENT: int((gaps_N == 0.0).sum()),
        LeakKind.REPEATED_EVENT: int(((gaps_N > 0.0) & (gaps_N <= repeat_seconds)).sum()),
    }
    if cut is not None:
        numbers[LeakKind.LATE_EVENT] = int((log.times_N >= cut).sum())
        numbers[LeakKind.LATER_PUBLICATION] = _num_published_later(train, cut)
        numbers[LeakKind.PUBLICATION_FROM_TEST] = _num_published_by_test(train, test)
    if popularity_I is not None:
        counts_I = np.bincount(log.items_N, minlength=len(train.items))
        numbers[LeakKind.POPULARITY_FROM_TEST] = int((popularity_I > counts_I).sum())
    return tuple(Leak(kind, number) for kind, number in numbers.items() if number)


def _seconds_to_nearest(test: Log, train: Log) -> Float64Array:
    """For each test event, how far off the next training event of equal kind is (NaN: none)."""
    keys_N = np.concatenate((_keys(train), _keys(test)))
    times_N = np.concatenate((train.times_N, test.times_N))
    rows_N = np.lexsort((times_N, keys_N))
    gaps_N = np.full(len(rows_N), np.nan)
    for order in (rows_N, rows_N[::-1]):  # the one before, and the one after
        place_N = np.where(order < len(train), np.arange(len(order)), -1)
        before_N = order[np.maximum.accumulate(place_N)] if len(order) else order
        same_N = (before_N < len(train)) & (keys_N[before_N] == keys_N[order])
        gap_N = np.where(same_N, np.abs(times_N[order] - times_N[before_N]), np.nan)
        gaps_N[order] = np.fmin(gaps_N[order], gap_N)
    return gaps_N[len(train) :]


def _keys(log: Log) -> NDArray[np.int64]:
    """One number for user, item and type."""
    pairs_N = (log.users_N.astype(np.int64) << 31) + log.items_N.astype(np.int64)
    keys_N: NDArray[np.int64] = (pairs_N << 5) + log.types_N.astype(np.int64)
    return keys_N


def _num_published_later(train: Dataset, cut: float) -> int:
    known_I = np.zeros(len(train.items), np.bool_)
    known_I[train.log.items_N] = True
    return int((known_I & (train.items.published_I >= cut)).sum())


def _num_published_by_test(train: Dataset, test: Log) -> int:
    """New items published at the second of their first test event, if that is most of them."""
    first_I = np.full(len(train.items), np.inf)
    np.minimum.at(first_I, test.items_N, test.times_N)
    first_I[train.log.items_N] = np.inf
    new_I = np.isfinite(first_I)
    derived_I = new_I & (train.items.published_I == first_I)
    number = int(derived_I.sum())
    return number if number > _MOST * int(new_I.sum()) else 0
