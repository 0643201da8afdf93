"""Places of a page become items of an answer: ids, titles, topics, sources, reasons."""

from collections.abc import Sequence

import numpy as np

from clickwise.errors import UnavailableError
from clickwise.ranking import Ranked
from clickwise.recommend.answers import Because, Reason, Recommended
from clickwise.recommend.candidates import BIT, Pool
from clickwise.recommend.course import Course
from clickwise.recommend.features import Scored
from clickwise.recommend.names import TopicNames
from clickwise.recommend.reasons import Labels, because, reason
from clickwise.recommend.taste import Recent, Taste
from clickwise.types import ITEM_KINDS, ItemId, ItemKey
from clickwise.vectors.port import ItemIndex, ItemTable

CO_CLICKED = 0.05  # from this strength on, co-clicks are the reason
NAMED = 2  # events that a reason names


class Explainer:
    """Gives each place of a page its words."""

    def __init__(self, index: ItemIndex, names: TopicNames) -> None:
        self._index = index
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
        course: Course,
    ) -> tuple[Recommended, ...]:
        """The page as items. An item whose label is gone meanwhile is left out."""
        if not page:
            return ()
        rows = [place.index for place in page]
        keys = table.keys_N[rows].tolist()
        known = self._labels([*keys, *(recent.item for recent in taste.recents)], labels, course)
        nearest = _nearest(table, rows, scored.recents, taste)
        items: list[Recommended] = []
        for place, row, key, near in zip(page, rows, keys, nearest, strict=True):
            label = known.get(ItemKey(key))
            if label is None:
                continue
            item, title = label
            topics = self._topics(table.topics_NT[row].tolist(), item, course)
            items.append(
                Recommended(
                    item=item,
                    kind=ITEM_KINDS[int(table.kinds_N[row])],
                    title=title,
                    topics=topics,
                    score=round(float(scored.scores_N[row]), 6),
                    position=offset + len(items),
                    sources=tuple(n for n, bit in BIT.items() if pool.sources.get(key, 0) & bit),
                    propensity=max(round(place.propensity, 6), 1e-6),
                    reason=_reason(place, key, row, near, pool, scored, taste, topics, known),
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


def _nearest(
    table: ItemTable, rows: list[int], recents: ItemTable, taste: Taste
) -> list[list[Recent]]:
    """For each row the user's newest events whose items are nearest to it, nearest first."""
    if not len(recents):
        return [[] for _ in rows]
    by_key = {recent.item: recent for recent in taste.recents}
    cosines = table.vectors_ND[rows] @ recents.vectors_ND.T
    order = np.argsort(-cosines, axis=1, kind="stable")[:, :NAMED].tolist()
    keys = recents.keys_N.tolist()
    return [[by_key[keys[place]] for place in places] for places in order]


def _reason(
    place: Ranked,
    key: int,
    row: int,
    near: list[Recent],
    pool: Pool,
    scored: Scored,
    taste: Taste,
    topics: tuple[str, ...],
    labels: Labels,
) -> Reason:
    events: list[Because] = []
    sources = pool.sources.get(key, 0)
    if place.explored:
        code = "exploration"
    elif pool.co_clicked.get(key, 0.0) >= CO_CLICKED:
        code = "co_clicked"
        near = [r for r in taste.recents if r.item == pool.co_clicked_from.get(key)]
    elif taste.known and sources & (BIT["interest"] | BIT["co_clicked"] | BIT["catalogue"]):
        code = "interest"
    elif scored.facts_NF[row, 2] > 0.0 and topics:
        code = "topic"
    elif sources & BIT["trending"] or scored.facts_NF[row, 0] > 0.0:
        code = "trending"
    else:
        code = "fresh"
    if code in ("co_clicked", "interest"):
        events = [found for found in (because(r, labels) for r in near) if found is not None]
    return reason(code=code, events=events, topics=topics if code in ("interest", "topic") else ())
