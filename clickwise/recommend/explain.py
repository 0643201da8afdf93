"""Places of a page become items of an answer: ids, titles, topics, sources, reasons."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from clickwise.bundle import Tower
from clickwise.errors import UnavailableError
from clickwise.ranking import Ranked
from clickwise.recommend.answers import Recommended
from clickwise.recommend.candidates import BIT, Pool
from clickwise.recommend.course import Course
from clickwise.recommend.features import Scored
from clickwise.recommend.names import TopicNames
from clickwise.recommend.reasons import Labels, because, reason
from clickwise.recommend.taste import Recent, Taste
from clickwise.types import ITEM_KINDS, ItemId, ItemKey
from clickwise.vectors.port import Float32Array, ItemIndex, ItemTable
from clickwise.writing.shown import ItemText

CO_CLICKED = 0.05  # from this strength on, co-clicks are the reason
NAMED = 2  # events that a reason names


_PERSONAL = BIT["interest"] | BIT["co_clicked"] | BIT["catalogue"]
_SOURCE_NAMES: dict[int, tuple[str, ...]] = {}  # at most 2 ** len(BIT) entries


@dataclass(frozen=True, slots=True)
class _Ground:
    """What one place rests on."""

    place: Ranked
    key: int
    code: str
    recents: list[Recent]


class Explainer:
    """Gives each place of a page its words."""

    def __init__(self, index: ItemIndex, tower: Tower, names: TopicNames) -> None:
        self._index = index
        self._tower = tower
        self._names = names

    def items(
        self,
        page: Sequence[Ranked],
        *,
        offset: int,
        table: ItemTable,
        pool: Pool,
        scored: Scored,
        taste: Taste,
        labels: Labels,
        words: Callable[[ItemKey, str], ItemText],
        course: Course,
    ) -> tuple[Recommended, ...]:
        """The page as items. An item whose label is gone meanwhile is left out.

        `words`: what to show of an item, by its key and its own title.
        """
        if not page:
            return ()
        grounds = _grounds(page, table, pool, scored, taste, self._tower)
        keys = [ground.key for ground in grounds]
        named = {recent.item for ground in grounds for recent in ground.recents}
        known = self._labels([*keys, *named.difference(keys)], labels, course)
        told = {r.item: because(r, known) for ground in grounds for r in ground.recents}
        items: list[Recommended] = []
        for ground in grounds:
            label = known.get(ItemKey(ground.key))
            if label is None:
                continue
            item, title = label
            row = ground.place.index
            topics = self._topics(table.topics_NT[row].tolist(), item, course)
            events = [event for r in ground.recents if (event := told[r.item]) is not None]
            code = ground.code
            if code == "topic" and not topics:
                code = "trending"
            items.append(
                Recommended(
                    item=item,
                    kind=ITEM_KINDS[int(table.kinds_N[row])],
                    title=title,
                    topics=topics,
                    score=round(float(scored.scores_N[row]), 6),
                    position=offset + len(items),
                    sources=_names_of(pool.sources.get(ground.key, 0)),
                    propensity=max(round(ground.place.propensity, 6), 1e-6),
                    reason=reason(
                        code=code,
                        events=events,
                        topics=topics if code in ("interest", "topic") else (),
                    ),
                    text=words(ItemKey(ground.key), title),
                )
            )
        return tuple(items)

    def _labels(self, keys: list[int], instead: Labels, course: Course) -> Labels:
        try:
            return self._index.labels(keys)
        except UnavailableError:
            course.fall_back("vectors")
            return instead

    def _topics(self, codes: list[int], item: ItemId, course: Course) -> tuple[str, ...]:
        try:
            return self._names.of(codes, item)
        except UnavailableError:
            course.fall_back("profile")
            return tuple(n for n in map(self._names.known, codes) if n is not None)


def _grounds(
    page: Sequence[Ranked],
    table: ItemTable,
    pool: Pool,
    scored: Scored,
    taste: Taste,
    tower: Tower,
) -> list[_Ground]:
    """Why each place is in the list, and the user's newest events that it rests on."""
    rows = [place.index for place in page]
    keys = table.keys_N[rows].tolist()
    by_key = {recent.item: recent for recent in taste.recents}
    known = [by_key[key] for key in scored.recents.keys_N.tolist()]
    nearest = (
        _nearest(tower, table.vectors_ND[rows], scored.recents.vectors_ND)
        if known
        else np.zeros((len(rows), 0), np.intp)
    )
    grounds = []
    for place, key, near in zip(page, keys, nearest.tolist(), strict=True):
        code = _code(place, key, pool, scored, taste)
        recents: list[Recent] = []
        if code == "co_clicked":
            recents = [by_key[pool.co_clicked_from[key]]]
        elif code == "interest":
            recents = [known[at] for at in near]
        grounds.append(_Ground(place, key, code, recents))
    return grounds


def _nearest(tower: Tower, page_PD: Float32Array, recents_RD: Float32Array) -> NDArray[np.intp]:
    cosines_PR = tower.directions(page_PD) @ tower.directions(recents_RD).T
    return np.argsort(-cosines_PR, axis=1)[:, :NAMED]


def _code(place: Ranked, key: int, pool: Pool, scored: Scored, taste: Taste) -> str:
    brought = pool.sources.get(key, 0)
    facts_F = scored.facts_NF[place.index]
    if place.explored:
        return "exploration"
    if pool.co_clicked.get(key, 0.0) >= CO_CLICKED:
        return "co_clicked"
    if taste.known and brought & _PERSONAL:
        return "interest"
    if facts_F[2] > 0.0:
        return "topic"
    if brought & BIT["trending"] or facts_F[0] > 0.0:
        return "trending"
    return "fresh"


def _names_of(bits: int) -> tuple[str, ...]:
    names = _SOURCE_NAMES.get(bits)
    if names is None:
        names = _SOURCE_NAMES[bits] = tuple(name for name, bit in BIT.items() if bits & bit)
    return names
