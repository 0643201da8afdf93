"""JSON lines: items and events as the HTTP interface takes them, one a line, also gzipped.

A line with a `user` is an event, any other an item. The file is read twice: once to find where
the lines begin and when their events happened, once in order of time, so that what is held in
memory is two numbers a line and not the file.
"""

import gzip
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import BinaryIO

import numpy as np

from clickwise.codec import JsonObject, decode_object
from clickwise.errors import ConfigurationError, InvalidInputError
from clickwise.imports.faults import BROKEN, reading
from clickwise.imports.feed import Feed, Row
from clickwise.limits import parse_time
from clickwise.vectors.port import Float64Array, Int64Array

READ_LIMIT_BYTES = 16_000_000  # a longer line is refused by every door anyway


def read_jsonl(path: Path) -> Feed:
    """Items in the order of the file, then events in order of time.

    Lines that are no JSON come with the items, as faults, so that whoever reads items alone has
    them too. Events without a time, or with one
    that cannot be read, come first, to be judged by the door.

    Raises:
        ConfigurationError: the file cannot be read to its end.
    """
    items_N, events_N, times_N = _scanned(path)
    order = np.argsort(times_N, kind="stable")
    known = times_N[np.isfinite(times_N)]
    return Feed(
        items=lambda: _rows(path, items_N),
        events=lambda: _rows(path, events_N[order]),
        num_items=len(items_N),
        num_events=len(events_N),
        newest=float(known.max()) if len(known) else None,
    )


def _scanned(path: Path) -> tuple[Int64Array, Int64Array, Float64Array]:
    """Line numbers and places of items and of events: (line << 40 | offset), and event times."""
    items: list[int] = []
    events: list[int] = []
    times: list[float] = []
    offset = 0
    number = 0
    try:
        with _opened(path) as lines:
            for number, line in enumerate(lines, 1):
                place = number << 40 | offset
                offset += len(line)
                if not line.strip():
                    continue
                data = _decoded(line)
                if data is None or "user" not in data:
                    items.append(place)
                else:
                    events.append(place)
                    times.append(_time_of(data))
    except BROKEN as error:
        raise ConfigurationError(f"{path} cannot be read after line {number}: {error}") from error
    return np.array(items, np.int64), np.array(events, np.int64), np.array(times, np.float64)


def _rows(path: Path, places_N: Int64Array) -> Iterator[Row]:
    with reading(path), _opened(path) as lines:
        for place in places_N.tolist():
            lines.seek(place & ((1 << 40) - 1))
            line = lines.readline()
            where = f"{path.name}:{place >> 40}"
            try:
                yield Row(where, decode_object(line, limit=READ_LIMIT_BYTES))
            except InvalidInputError as error:
                yield Row(where, {}, fault=str(error))


def _opened(path: Path) -> BinaryIO:
    """Gzip seeks too (backwards by reading from the start): sort such files first if large."""
    if path.suffix == ".gz":
        return gzip.open(path, "rb")  # type: ignore[return-value]  # GzipFile is one in all but name
    return path.open("rb")


def _decoded(line: bytes) -> JsonObject | None:
    try:
        return decode_object(line, limit=READ_LIMIT_BYTES)
    except InvalidInputError:
        return None


def _time_of(data: JsonObject) -> float:
    if "time" not in data:
        return -np.inf
    try:
        moment: datetime = parse_time(data["time"], "time")
    except InvalidInputError:
        return -np.inf
    return moment.timestamp()
