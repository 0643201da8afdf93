"""Which events a training learns from, and which later ones it is judged by.

A full training learns from all but the last tenth. An incremental one goes on from a bundle: of
what came since that one's last lesson two thirds are learned, the rest judges. Both bundles of a
comparison so are asked about events that neither has learned from.
"""

from dataclasses import dataclass, replace

import numpy as np

from clickwise.errors import ConflictError
from training.data import Dataset
from training.evaluation.cases import firsts
from training.evaluation.forward import plan_from
from training.evaluation.lived import METRICS, LivedPlan

LATER_SHARE = 0.1
NEW_SHARE = 1.0 / 3.0
REQUESTS_SHARE = 0.15  # of what is learned: the newest part, on which the ranker is taught
FEWEST_EVENTS = 100  # fewer have nothing to say
MOST_CASES = 4_000
MOST_BEFORE = 200_000  # events that a site is told before it is asked


@dataclass(frozen=True, slots=True)
class Parts:
    """`train` holds the events before `cut`; an incremental training learns what comes from
    `learn_from` on (None: everything).
    """

    data: Dataset
    train: Dataset
    cut: float
    learn_from: float | None = None


def parts_of(data: Dataset, *, share: float = LATER_SHARE) -> Parts:
    """For a full training.

    Raises:
        ConflictError: too few events, or all at one moment.
    """
    return _cut(data, round(len(data.log) * (1.0 - share)), None)


def new_parts_of(data: Dataset, *, learned_until: float, share: float = NEW_SHARE) -> Parts:
    """For an incremental training that goes on from a bundle that learned until then.

    Raises:
        ConflictError: too few events since.
    """
    begin = int(np.searchsorted(data.log.times_N, learned_until))
    new = len(data.log) - begin
    if new < FEWEST_EVENTS:
        raise ConflictError(
            f"{new:,} events since the last training: at least {FEWEST_EVENTS} are needed"
        )
    return _cut(data, begin + round(new * (1.0 - share)), learned_until)


def newest_part(train: Dataset) -> float:
    """When the newest part of what is learned begins."""
    place = round(len(train.log) * (1.0 - REQUESTS_SHARE))
    return float(train.log.times_N[min(place, len(train.log) - 1)])


def lived_after(
    data: Dataset, cut: float, *, most: int = MOST_CASES, before: int = MOST_BEFORE
) -> LivedPlan:
    """The events from `cut` on, to be lived after the newest `before` of those before it; at most
    the first `most` questions, for a contest that ends in time on a large log too.

    Raises:
        ConflictError: nothing to ask.
    """
    begin = int(np.searchsorted(data.log.times_N, cut))
    rows = np.arange(max(0, begin - before), len(data.log))
    kept = data.with_log(data.log.take(rows))
    asked_N = firsts(kept.log) & (kept.log.weights_N > 0.0) & (kept.log.times_N >= cut)
    places = np.flatnonzero(asked_N)
    if not len(places):
        raise ConflictError("no later event of interest with an item that is new to its user")
    if len(places) > most:
        kept = kept.with_log(kept.log.take(np.arange(places[most])))
        asked_N = asked_N[: places[most]]
    plan = replace(plan_from(kept, cut), metrics=METRICS)
    return LivedPlan(plan, asked_N[kept.log.times_N >= cut])


def _cut(data: Dataset, place: int, learn_from: float | None) -> Parts:
    if len(data.log) < FEWEST_EVENTS:
        raise ConflictError(
            f"{len(data.log):,} events to learn from: at least {FEWEST_EVENTS} are needed"
        )
    cut = float(data.log.times_N[min(place, len(data.log) - 1)])
    train = data.before(cut)
    if len(train.log) < FEWEST_EVENTS // 2:
        raise ConflictError(
            "nearly all events happened at one moment: there is no before and after"
        )
    return Parts(data, train, cut, learn_from)
