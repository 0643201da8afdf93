"""Times of imported rows: read for ordering, and moved when a data set is old."""

from collections.abc import Iterator
from datetime import timedelta

import polars as pl

from clickwise.errors import InvalidInputError
from clickwise.imports.feed import Row
from clickwise.limits import parse_time

TIMED = ("time", "published", "expires")


def epoch_seconds(column: pl.Series) -> pl.Series:
    """Seconds since 1970 as far as a cell can be read, null where it cannot."""
    if column.dtype == pl.Datetime:
        return column.dt.epoch("us").cast(pl.Float64) / 1e6
    if column.dtype.is_numeric():
        return column.cast(pl.Float64)
    numbers = column.cast(pl.String).str.strip_chars().cast(pl.Float64, strict=False)
    if numbers.null_count() == column.null_count():
        return numbers
    return pl.Series(column.name, [_seconds(cell) for cell in column.to_list()], pl.Float64)


def moved(rows: Iterator[Row], seconds: float) -> Iterator[Row]:
    """The same rows with every readable time moved by `seconds`."""
    for row in rows:
        changes = {}
        for name in TIMED:
            if row.data.get(name) is not None:
                try:
                    moment = parse_time(row.data[name], name)
                except InvalidInputError:
                    continue  # as it came, to be refused with its reason
                changes[name] = (moment + timedelta(seconds=seconds)).timestamp()
        yield Row(row.place, {**row.data, **changes}, row.fault) if changes else row


def _seconds(cell: object) -> float | None:
    try:
        number = float(str(cell))
    except ValueError:
        try:
            return parse_time(cell, "time").timestamp()
        except InvalidInputError:
            return None
    return number
