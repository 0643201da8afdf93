"""The example sessions of Serenade: anonymous visits to a shop, items without text.

`train.txt`, `valid.txt` and `test.txt` (also gzipped), tab-separated with the columns
SessionId, ItemId and Time in seconds (https://github.com/bolcom/serenade, Apache-2.0). A
session is a user here: nobody is known from one visit to the next.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl

from clickwise.errors import ConfigurationError
from clickwise.imports.columns import read_csv
from clickwise.imports.faults import reading
from training.data import Dataset, Items
from training.datasets.feeds import flat_log

NAME = "serenade"
_COLUMNS = ("SessionId", "ItemId", "Time")
_PARTS = ("train", "valid", "test")


@dataclass(frozen=True, slots=True)
class SessionParts:
    """The parts as published. All have the same catalogue, each its own sessions."""

    train: Dataset
    valid: Dataset
    test: Dataset


def is_serenade(folder: Path) -> bool:
    """True when the folder has the three parts."""
    return all(_file(folder, part) for part in _PARTS)


def read_serenade(folder: Path) -> Dataset:
    """The three parts as one log. Session ids carry their part: `train:10036`.

    Raises:
        ConfigurationError: a file is missing or no such table.
    """
    tables = _tables(folder)
    marked = [
        table.with_columns(pl.format("{}:{}", pl.lit(part), pl.col("session")).alias("session"))
        for part, table in zip(_PARTS, tables, strict=True)
    ]
    return _dataset(NAME, pl.concat(marked), _catalog(tables))


def read_session_parts(folder: Path) -> SessionParts:
    """The three parts apart, for the published protocol (`training.evaluation.sessions`).

    Raises:
        ConfigurationError: a file is missing or no such table.
    """
    tables = _tables(folder)
    items = _catalog(tables)
    train, valid, test = (
        _dataset(f"{NAME}-{part}", table, items) for part, table in zip(_PARTS, tables, strict=True)
    )
    return SessionParts(train, valid, test)


def _tables(folder: Path) -> list[pl.DataFrame]:
    return [_table(folder, part) for part in _PARTS]


def _table(folder: Path, part: str) -> pl.DataFrame:
    path = _file(folder, part)
    if path is None:
        raise ConfigurationError(f"{folder} has neither {part}.txt nor {part}.txt.gz")
    with reading(path):
        return read_csv(path, separator="\t").select(
            pl.col("SessionId").alias("session"),
            pl.col("ItemId").alias("item"),
            pl.col("Time").cast(pl.Float64).alias("time"),
        )


def _file(folder: Path, part: str) -> Path | None:
    for path in (folder / f"{part}.txt", folder / f"{part}.txt.gz"):
        if path.is_file():
            return path
    return None


def _catalog(tables: list[pl.DataFrame]) -> Items:
    """All items of the parts, in order of their first click."""
    ids = pl.concat([table["item"] for table in tables]).unique(maintain_order=True).to_list()
    nothing = ("",) * len(ids)
    return Items(
        ids=tuple(ids),
        titles=nothing,
        topics=((),) * len(ids),
        kinds=nothing,
        languages=nothing,
        published_I=np.zeros(len(ids), np.float64),
        texts=nothing,
    )


def _dataset(name: str, table: pl.DataFrame, items: Items) -> Dataset:
    places = {item: place for place, item in enumerate(items.ids)}
    sessions = table["session"].unique(maintain_order=True).to_list()
    numbers = {session: number for number, session in enumerate(sessions)}
    log = flat_log(
        [numbers[session] for session in table["session"]],
        [places[item] for item in table["item"]],
        table["time"].to_list(),
    )
    return Dataset(name, log, items, tuple(sessions))
