"""MovieLens in its three layouts (https://grouplens.org/datasets/movielens/): films, ratings.

ml-100k: `u.data` and `u.item`; ml-1m and ml-10m: `ratings.dat` and `movies.dat`, fields
separated by `::`; ml-latest and later: `ratings.csv` and `movies.csv`. Half a star, which only
the later ones have, becomes one star, the least that a rating can be.
"""

import re
from collections.abc import Iterator
from pathlib import Path

import polars as pl

from clickwise.imports.columns import read_csv, read_csv_bytes, rows
from clickwise.imports.feed import Feed, Row

GENRES = (
    "unknown", "Action", "Adventure", "Animation", "Children's", "Comedy", "Crime",
    "Documentary", "Drama", "Fantasy", "Film-Noir", "Horror", "Musical", "Mystery", "Romance",
    "Sci-Fi", "Thriller", "War", "Western",
)  # fmt: skip
_RATING = ["userId", "movieId", "rating", "timestamp"]
_FILM = ["movieId", "title", "genres"]
_YEAR = r"\((\d{4})\)\s*$"


def is_movielens(folder: Path) -> bool:
    """True when the folder has the files of one of the layouts."""
    return any(
        (folder / ratings).is_file() and (folder / films).is_file()
        for ratings, films in (
            ("u.data", "u.item"),
            ("ratings.dat", "movies.dat"),
            ("ratings.csv", "movies.csv"),
        )
    )


def read_movielens_folder(folder: Path) -> Feed:
    """Films as videos, ratings in order of time.

    Raises:
        ConfigurationError: a file is missing or no such table.
    """
    if (folder / "u.data").is_file():
        ratings = read_csv(folder / "u.data", separator="\t", names=_RATING, quoted=False)
        films = _films_100k(folder / "u.item")
        names = ("u.data", "u.item")
    elif (folder / "ratings.dat").is_file():
        ratings = _read_dat(folder / "ratings.dat", _RATING)
        films = _read_dat(folder / "movies.dat", _FILM)
        names = ("ratings.dat", "movies.dat")
    else:
        ratings = read_csv(folder / "ratings.csv")
        films = read_csv(folder / "movies.csv")
        names = ("ratings.csv", "movies.csv")
    events = _events(ratings)
    items = _items(films)
    newest = events["time"].max()
    return Feed(
        items=lambda: rows(items, names[1]),
        events=lambda: rows(events, names[0]),
        num_items=len(items),
        num_events=len(events),
        newest=float(newest) if isinstance(newest, int | float) else None,
    )


def read_films(path: Path) -> Iterator[Row]:
    """The films of a `movies.dat` alone, as items."""
    return rows(_items(_read_dat(path, _FILM)), path.name)


def _events(ratings: pl.DataFrame) -> pl.DataFrame:
    stars = pl.col("rating").cast(pl.Float64, strict=False)
    return ratings.select(
        "row",
        pl.format("ml-{}-{}", pl.col("userId"), pl.col("movieId")).alias("id"),
        pl.col("userId").alias("user"),
        pl.col("movieId").alias("item"),
        pl.lit("rating").alias("type"),
        pl.when(stars < 1.0).then(1.0).otherwise(stars).alias("value"),
        pl.col("timestamp").cast(pl.Float64, strict=False).alias("time"),
    ).sort("time", maintain_order=True)


def _items(films: pl.DataFrame) -> pl.DataFrame:
    title = pl.col("title").str.strip_chars()
    return films.select(
        "row",
        pl.col("movieId").alias("id"),
        pl.lit("video").alias("kind"),
        title.str.replace(_YEAR, "").str.strip_chars().alias("title"),
        pl.format("{}-01-01T00:00:00Z", title.str.extract(_YEAR)).alias("published"),
        pl.col("genres").str.replace_all(re.escape("(no genres listed)"), "").alias("topics"),
    )


def _films_100k(path: Path) -> pl.DataFrame:
    columns = ["movieId", "title", "released", "video_released", "imdb", *GENRES]
    films = read_csv(path, separator="|", names=columns, latin=True, quoted=False)
    genres = pl.concat_str(
        [pl.when(pl.col(g) == "1").then(pl.lit(g)) for g in GENRES if g != "unknown"],
        separator="|",
        ignore_nulls=True,
    )
    return films.select("row", "movieId", "title", genres.alias("genres"))


def _read_dat(path: Path, names: list[str]) -> pl.DataFrame:
    content = path.read_bytes().decode("latin-1").encode().replace(b"::", b"\t")
    return read_csv_bytes(content, path.name, separator="\t", names=names, quoted=False)
