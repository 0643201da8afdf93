"""A CSV, TSV or Parquet file with columns of our field names, or of names that are mapped.

`--map user=user_id` says that our `user` is their `user_id`. Topics and tags are split at `|`.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import polars as pl

from clickwise.errors import ConfigurationError
from clickwise.imports.columns import read_csv, read_parquet, renamed, rows
from clickwise.imports.feed import Feed, nothing
from clickwise.imports.times import epoch_seconds


@dataclass(frozen=True, slots=True)
class TableOptions:
    """What the file itself does not say.

    `holds` is `items`, `events` or empty (told by its columns: with a user they are events).
    """

    mapping: Mapping[str, str] = field(default_factory=dict)
    holds: str = ""
    kind: str = ""
    event_type: str = ""


def read_table(path: Path, options: TableOptions) -> Feed:
    """Rows as items, or as events in order of time.

    Raises:
        ConfigurationError: no such file or column, or it is not clear what a row is.
    """
    table = renamed(_read(path), options.mapping)
    holds = options.holds or ("events" if "user" in table.columns else "items")
    if holds == "items":
        return items_of(table, path.name, options)
    return events_of(table, path.name, options)


def _read(path: Path) -> pl.DataFrame:
    name = path.name.removesuffix(".gz")
    if name.endswith(".parquet"):
        return read_parquet(path)
    table = read_csv(path, separator="\t" if name.endswith((".tsv", ".tab")) else ",")
    header = table.columns[1:]
    if len(header) == 1 and "\t" in header[0]:  # whatever its name says
        return read_csv(path, separator="\t")
    return table


def items_of(table: pl.DataFrame, name: str, options: TableOptions) -> Feed:
    """Rows with our columns as items.

    Raises:
        ConfigurationError: no kind, neither as a column nor in the options.
    """
    table = _with_default(table, "kind", options.kind, flag="--kind")
    return Feed(items=lambda: rows(table, name), events=nothing, num_items=len(table), num_events=0)


def events_of(table: pl.DataFrame, name: str, options: TableOptions) -> Feed:
    """Rows with our columns as events, in order of time.

    Raises:
        ConfigurationError: no type, neither as a column nor in the options.
    """
    table = _with_default(table, "type", options.event_type, flag="--type")
    if "id" not in table.columns:
        table = table.with_columns(_made_ids(table))
    newest = None
    if "time" in table.columns:
        table = table.with_columns(epoch_seconds(table["time"]).alias("when"))
        table = table.sort("when", maintain_order=True, nulls_last=False)
        newest = table["when"].max()
        table = table.drop("when")
    return Feed(
        items=nothing,
        events=lambda: rows(table, name),
        num_items=0,
        num_events=len(table),
        newest=float(newest) if isinstance(newest, int | float) else None,
    )


def _with_default(table: pl.DataFrame, column: str, value: str, *, flag: str) -> pl.DataFrame:
    if column in table.columns:
        return table
    if not value:
        raise ConfigurationError(f"there is no column {column!r}: map one, or give {flag}")
    return table.with_columns(pl.lit(value).alias(column))


def _made_ids(table: pl.DataFrame) -> pl.Series:
    """Ids made of the whole row, so that importing a file twice counts once."""
    names = [name for name in table.columns if name != "row"]
    text = table.select(
        pl.concat_str([pl.col(n).cast(pl.String).fill_null("") for n in names], separator="\x1f")
    ).to_series()
    from hashlib import blake2b

    ids = [f"row-{blake2b(one.encode(), digest_size=10).hexdigest()}" for one in text]
    return pl.Series("id", ids)
