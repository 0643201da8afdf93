"""Days on which a site's log is silent, or much quieter than the days around them."""

from collections.abc import Sequence

import msgspec
import numpy as np
import polars as pl

from clickwise.vectors.port import Float64Array

DAY_SECONDS = 86_400.0
AROUND_DAYS = 29  # four weeks and the day itself: every weekday is in it alike
LOW_SHARE = 0.2
# Fewer events a day than this, and a silent or a quiet day is nothing unusual.
USUAL_FOR_SILENT = 5.0
USUAL_FOR_LOW = 20.0


class QuietDays(msgspec.Struct, frozen=True, kw_only=True):
    """Consecutive days in UTC, first and last as dates; `usual` is the median a day around."""

    first: str
    last: str
    days: int
    events: int
    usual: float


def quiet_days(times_N: Float64Array) -> tuple[QuietDays, ...]:
    """Runs of quiet days between the first and the last event, which are seldom whole days.

    `times_N` are seconds since 1970, ascending.
    """
    if not len(times_N):
        return ()
    days_N = (times_N // DAY_SECONDS).astype(np.int64)
    start = int(days_N[0])
    counts = pl.Series(np.bincount(days_N - start), dtype=pl.Float64())
    usual = counts.rolling_median(AROUND_DAYS, min_samples=1, center=True)
    silent = (counts == 0.0) & (usual >= USUAL_FOR_SILENT)
    low = (counts < LOW_SHARE * usual) & (usual >= USUAL_FOR_LOW)
    quiet = (silent | low).to_numpy().copy()
    quiet[[0, -1]] = False
    runs = np.flatnonzero(np.diff(quiet.astype(np.int8), prepend=0, append=0))
    return tuple(
        QuietDays(
            first=_date(start + begin),
            last=_date(start + end - 1),
            days=end - begin,
            events=int(counts[begin:end].sum()),
            usual=float(usual[begin:end].max()),  # type: ignore[arg-type]  # of floats
        )
        for begin, end in _pairs(runs.tolist())
    )


def _pairs(bounds: Sequence[int]) -> list[tuple[int, int]]:
    return list(zip(bounds[::2], bounds[1::2], strict=True))


def _date(day: int) -> str:
    return str(np.datetime64(day, "D"))
