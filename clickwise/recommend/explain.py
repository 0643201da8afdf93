"""Places of a page become items of an answer: ids, titles, topics, sources, reasons."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from clickwise.bundle import Tower
from clickwise.errors import UnavailableError
from clickwise.ranking import Ranked
from clickwise.recommend.answers import Recommended
from clickwise.recommend.candidates import BIT, Pool
from clickwise.recommend.course import Course
from clickwise.recommend.features import Scored, followed_kind
from clickwise.recommend.lists import Lists
from clickwise.recommend.names import TopicNames
from clickwise.recommend.nearness import Nearness
from clickwise.recommend.reasons import Labels, because, reason
from clickwise.recommend.taste import Recent, Taste
from clickwise.types import ITEM_KINDS, ItemId, ItemKey, ItemKind
from clickwise.vectors.port import Float32Array, ItemIndex, ItemTable
from clickwise.writing.shown import ItemText

CO_CLICKED = 0.05  # from this strength on, co-clicks are the reason
NAMED = 2  # events that a reason names
NEW = 0.01  # freshness from which on an item is new: two weeks


_PERSONAL = BIT["interest"] | BIT["co_clicked"] | BIT["catalogue"]
_SOURCE_NAMES: dict[int, tuple[str, ...]] = {}  # at most 2 ** len(BIT) entries


@dataclass(frozen=True, slots=True)
class _Ground:
    """What one place rests on."""

    place: Ranked
    key: int
    code: str
    recents: list[Recent]
    followed: ItemKind | None  # what the user's items of these topics are; None: several kinds


class Explainer:
    """Gives each place of a page its words."""

    def __init__(
        self, index: ItemIndex, tower: Tower, names: TopicNames, nearness: Nearness
    ) -> None:
        self._nearness = nearness
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
        words: Callable[[ItemKey, str], ItemText],
        lists: Lists | None,
        course: Course,
        language: str,
    ) -> tuple[Recommended, ...]:
        """The page as items. An item whose label is gone meanwhile is left out.

        `words`: what to show of an item, by its key and its own title. `language`: of reasons.
        """
        if not page:
            return ()
        least = np.inf
        if lists is not None and taste.known:
            least = self._nearness.least(lists.table.vectors_ND)
        grounds = _grounds(page, table, pool, scored, taste, self._tower, least)
        keys = [ground.key for ground in grounds]
        named = {recent.item for ground in grounds for recent in ground.recents}
        instead = lists.labels if lists is not None else {}
        known = self._labels([*keys, *named.difference(keys)], instead, course)
        kinds = _kinds(scored.recents)
        told = {r.item: because(r, known) for ground in grounds for r in ground.recents}
        items: list[Recommended] = []
        for ground in grounds:
            label = known.get(ItemKey(ground.key))
            if label is None:
                continue
            item, title = label
            row = ground.place.index
            topics = self._topics(table.topics_NT[row].tolist(), item, course)
            events = [
                (event, kinds.get(r.item))
                for r in ground.recents
                if (event := told[r.item]) is not None
            ]
            code = ground.code
            about = topics if code == "interest" else ()
            if code == "topic":
                about = self._followed(table.topics_NT[row].tolist(), taste)
                code = code if about else "interest"
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
                        topics=about,
                        followed=ground.followed,
                        language=language,
                    ),
                    text=words(ItemKey(ground.key), title),
                )
            )
        return tuple(items)

    def _followed(self, codes: list[int], taste: Taste) -> tuple[str, ...]:
        """Those of an item's topics that the user has a weight for."""
        liked = (code for code in codes if code and taste.topics.get(code, 0.0) > 0.0)
        return tuple(name for name in map(self._names.known, liked) if name is not None)

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
    least: float,
) -> list[_Ground]:
    """Why each place is in the list, and the user's newest events that it rests on."""
    rows = [place.index for place in page]
    keys = table.keys_N[rows].tolist()
    by_key = {recent.item: recent for recent in taste.recents}
    known = [by_key[key] for key in scored.recents.keys_N.tolist()]
    nearest = (
        _nearest(tower, table.vectors_ND[rows], scored.recents.vectors_ND, least)
        if known
        else [[] for _ in rows]
    )
    grounds = []
    for place, key, near in zip(page, keys, nearest, strict=True):
        code = _code(place, key, pool, scored, alike=len(near))
        recents: list[Recent] = []
        if code == "co_clicked":
            recents = [by_key[pool.co_clicked_from[key]]]
        elif code == "interest":
            recents = [known[at] for at in near]
        followed = None
        if code == "topic":
            followed = followed_kind(scored.recents, table.topics_NT[place.index])
        grounds.append(_Ground(place, key, code, recents, followed))
    return grounds


def _kinds(recents: ItemTable) -> dict[int, ItemKind]:
    return {
        key: ITEM_KINDS[kind]
        for key, kind in zip(recents.keys_N.tolist(), recents.kinds_N.tolist(), strict=True)
    }


def _nearest(
    tower: Tower, page_PD: Float32Array, recents_RD: Float32Array, least: float
) -> list[list[int]]:
    """For each item of the page the recents that are alike, nearest first."""
    cosines_PR = tower.directions(page_PD) @ tower.directions(recents_RD).T
    order_PR = np.argsort(-cosines_PR, axis=1)[:, :NAMED]
    return [
        [at for at in order_R.tolist() if cosines_R[at] >= least]
        for order_R, cosines_R in zip(order_PR, cosines_PR, strict=True)
    ]


def _code(place: Ranked, key: int, pool: Pool, scored: Scored, *, alike: int) -> str:
    """The first reason that is true, the strongest first. `alike`: how many recents are."""
    brought = pool.sources.get(key, 0)
    facts_F = scored.facts_NF[place.index]
    if place.explored:
        return "exploration"
    if pool.co_clicked.get(key, 0.0) >= CO_CLICKED:
        return "co_clicked"
    if alike and brought & _PERSONAL:
        return "interest"
    if facts_F[2] > 0.0:
        return "topic"
    if brought & BIT["trending"] or facts_F[0] > 0.0:
        return "trending"
    if brought & BIT["fresh"] or facts_F[1] >= NEW or not brought & _PERSONAL:
        return "fresh"
    return "interest"  # chosen by its score, and nothing more can be said


def _names_of(bits: int) -> tuple[str, ...]:
    names = _SOURCE_NAMES.get(bits)
    if names is None:
        names = _SOURCE_NAMES[bits] = tuple(name for name, bit in BIT.items() if bits & bit)
    return names
