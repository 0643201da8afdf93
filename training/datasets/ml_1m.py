"""MovieLens-1M: from the original files, or from the snapshot that LRURec was measured on.

The original (https://grouplens.org/datasets/movielens/1m/) is `ratings.dat` and `movies.dat`.
The snapshot, in the public repository Yueeeeeeee/LRURec, is a pickle of each user's films in
order of time, without times and stars, split for leave-one-out (at least five ratings a user
and a film): published figures compare on this very split. The licence of the data forbids
passing it on, so it is read where you fetched it.
"""

from pathlib import Path

from clickwise.errors import ConfigurationError
from clickwise.imports.faults import reading
from clickwise.imports.movielens import read_films, read_movielens_folder
from training.data import Dataset, Items
from training.datasets.feeds import flat_log, read_feed, read_rows
from training.datasets.snapshot import read_snapshot

NAME = "ml-1m"
_REPOSITORY_FILES = (
    Path("data/preprocessed/ml-1m_min_rating0-min_uc5-min_sc5-leave_one_out/dataset.pkl"),
    Path("data/ml-1m/movies.dat"),
)
_FILES = (Path("dataset.pkl"), Path("movies.dat"))


def is_ml_1m(folder: Path) -> bool:
    """True when the folder has the original files, the snapshot's two, or is its repository."""
    original = (folder / "ratings.dat").is_file() and (folder / "movies.dat").is_file()
    return original or _snapshot_files(folder) is not None


def read_ml_1m(folder: Path) -> Dataset:
    """Ratings with times and stars (original), or clicks in order (snapshot, `timed` False).

    In the snapshot a user's last event is the published test item, the one before it the
    validation item. Where a folder holds both, the snapshot is read.

    Raises:
        ConfigurationError: the files are missing or not what they should be.
    """
    files = _snapshot_files(folder)
    if files:
        return _snapshot(*files)
    if not is_ml_1m(folder):
        raise ConfigurationError(
            f"{folder} has neither ratings.dat and movies.dat nor dataset.pkl and movies.dat"
        )
    with reading(folder):
        return read_feed(NAME, read_movielens_folder(folder))


def _snapshot_files(folder: Path) -> tuple[Path, Path] | None:
    for pickle, films in (_REPOSITORY_FILES, _FILES):
        if (folder / pickle).is_file() and (folder / films).is_file():
            return folder / pickle, folder / films
    return None


def _snapshot(pickle: Path, movies: Path) -> Dataset:
    snapshot = read_snapshot(pickle)
    users: list[int] = []
    items: list[int] = []
    times: list[float] = []
    for user, films in enumerate(snapshot.histories):
        users += [user] * len(films)
        items += films
        times += map(float, range(len(films)))
    return Dataset(
        NAME,
        flat_log(users, items, times),
        _films(movies, snapshot.item_ids),
        snapshot.user_ids,
        timed=False,
    )


def _films(path: Path, ids: tuple[str, ...]) -> Items:
    """The films with these ids, in this order."""
    with reading(path):
        rows = {str(row.data["id"]): row for row in read_films(path)}
    missing = [film for film in ids if film not in rows]
    if missing:
        raise ConfigurationError(f"{path} lacks film {missing[0]}, which the snapshot has")
    return read_rows(NAME, items=(rows[film] for film in ids), events=()).items
