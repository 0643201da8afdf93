"""MIND, Microsoft's news data set: `news.tsv` and `behaviors.tsv` (Wu et al., ACL 2020).

Each line of behaviors is one visit: what was shown becomes impressions, what was clicked
becomes clicks a millisecond later, all with the visit as their `request` and their place. The
reading history that a line repeats has no times and is left out. Times have no zone; they are
taken as UTC.
"""

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import polars as pl

from clickwise.codec import JsonObject
from clickwise.imports.columns import read_csv, rows
from clickwise.imports.feed import Feed, Row

_NEWS = [
    "id", "category", "subcategory", "title", "body", "url", "title_entities", "body_entities",
]  # fmt: skip
_VISITS = ["visit", "user", "time", "history", "shown"]
_TIME = "%m/%d/%Y %I:%M:%S %p"
_CLICK_SECONDS = 0.001


def is_mind(folder: Path) -> bool:
    """True when the folder has both files."""
    return (folder / "news.tsv").is_file() and (folder / "behaviors.tsv").is_file()


def read_mind(folder: Path) -> Feed:
    """News with category and subcategory as topics; impressions and clicks in order of time.

    Raises:
        ConfigurationError: a file is no such table.
    """
    news = read_csv(folder / "news.tsv", separator="\t", names=_NEWS, quoted=False)
    items = news.select(
        "row",
        "id",
        pl.lit("news").alias("kind"),
        "title",
        "body",
        pl.lit("en").alias("language"),
        pl.concat_str(["category", "subcategory"], separator="|", ignore_nulls=True).alias(
            "topics"
        ),
        pl.col("url"),
    )
    visits = (
        read_csv(folder / "behaviors.tsv", separator="\t", names=_VISITS, quoted=False)
        .with_columns(pl.col("time").str.to_datetime(_TIME, strict=False).alias("when"))
        .sort("when", maintain_order=True)
    )
    shown = visits.select(
        pl.col("shown").str.count_matches(r"\S+").sum()
        + pl.col("shown").str.count_matches(r"-1\b").sum()
    ).item()
    newest = visits["when"].max()
    return Feed(
        items=lambda: rows(items, "news.tsv"),
        events=lambda: _events(visits),
        num_items=len(items),
        num_events=int(shown or 0),
        newest=newest.replace(tzinfo=UTC).timestamp() if isinstance(newest, datetime) else None,
        notes=("times have no zone in this data set and are taken as UTC",),
    )


def _events(visits: pl.DataFrame) -> Iterator[Row]:
    for visit in visits.iter_rows(named=True):
        place = f"behaviors.tsv:{visit['row']}"
        when = visit["when"]
        if when is None or visit["shown"] is None:
            yield Row(place, {}, fault=f"no time or no impressions in {str(visit['time'])!a}")
            continue
        yield from _visit(place, visit, when.replace(tzinfo=UTC).timestamp())


def _visit(place: str, visit: dict[str, str], time: float) -> Iterator[Row]:
    entries = visit["shown"].split()
    for position, entry in enumerate(entries):
        yield Row(place, _event(visit, entry, position, "impression", time))
    for position, entry in enumerate(entries):
        if entry.endswith("-1"):
            yield Row(place, _event(visit, entry, position, "click", time + _CLICK_SECONDS))


def _event(visit: dict[str, str], entry: str, position: int, kind: str, time: float) -> JsonObject:
    item = entry.rpartition("-")[0] or entry
    request = f"mind-{visit['visit']}"
    return {
        "id": f"{request}-{position}-{kind}",
        "user": visit["user"],
        "item": item,
        "type": kind,
        "time": time,
        "request": request,
        "position": position,
    }
