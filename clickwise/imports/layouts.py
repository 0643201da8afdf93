"""Which reader fits a path."""

import enum
from collections.abc import Callable
from pathlib import Path

from clickwise.errors import ConfigurationError
from clickwise.imports import movielens_wheel
from clickwise.imports.atomic import EVENTS, ITEMS, is_atomic, read_atomic
from clickwise.imports.deskdrop import is_deskdrop, read_deskdrop
from clickwise.imports.faults import reading
from clickwise.imports.feed import Feed
from clickwise.imports.jsonl import read_jsonl
from clickwise.imports.mind import is_mind, read_mind
from clickwise.imports.movielens import is_movielens, read_movielens_folder
from clickwise.imports.tables import TableOptions, read_table


class Layout(enum.StrEnum):
    """What `--format` takes."""

    AUTO = "auto"
    JSONL = "jsonl"
    CSV = "csv"
    PARQUET = "parquet"
    MOVIELENS = "movielens"
    DESKDROP = "deskdrop"
    MIND = "mind"
    RECBOLE = "recbole"


_FOLDERS: dict[Layout, tuple[Callable[[Path], bool], Callable[[Path], Feed], str]] = {
    Layout.MOVIELENS: (
        is_movielens,
        read_movielens_folder,
        "u.data and u.item, ratings.dat and movies.dat, or ratings.csv and movies.csv",
    ),
    Layout.DESKDROP: (is_deskdrop, read_deskdrop, "shared_articles.csv, users_interactions.csv"),
    Layout.MIND: (is_mind, read_mind, "news.tsv, behaviors.tsv"),
}
_ATOMIC = f"NAME{EVENTS}, NAME{ITEMS}"
# Known by name: they come with a package, and no folder need be named.
NAMED: dict[str, Callable[[], Feed]] = {movielens_wheel.NAME: movielens_wheel.read_feed}
_SUFFIXES = {
    ".jsonl": Layout.JSONL,
    ".ndjson": Layout.JSONL,
    ".csv": Layout.CSV,
    ".tsv": Layout.CSV,
    ".tab": Layout.CSV,
    ".parquet": Layout.PARQUET,
    EVENTS: Layout.RECBOLE,
    ITEMS: Layout.RECBOLE,
}


def open_feed(path: Path, layout: Layout, options: TableOptions) -> Feed:
    """The feed in a file or folder, or of a data set that is known by name.

    Raises:
        ConfigurationError: nothing there, not recognized, or not what `layout` says.
    """
    if is_named(path):
        return NAMED[str(path)]()
    if not path.exists():
        raise ConfigurationError(
            f"{path}: no such file or folder; known by name: {', '.join(NAMED)}"
        )
    chosen = recognized(path) if layout is Layout.AUTO else layout
    if chosen is Layout.RECBOLE:
        with reading(path):
            return read_atomic(path, options)
    if chosen in _FOLDERS:
        fits, read, files = _FOLDERS[chosen]
        folder = path if path.is_dir() else path.parent
        if not fits(folder):
            raise ConfigurationError(f"{folder} does not look like {chosen}: expected {files}")
        with reading(folder):
            return read(folder)
    if path.is_dir():
        raise ConfigurationError(f"{path} is a folder; {chosen} is read from a file")
    with reading(path):
        return read_jsonl(path) if chosen is Layout.JSONL else read_table(path, options)


def is_named(path: Path) -> bool:
    """Whether a path is the name of a data set and no file or folder."""
    return str(path) in NAMED and not path.exists()


def recognized(path: Path) -> Layout:
    """The layout that a path has by its names.

    Raises:
        ConfigurationError: none.
    """
    if path.is_dir():
        for layout, (fits, _, _) in _FOLDERS.items():
            if fits(path):
                return layout
        if is_atomic(path):
            return Layout.RECBOLE
        known = "; ".join(f"{layout}: {files}" for layout, (_, _, files) in _FOLDERS.items())
        raise ConfigurationError(
            f"{path} holds no layout that is known ({known}; {Layout.RECBOLE}: {_ATOMIC});"
            " name a file"
        )
    suffixes = [suffix.lower() for suffix in path.suffixes if suffix.lower() != ".gz"]
    found = _SUFFIXES.get(suffixes[-1]) if suffixes else None
    if found is None:
        raise ConfigurationError(
            f"{path}: its name does not say what it is ({', '.join(_SUFFIXES)} do); give --format:"
            f" {', '.join(one for one in Layout if one is not Layout.AUTO)}"
        )
    return found
