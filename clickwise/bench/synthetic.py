"""A made-up site: items in clusters, readers with tastes, what they did. The same for a seed.

A topic is a direction, each of its sections one near it, an item one near its section; what an
item adds on its own falls off over the dimensions as the spectra of text embeddings do, so that
a vector index has to work as it does on text. A reader follows a few sections and, for one
event in five, what everybody reads.

Shape suffixes: N = items, S = sections, T = topics, D = embedding dimension, E = events.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import numpy as np
from numpy.typing import NDArray

from clickwise.events import Event
from clickwise.items import Item
from clickwise.types import EventId, EventType, ItemId, ItemKind, UserId
from clickwise.vectors.port import Float32Array, Int64Array

NUM_TOPICS = 40
SECTIONS_PER_TOPIC = 12
ITEM_DAYS = 60.0
EVENT_DAYS = 20.0
_TOPIC, _SECTION, _OWN = 0.60, 0.55, 0.58  # weights in an item's vector: cosine .66 in a section
_LANGUAGES = ("en", "en", "en", "zh", "pt", "de")
_KINDS = (ItemKind.NEWS, ItemKind.ARTICLE, ItemKind.VIDEO, ItemKind.COURSE, ItemKind.AD)
_WORDS = (
    "market", "river", "season", "engine", "theater", "harvest", "signal", "border", "garden",
    "league", "museum", "carbon", "ticket", "canvas", "island", "voter", "rocket", "clinic",
    "pepper", "violin", "budget", "planet", "harbor", "recipe", "summit", "forest", "studio",
)  # fmt: skip
# What readers do, about as often as they do it.
_TYPES = (
    (EventType.CLICK, 0.55),
    (EventType.VIEW, 0.25),
    (EventType.LIKE, 0.07),
    (EventType.RATING, 0.05),
    (EventType.BOOKMARK, 0.04),
    (EventType.DISLIKE, 0.03),
    (EventType.HIDE, 0.01),
)


@dataclass(frozen=True, slots=True)
class Made:
    """Items with their vectors and sections; `by_section` lists the rows of each section and
    `popular` all rows, the most read first.
    """

    items: Sequence[Item]
    vectors_ND: Float32Array
    sections_N: Int64Array
    by_section: Sequence[Int64Array]
    popular: Int64Array


def make_items(count: int, *, dimension: int, now: datetime, seed: int = 1) -> Made:
    """`count` items; one in a hundred is hidden, one in fifty expires within the year."""
    rng = np.random.default_rng(seed)
    num_sections = min(NUM_TOPICS * SECTIONS_PER_TOPIC, max(4, count // 20))
    topics_S = np.arange(num_sections) % NUM_TOPICS
    topics_TD = _directions(rng, NUM_TOPICS, dimension)
    centers_SD = _TOPIC * topics_TD[topics_S] + _SECTION * _directions(rng, num_sections, dimension)
    sections_N = rng.integers(0, num_sections, count)
    vectors_ND = np.empty((count, dimension), np.float32)
    for start in range(0, count, 50_000):
        part = slice(start, min(start + 50_000, count))
        own = _directions(rng, part.stop - start, dimension, falling=True)
        vectors_ND[part] = _unit(centers_SD[sections_N[part]] + _OWN * own)
    ages_N = rng.exponential(ITEM_DAYS / 3, count).clip(0.0, ITEM_DAYS)
    items = [
        _item(row, int(section), int(topics_S[section]), now - timedelta(days=float(age)))
        for row, (section, age) in enumerate(zip(sections_N.tolist(), ages_N, strict=True))
    ]
    order = np.argsort(sections_N, kind="stable")
    bounds = np.searchsorted(sections_N[order], np.arange(num_sections + 1))
    return Made(
        items=items,
        vectors_ND=vectors_ND,
        sections_N=sections_N,
        by_section=[order[bounds[s] : bounds[s + 1]] for s in range(num_sections)],
        popular=rng.permutation(count),
    )


def make_item(row: int, *, now: datetime) -> Item:
    """One more item, published now, for what arrives while the site runs."""
    section = row * 7 % (NUM_TOPICS * SECTIONS_PER_TOPIC)
    return _item(row, section, section % NUM_TOPICS, now)


def user_id(number: int) -> UserId:
    """The id of a reader."""
    return UserId(f"reader-{number:07d}")


def make_events(
    made: Made, number: int, count: int, *, until: datetime, days: float = EVENT_DAYS
) -> list[Event]:
    """Reader `number`'s `count` events, in order of time; the same whenever it is asked."""
    rng = np.random.default_rng((2, number))
    rows = _read_rows(rng, made, count)
    names = [kind for kind, _ in _TYPES]
    kinds = rng.choice(len(_TYPES), count, p=[share for _, share in _TYPES]).tolist()
    ages = np.sort(rng.uniform(0.0, days * 86_400.0, count))[::-1].tolist()
    values = rng.uniform(1.0, 5.0, count).round(1).tolist()
    user = user_id(number)
    return [
        Event(
            id=EventId(f"e-{number}-{place}"),
            user=user,
            item=made.items[row].id,
            type=names[kind],
            time=until - timedelta(seconds=age),
            value=_value(names[kind], value),
        )
        for place, (row, kind, age, value) in enumerate(
            zip(rows.tolist(), kinds, ages, values, strict=True)
        )
    ]


def stream_of_events(
    made: Made, *, users: int, count: int, until: datetime, seed: int
) -> Iterator[Event]:
    """`count` events of many readers on popular items, in order of time; some read far more."""
    rng = np.random.default_rng((3, seed))
    readers = (users * rng.power(0.6, count)).astype(np.int64).tolist()
    rows = made.popular[zipf_ranks(rng, len(made.popular), count)].tolist()
    names = [kind for kind, _ in _TYPES]
    kinds = rng.choice(len(_TYPES), count, p=[share for _, share in _TYPES]).tolist()
    begin = until - timedelta(seconds=count * 0.01)
    for place, (reader, row, kind) in enumerate(zip(readers, rows, kinds, strict=True)):
        yield Event(
            id=EventId(f"s-{seed}-{place}"),
            user=user_id(reader),
            item=made.items[row].id,
            type=names[kind],
            time=begin + timedelta(seconds=place * 0.01),
            value=_value(names[kind], 4.0),
        )


def _read_rows(rng: np.random.Generator, made: Made, count: int) -> Int64Array:
    """Rows of items that one reader opens."""
    followed = rng.choice(len(made.by_section), min(4, len(made.by_section)), replace=False)
    weights = np.array([0.5, 0.25, 0.15, 0.1][: len(followed)])
    sections_E = rng.choice(followed, count, p=weights / weights.sum())
    everybody_E = rng.random(count) < 0.2
    places_E = rng.random(count)
    ranks_E = zipf_ranks(rng, len(made.popular), count)
    return np.array(
        [
            made.popular[rank]
            if everybody or not len(made.by_section[section])
            else made.by_section[section][int(place * len(made.by_section[section]))]
            for section, everybody, place, rank in zip(
                sections_E, everybody_E, places_E, ranks_E, strict=True
            )
        ],
        np.int64,
    )


def zipf_ranks(rng: np.random.Generator, size: int, count: int) -> Int64Array:
    """Ranks below `size`, rank r about proportional to 1 / (r + 1)."""
    drawn = np.exp(rng.random(count) * np.log(size + 1.0)) - 1.0
    ranks: Int64Array = np.minimum(drawn.astype(np.int64), size - 1)
    return ranks


def _value(kind: EventType, value: float) -> float | None:
    if kind is EventType.RATING:
        return value
    return value * 20.0 if kind is EventType.VIEW else None


def _item(row: int, section: int, topic: int, published: datetime) -> Item:
    words = [_WORDS[(row * step + section) % len(_WORDS)] for step in (1, 5, 11, 17)]
    return Item(
        id=ItemId(f"item-{row:07d}"),
        kind=_KINDS[row % 17 % len(_KINDS)],
        title=f"{' '.join(words)} {row} of section {section}".capitalize(),
        body=f"What section {section} has to say about {words[0]} and {words[1]}.",
        language=_LANGUAGES[row % len(_LANGUAGES)],
        topics=(f"topic {topic}", f"section {section}"),
        published=published.astimezone(UTC),
        expires=published + timedelta(days=400) if row % 50 == 0 else None,
        hidden=row % 100 == 99,
    )


def _directions(
    rng: np.random.Generator, count: int, dimension: int, *, falling: bool = False
) -> Float32Array:
    drawn = rng.standard_normal((count, dimension), np.float32)
    if falling:
        drawn *= (np.arange(1, dimension + 1, dtype=np.float32)) ** np.float32(-0.5)
    return _unit(drawn)


def _unit(vectors: NDArray[np.float32]) -> Float32Array:
    norms = np.sqrt(np.einsum("nd,nd->n", vectors, vectors))
    unit: Float32Array = (vectors / norms[:, None]).astype(np.float32)
    return unit
