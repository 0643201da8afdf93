"""RecBole's atomic files: `NAME.inter` (events) and `NAME.item`, tab-separated, with a header of
`name:type` (https://recbole.io/docs/user_guide/data/atomic_files.html).

What has a rating is one, anything else a click; a title and topics are taken from the columns
that its data sets have for them. `TableOptions` say what those do not.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import polars as pl

from clickwise.errors import ConfigurationError
from clickwise.imports.columns import read_csv, renamed
from clickwise.imports.feed import Feed, nothing
from clickwise.imports.tables import TableOptions, events_of, items_of
from clickwise.limits import MAX_TOPICS

EVENTS, ITEMS = ".inter", ".item"

# Ours, and their names for it: the first that a file has is taken.
_EVENT = {
    "user": ("user_id", "session_id"),
    "item": ("item_id",),
    "value": ("rating",),
    "time": ("timestamp",),
}
_ITEM = {
    "id": ("item_id",),
    "title": ("title", "movie_title", "name", "item_name"),
    "topics": ("class", "genre", "genres", "categories", "category"),
    "published": ("release_year",),
}


def is_atomic(folder: Path) -> bool:
    """True when a folder has the atomic files of one data set."""
    return len(_names(folder)) == 1 or _of(folder / folder.name) != (None, None)


def read_atomic(path: Path, options: TableOptions) -> Feed:
    """Items and events of the data set in a folder, or of a file and what is named like it.

    Raises:
        ConfigurationError: no such file, several data sets, or a column is missing.
    """
    events, items = _of(path.with_suffix("") if path.is_file() else _stem(path))
    tables = [_read(one) for one in (events, items) if one is not None]
    _check(options, tables)
    empty = Feed(items=nothing, events=nothing, num_items=0, num_events=0)
    lived = _events(tables[0], events.name, options) if events is not None else empty
    taken = _items(tables[-1], items.name, options) if items is not None else empty
    return replace(lived, items=taken.items, num_items=taken.num_items)


def _check(options: TableOptions, tables: Sequence[pl.DataFrame]) -> None:
    """What is mapped has to be in one of the files."""
    there = [name for table in tables for name in table.columns if name != "row"]
    for theirs in options.mapping.values():
        if _plain(theirs) not in there:
            raise ConfigurationError(
                f"no column {theirs!r}; there are: {', '.join(map(repr, there))}"
            )


def _stem(folder: Path) -> Path:
    names = _names(folder)
    if _of(folder / folder.name) != (None, None):
        return folder / folder.name
    if len(names) != 1:
        found = f"there are {', '.join(names)}: name a file" if names else "there is none"
        raise ConfigurationError(
            f"{folder}: expected one data set as NAME{EVENTS} and NAME{ITEMS}; {found}"
        )
    return folder / names[0]


def _names(folder: Path) -> list[str]:
    return sorted({path.stem for path in folder.iterdir() if path.suffix in (EVENTS, ITEMS)})


def _of(stem: Path) -> tuple[Path | None, Path | None]:
    """Its files of events and of items, as far as they are there."""
    events, items = (stem.with_name(f"{stem.name}{suffix}") for suffix in (EVENTS, ITEMS))
    return (events if events.is_file() else None), (items if items.is_file() else None)


def _events(raw: pl.DataFrame, name: str, options: TableOptions) -> Feed:
    table = _ours(raw, _EVENT, options)
    kind = options.event_type or ("rating" if "value" in table.columns else "click")
    return events_of(table, name, replace(options, event_type=kind))


def _items(raw: pl.DataFrame, name: str, options: TableOptions) -> Feed:
    table = _ours(raw, _ITEM, options)
    changes = []
    if "title" in table.columns:
        title = pl.col("title").fill_null("").str.strip_chars()
        title = pl.when(title == "").then(pl.lit("(untitled)")).otherwise(title)
        changes.append(title.alias("title"))
    if "topics" in table.columns:  # a sequence: its parts are separated by spaces
        parts = pl.col("topics").str.split(" ").list.head(MAX_TOPICS)
        changes.append(parts.list.join("|"))
    if "published" in table.columns:
        year = pl.col("published").str.extract(r"^(\d{4})$")
        changes.append(pl.format("{}-01-01T00:00:00Z", year).alias("published"))
    kind = options.kind or ("video" if "movie_title" in raw.columns else "")
    return items_of(table.with_columns(changes), name, replace(options, kind=kind))


def _read(path: Path) -> pl.DataFrame:
    """The columns without their types."""
    table = read_csv(path, separator="\t", quoted=False)
    return table.rename({name: _plain(name) for name in table.columns})


def _ours(
    table: pl.DataFrame, names: Mapping[str, Sequence[str]], options: TableOptions
) -> pl.DataFrame:
    known = {
        ours: next((name for name in theirs if name in table.columns), "")
        for ours, theirs in names.items()
    }
    given = {ours: _plain(theirs) for ours, theirs in options.mapping.items()}
    mapping = {**known, **given}
    return renamed(table, {ours: name for ours, name in mapping.items() if name in table.columns})


def _plain(name: str) -> str:
    """`item_id:token` without its type."""
    return name.partition(":")[0]
