"""CI&T Deskdrop: articles shared inside a company, and what people did with them.

The two Kaggle files (`shared_articles.csv`, `users_interactions.csv`), or the same gzipped
with fewer columns (`articles.csv.gz`, `interactions.csv.gz`, and texts as JSON lines). A
comment counts as a share and a follow as a bookmark: the types nearest to them.
"""

import gzip
from pathlib import Path

import msgspec
import polars as pl

from clickwise.errors import ConfigurationError
from clickwise.imports.columns import read_csv, rows
from clickwise.imports.faults import BROKEN
from clickwise.imports.feed import Feed

TYPES = {
    "VIEW": "view",
    "LIKE": "like",
    "BOOKMARK": "bookmark",
    "COMMENT CREATED": "share",
    "FOLLOW": "bookmark",
}
_LAYOUTS = (
    ("users_interactions.csv", "shared_articles.csv"),
    ("interactions.csv.gz", "articles.csv.gz"),
)


class _Article(msgspec.Struct, rename={"content_id": "contentId"}):
    content_id: str | int
    text: str | None


_articles = msgspec.json.Decoder(_Article)


def is_deskdrop(folder: Path) -> bool:
    """True when the folder has the files of one of the layouts."""
    return any((folder / a).is_file() and (folder / b).is_file() for a, b in _LAYOUTS)


def read_deskdrop(folder: Path) -> Feed:
    """Articles (removed ones hidden) and interactions in order of time.

    Raises:
        ConfigurationError: a file is no such table.
    """
    interactions, articles = next(
        pair for pair in _LAYOUTS if all((folder / name).is_file() for name in pair)
    )
    events = _events(read_csv(folder / interactions))
    items = _items(read_csv(folder / articles), _texts(folder))
    newest = events["time"].max()
    return Feed(
        items=lambda: rows(items, articles),
        events=lambda: rows(events, interactions),
        num_items=len(items),
        num_events=len(events),
        newest=float(newest) if isinstance(newest, int | float) else None,
    )


def _events(table: pl.DataFrame) -> pl.DataFrame:
    return table.select(
        "row",
        pl.format(
            "dd-{}-{}-{}-{}",
            pl.col("timestamp"),
            pl.col("personId"),
            pl.col("contentId"),
            pl.col("eventType").str.slice(0, 1),
        ).alias("id"),
        pl.col("personId").alias("user"),
        pl.col("contentId").alias("item"),
        # What has no type here keeps its own name, to be refused with it.
        pl.col("eventType").replace(TYPES).alias("type"),
        pl.col("timestamp").cast(pl.Float64, strict=False).alias("time"),
        pl.col("sessionId").alias("session"),
    ).sort("time", maintain_order=True)


def _items(table: pl.DataFrame, texts: dict[str, str | None]) -> pl.DataFrame:
    shared = "sharedAt" if "sharedAt" in table.columns else "timestamp"
    latest = table.unique("contentId", keep="last", maintain_order=True)
    body = (
        pl.col("text")
        if "text" in table.columns
        else pl.col("contentId").replace_strict(texts, default=None, return_dtype=pl.String)
    )
    return latest.select(
        "row",
        pl.col("contentId").alias("id"),
        pl.lit("article").alias("kind"),
        pl.col("title"),
        body.alias("body"),
        pl.when(pl.col("lang").str.contains("^[a-z]{2}$")).then(pl.col("lang")).alias("language"),
        pl.col("url"),
        pl.col("authorPersonId").alias("author"),
        pl.col(shared).cast(pl.Float64, strict=False).alias("published"),
        (pl.col("eventType") == "CONTENT REMOVED").alias("hidden"),
    )


def _texts(folder: Path) -> dict[str, str | None]:
    """Full texts, where a file of them lies beside."""
    texts: dict[str, str | None] = {}
    for path in sorted(folder.glob("article_text*.jsonl.gz")):
        number = 0
        try:
            with gzip.open(path, "rb") as lines:
                for number, line in enumerate(lines, 1):  # noqa: B007  # faults tell it
                    article = _articles.decode(line)
                    texts[str(article.content_id)] = article.text
        except msgspec.DecodeError as error:
            raise ConfigurationError(f"{path}:{number}: {error}") from error
        except BROKEN as error:
            raise ConfigurationError(f"{path} ends after line {number}: {error}") from error
    return texts
