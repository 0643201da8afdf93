"""Candidates become a page: the second pure rule.

Order by score, then build the list greedily: each place goes to the candidate with the best
score after a penalty for being like what is already on the list (maximal marginal relevance,
Carbonell & Goldstein, 1998), under a cap per topic and with one of copies only, with a few
places drawn at random among the rest so that the system keeps learning about items it would
not show.

Pure: the draw comes from `seed`, so that the same inputs give the same page.

Shape suffixes: N = candidates, H = head, D = embedding dimension.
"""

import itertools
import math
import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import msgspec
import numpy as np
from numpy.typing import NDArray

from clickwise.ranking.copies import distinct_head
from clickwise.vectors.port import Float32Array, Int32Array, Int64Array

HEAD = 48  # candidates among which diversity is weighed
SMALLEST_SPREAD = 1e-9  # scores closer than this are equal


class Policy(msgspec.Struct, frozen=True, kw_only=True):
    """How a list is made; its `version` is in every answer and exposure.

    `diversity` 0 is pure score, 1 pure variety. `topic_share` is the largest share of ten
    places in a row for one topic. `exploration` is the chance of a place to be drawn.
    `copy_cosine`: from here on two items are copies, of which the better one stands for both in
    the head of the list. Of MovieLens-100k's titles with genres, other films reach .90 and the
    same film under two ids 1.
    """

    diversity: float = 0.2
    topic_share: float = 0.6
    exploration: float = 0.05
    copy_cosine: float = 0.97

    @property
    def version(self) -> str:
        """Short text that names rule and constants."""
        return (
            f"mmr2-d{self.diversity:g}-t{self.topic_share:g}-e{self.exploration:g}"
            f"-c{self.copy_cosine:g}"
        )


@dataclass(frozen=True, slots=True)
class Ranked:
    """One place of a list: index of the candidate, chance of being there, and whether drawn."""

    index: int
    propensity: float
    explored: bool


def rank(
    *,
    scores_N: Float32Array,
    vectors_ND: Float32Array,
    topics_N: Int32Array,
    keys_N: Int64Array,
    count: int,
    policy: Policy,
    seed: int,
    drawable: int | None = None,
) -> list[Ranked]:
    """The first `count` places.

    Variety and exploration are for the `drawable` best candidates (None: all); those after
    them only continue the list.

    `topics_N` is the main topic of each candidate (0: none, not capped). Equal scores are
    ordered by key. The list of a smaller `count` is the beginning of that of a larger one, so
    pages neither repeat nor skip.
    """
    if not len(scores_N) or count <= 0:
        return []
    order_N = np.lexsort((keys_N, -scores_N))
    competing_N = order_N[:drawable]
    head_H, cosines_HH = distinct_head(
        competing_N, vectors_ND, size=HEAD, copy_cosine=policy.copy_cosine
    )
    line = itertools.chain(
        (
            int(head_H[pick])
            for pick in _diverse(scores_N[head_H], cosines_HH, topics_N[head_H].tolist(), policy)
        ),
        _without(order_N, head_H).tolist(),
    )
    every = competing_N.tolist()
    return _explored(line, every, count, policy.exploration, seed)


def _without(order_N: NDArray[np.intp], head_H: NDArray[np.intp]) -> NDArray[np.intp]:
    left_N = np.ones(len(order_N), np.bool_)
    left_N[head_H] = False
    return order_N[left_N[order_N]]


def _diverse(
    scores_H: Float32Array, cosines_HH: Float32Array, topics: Sequence[int], policy: Policy
) -> Iterator[int]:
    """All of the head, one by one. Topic caps hold per run of ten places."""
    if not len(scores_H):
        return
    if policy.diversity <= 0.0 and policy.topic_share >= 1.0:
        yield from range(len(scores_H))
        return
    spread = float(scores_H[0] - scores_H[-1])
    if spread < SMALLEST_SPREAD:
        spread = 1.0
    gain = (scores_H - scores_H[-1]) * np.float32((1.0 - policy.diversity) / spread)
    penalty = np.float32(policy.diversity)
    nearest = np.full(len(scores_H), -1.0, np.float32)
    caps = _TopicCaps(topics, policy.topic_share)
    value = gain
    for place in range(len(scores_H)):
        closed = caps.closed(place)
        pick = int((value if closed is None else value + closed).argmax())
        if caps.blocks(pick) or not math.isfinite(float(value[pick])):
            pick = int(value.argmax())  # every open candidate's topic is full: the best of them
        yield pick
        gain[pick] = -np.inf
        caps.take(pick)
        np.maximum(nearest, cosines_HH[pick], out=nearest)
        value = gain - penalty * nearest


class _TopicCaps:
    """Counts topics in the present run of ten places and closes those that are full."""

    def __init__(self, topics: Sequence[int], share: float) -> None:
        self._topics = topics
        self._most = max(1, math.ceil(share * 10.0 - 1e-9))
        self._members: dict[int, list[int]] = {}
        for index, topic in enumerate(topics):
            if topic:
                self._members.setdefault(topic, []).append(index)
        self._counts: dict[int, int] = {}
        self._closed = np.zeros(len(topics), np.float32)
        self._any = False

    def closed(self, place: int) -> Float32Array | None:
        """-inf for candidates whose topic is full, else 0 (None: no topic is full).

        A new run of ten starts afresh.
        """
        if place % 10 == 0 and place:
            self._counts.clear()
            self._closed[:] = 0.0
            self._any = False
        return self._closed if self._any else None

    def blocks(self, index: int) -> bool:
        """True when the topic of this candidate is full."""
        return bool(self._closed[index] < 0.0)

    def take(self, index: int) -> None:
        """Count a candidate that was given a place."""
        topic = self._topics[index]
        if not topic:
            return
        self._counts[topic] = self._counts.get(topic, 0) + 1
        if self._counts[topic] >= self._most:
            self._closed[self._members[topic]] = -np.inf
            self._any = True


def _explored(
    line: Iterator[int], every: Sequence[int], count: int, exploration: float, seed: int
) -> list[Ranked]:
    """Give each place after the first, with chance `exploration`, to a drawn candidate.

    A draw is uniform over the candidates that have no place yet, the next in line included, so
    the propensity of a drawn one is exploration / left, and of the next in line 1 - exploration
    + exploration / left.
    """
    ranked: list[Ranked] = []
    draw = random.Random(seed)
    left = dict.fromkeys(every)
    taken: set[int] = set()
    for following in line:
        if following in taken:
            continue
        while len(ranked) < count:
            chance = exploration if ranked and following in left else 0.0
            drawn = following
            if chance and draw.random() < chance:
                drawn = draw.choice(every)
                while drawn not in left:
                    drawn = draw.choice(every)
            share = chance / len(left) if chance else 0.0
            taken.add(drawn)
            left.pop(drawn, None)
            if drawn == following:
                ranked.append(Ranked(drawn, 1.0 - chance + share, explored=False))
                break
            ranked.append(Ranked(drawn, share, explored=True))
        if len(ranked) >= count:
            break
    return ranked
