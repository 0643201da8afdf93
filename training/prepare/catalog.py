"""Archived items as columns: each as it is now, with its text and the vectors that it had.

Shape suffixes: I = items, D = dimension of the text vectors.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl

from clickwise.archive.columns import ITEM_COLUMNS
from clickwise.items import Item
from clickwise.text import item_text
from clickwise.types import ItemId, ItemKind
from clickwise.vectors.port import Float32Array, Int32Array
from training.data import Items, Pictures

_COLUMNS = ("id", "kind", "title", "body", "language", "topics", "tags", "published")


@dataclass(frozen=True, slots=True)
class ArchivedItems:
    """All items, sorted by id. `unknown` ids are in events only: there is nothing about them."""

    items: Items
    unknown: frozenset[str]

    def places_of(self, ids: Sequence[str]) -> Int32Array:
        """Places of these ids, all of which are there."""
        places = {item: place for place, item in enumerate(self.items.ids)}
        return np.array([places[item] for item in ids], np.int32)


def read_items(files: Sequence[pl.LazyFrame], *, mentioned: Collection[str]) -> ArchivedItems:
    """The items in `files` (the archive's columns) and those that are only `mentioned`.

    Of an item's rows the one of its last change stands; a deleted item is unknown.
    """
    rows = pl.concat(files) if files else pl.LazyFrame(schema=dict(ITEM_COLUMNS))
    newest = rows.group_by("id").agg(pl.col("change").max())
    live = rows.join(newest, on=["id", "change"], how="semi").filter(~pl.col("deleted"))
    found = live.select(_COLUMNS).collect(engine="streaming")
    known = {row["id"]: _item(row) for row in found.iter_rows(named=True)}
    ids = tuple(sorted(known.keys() | set(mentioned)))
    items = [known.get(name) for name in ids]
    found_text = _vectors(live, ids, model="model", vector="vector")
    found_pictures = _vectors(live, ids, model="image_model", vector="image_vector")
    return ArchivedItems(
        items=Items(
            ids=ids,
            titles=tuple(item.title if item else "" for item in items),
            topics=tuple(item.subjects if item else () for item in items),
            kinds=tuple(item.kind.value if item else "" for item in items),
            languages=tuple((item.language or "") if item else "" for item in items),
            published_I=np.array([_published(item) for item in items], np.float64),
            texts=tuple(item_text(item) if item else "" for item in items),
            text_ID=found_text[1] if found_text is not None else None,
            text_model=found_text[0] if found_text is not None else "",
            pictures=Pictures(*found_pictures) if found_pictures is not None else None,
        ),
        unknown=frozenset(name for name, item in zip(ids, items, strict=True) if item is None),
    )


def _item(row: Mapping[str, Any]) -> Item:
    return Item(
        id=ItemId(row["id"]),
        kind=ItemKind(row["kind"]),
        title=row["title"],
        body=row["body"],
        language=row["language"],
        topics=tuple(row["topics"]),
        tags=tuple(row["tags"]),
        published=row["published"],
    )


def _published(item: Item | None) -> float:
    return item.published.timestamp() if item and item.published else 0.0


def _vectors(
    live: pl.LazyFrame, ids: Sequence[str], *, model: str, vector: str
) -> tuple[str, Float32Array] | None:
    """The model that wrote last, by these two columns, and its vectors (I, D), zero rows for items
    without one.

    None where there are none at all. Vectors of an earlier model lie in another space.
    """
    with_vector = live.filter(pl.col(vector).is_not_null())
    last = with_vector.select(pl.col(model, vector).sort_by("change").last()).collect(
        engine="streaming"
    )
    name, sample = last.row(0) if last.height else (None, None)
    if sample is None:
        return None
    dimension = len(sample) // 4
    places = {item: place for place, item in enumerate(ids)}
    vectors_ID = np.zeros((len(ids), dimension), np.float32)
    of_model = with_vector.filter(pl.col(model) == name).select("id", vector)
    for item, stored in of_model.collect(engine="streaming").iter_rows():
        vectors_ID[places[item]] = np.frombuffer(stored, "<f4")
    return name, vectors_ID
