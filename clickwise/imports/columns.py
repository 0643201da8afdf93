"""Tables (CSV, TSV, Parquet) become items or events: column names and cell types are mapped.

Shared by the plain table reader and by the readers of known layouts, which differ in how
their columns are made, not in how rows are read.
"""

from collections.abc import Iterator, Mapping
from datetime import date, datetime
from pathlib import Path

import polars as pl

from clickwise.codec import JsonObject
from clickwise.errors import ConfigurationError
from clickwise.imports.feed import Row

ROWS_AT_ONCE = 10_000
_LISTS = frozenset({"topics", "tags"})
_NUMBERS = frozenset({"value", "position", "schema_version"})
_FLAGS = {"true": True, "1": True, "yes": True, "false": False, "0": False, "no": False}


def read_csv(
    path: Path,
    *,
    separator: str = ",",
    names: list[str] | None = None,
    latin: bool = False,
    quoted: bool = True,
) -> pl.DataFrame:
    """A delimited file, also gzipped, with every cell as text and a column `row` from 1.

    Short rows end in nulls, cells too many are dropped. `names` for files without a header.

    Raises:
        ConfigurationError: there is no such file, or it is no such table.
    """
    return read_csv_bytes(
        _content(path, latin=latin), path.name, separator=separator, names=names, quoted=quoted
    )


def read_csv_bytes(
    content: bytes, name: str, *, separator: str, names: list[str] | None, quoted: bool
) -> pl.DataFrame:
    """`read_csv` on bytes in UTF-8 or gzip."""
    try:
        return pl.read_csv(
            content,
            has_header=names is None,
            new_columns=names,
            separator=separator,
            quote_char='"' if quoted else None,
            infer_schema=False,
            truncate_ragged_lines=True,
            encoding="utf8-lossy",
        ).with_row_index("row", offset=2 if names is None else 1)
    except (pl.exceptions.PolarsError, OSError) as error:
        raise ConfigurationError(f"{name} cannot be read as a table: {error}") from error


def read_parquet(path: Path) -> pl.DataFrame:
    """A Parquet file with a column `row` from 1."""
    try:
        return pl.read_parquet(path).with_row_index("row", offset=1)
    except (pl.exceptions.PolarsError, OSError) as error:
        raise ConfigurationError(f"{path} cannot be read as Parquet: {error}") from error


def renamed(table: pl.DataFrame, mapping: Mapping[str, str]) -> pl.DataFrame:
    """The table with columns under our names; `mapping` is ours to theirs.

    Raises:
        ConfigurationError: a column that `mapping` names is not there.
    """
    missing = [theirs for theirs in mapping.values() if theirs not in table.columns]
    if missing:
        there = table.columns[1:]
        found = ", ".join(map(repr, there[:20]))
        # One column with all names in it is a table that was cut at the wrong character.
        hint = "; is it separated by commas or tabs?" if len(there) == 1 else ""
        raise ConfigurationError(f"no column {missing[0]!r}; there are: {found}{hint}")
    taken = [ours for ours in mapping if ours in table.columns and mapping[ours] != ours]
    kept = table.drop([name for name in taken if name not in mapping.values()])
    return kept.with_columns(pl.col(theirs).alias(ours) for ours, theirs in mapping.items())


def rows(table: pl.DataFrame, name: str) -> Iterator[Row]:
    """Each row as an object: empty cells left out, lists split, numbers parsed."""
    for begin in range(0, len(table), ROWS_AT_ONCE):
        for cells in table[begin : begin + ROWS_AT_ONCE].iter_rows(named=True):
            number = cells.pop("row")
            yield Row(f"{name}:{number}", _object(cells))


def _object(cells: dict[str, object]) -> JsonObject:
    data: JsonObject = {}
    for name, cell in cells.items():
        value = _value(name, cell)
        if value is not None and value != "":
            data[name] = value
    return data


def _value(name: str, cell: object) -> object:
    if isinstance(cell, list):
        return [str(one) for one in cell]
    if isinstance(cell, datetime):
        return cell.isoformat()  # without an offset it is refused as ambiguous, and says so
    if isinstance(cell, date):
        return f"{cell.isoformat()}T00:00:00Z"
    if not isinstance(cell, str):
        return str(cell) if cell is not None and name in ("id", "user", "item") else cell
    text = cell.strip()
    if name in _LISTS:
        return [part.strip() for part in text.split("|") if part.strip()]
    if name == "hidden":
        return _FLAGS.get(text.lower(), text) if text else None
    if name in _NUMBERS or name in ("time", "published", "expires"):
        return _number(text)
    return cell


def _number(text: str) -> object:
    """The number in a cell; the text itself when it is none, for the door to judge."""
    try:
        value = float(text)
    except ValueError:
        return text
    return int(value) if value.is_integer() and "." not in text else value


def _content(path: Path, *, latin: bool) -> bytes:
    try:
        content = path.read_bytes()
    except OSError as error:
        raise ConfigurationError(f"{path} cannot be read: {error.strerror}") from error
    return content.decode("latin-1").encode() if latin else content
