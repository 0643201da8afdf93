"""Builders of indexed items, and a catalogue with clusters such as real text has.

Shape suffixes: N = items, D = embedding dimension.
"""

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import numpy as np

from clickwise.types import ItemId, TopicCode, item_key
from clickwise.vectors.builder import Batch, ChangesAfter
from clickwise.vectors.port import Float32Array, IndexedItem, Removed


def an_item(name: str, vector_D: Sequence[float] | Float32Array, **facts: Any) -> IndexedItem:
    """An item that can be shown, with its vector made unit length; `facts` override."""
    vector = np.asarray(vector_D, np.float32)
    values: dict[str, Any] = {
        "key": item_key(name),
        "id": ItemId(name),
        "title": f"Title of {name}",
        "vector_D": vector / np.linalg.norm(vector),
        "kind": 0,
        "language": 1,
        "topics": (TopicCode(1),),
        "published": 1_000.0,
        "expires": np.inf,
        "hidden": False,
    }
    return IndexedItem(**{**values, **facts})


def clustered_vectors(count: int, dimension: int, *, seed: int, clusters: int = 40) -> Float32Array:
    """`count` unit vectors around random centers (N, D)."""
    rng = np.random.default_rng(seed)
    centers = rng.standard_normal((clusters, dimension), np.float32)
    vectors_ND = centers[rng.integers(0, clusters, count)]
    vectors_ND = vectors_ND + 0.8 * rng.standard_normal((count, dimension), np.float32)
    unit_ND: Float32Array = vectors_ND / np.linalg.norm(vectors_ND, axis=1, keepdims=True)
    return unit_ND


def clustered_items(count: int, dimension: int, *, seed: int = 0) -> list[IndexedItem]:
    """A catalogue `item-0` ... of five kinds, three languages and seven topics."""
    vectors_ND = clustered_vectors(count, dimension, seed=seed)
    return [
        an_item(
            f"item-{place}",
            vectors_ND[place],
            kind=place % 5,
            language=place % 3 + 1,
            topics=(TopicCode(place % 7 + 1), TopicCode(100 + place % 11)),
            published=float(place),
        )
        for place in range(count)
    ]


def queries_near(items: Sequence[IndexedItem], count: int, *, seed: int = 0) -> Float32Array:
    """Unit vectors close to some of the items, as readers' interests are (count, D)."""
    rng = np.random.default_rng(seed)
    chosen_ND = np.stack([items[place].vector_D for place in rng.integers(0, len(items), count)])
    noisy_ND = chosen_ND + 0.05 * rng.standard_normal(chosen_ND.shape, np.float32)
    unit_ND: Float32Array = noisy_ND / np.linalg.norm(noisy_ND, axis=1, keepdims=True)
    return unit_ND


def changes_of(
    changes: Iterable[tuple[int, IndexedItem | Removed]], *, batch: int = 500
) -> ChangesAfter:
    """A source for the builder: these numbered changes, in batches."""
    numbered = list(changes)

    def after(change: int) -> Iterator[Batch]:
        wanted = [pair for pair in numbered if pair[0] > change]
        for start in range(0, len(wanted), batch):
            yield wanted[start : start + batch]

    return after
