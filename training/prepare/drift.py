"""What has changed since the last training, in figures that are comparable from run to run.

Population stability index: sum of (q - p) * log(q / p) over bins, p the share at the last
training, q the share since; below 0.1 is usually called stable, above 0.25 a large shift.
Kullback-Leibler divergence: sum of q * log(q / p), in nats. Both are above zero by chance alone,
by about (bins - 1) * (1 / events + 1 / events before) and half of that; it is taken off. Half an
event is added to every bin, so that none is empty.

Shape suffixes: B = bins, N = events.
"""

from collections.abc import Mapping, Sequence

import msgspec
import numpy as np

from clickwise.vectors.port import Float64Array
from training.data import Dataset

MASS_BINS = 10
MICROSECOND = 1e-6  # a sheet's times are rounded to it


class Drift(msgspec.Struct, frozen=True, kw_only=True):
    """Events after the last training's against what it saw."""

    events: int
    event_types_psi: float
    items_psi: float  # bins of equal mass by popularity, and the items that were rare or new
    items_kl: float  # the popular items one by one, and the rest
    new_items_share: float  # of positive events, on items without any event before
    new_users_share: float  # of the users, without any event before


def psi(before_B: Float64Array, since_B: Float64Array) -> float:
    """Population stability index of counts."""
    p_B, q_B = _shares(before_B), _shares(since_B)
    chance = (len(p_B) - 1) * (1.0 / _total(since_B) + 1.0 / _total(before_B))
    return max(0.0, float(np.sum((q_B - p_B) * np.log(q_B / p_B))) - chance)


def kl(before_B: Float64Array, since_B: Float64Array) -> float:
    """Kullback-Leibler divergence of counts since from counts before."""
    p_B, q_B = _shares(before_B), _shares(since_B)
    chance = (len(p_B) - 1) * (1.0 / _total(since_B) + 1.0 / _total(before_B)) / 2.0
    return max(0.0, float(np.sum(q_B * np.log(q_B / p_B))) - chance)


def drift_since(
    dataset: Dataset,
    time: float,
    *,
    event_types: Mapping[int, int],
    popular: Mapping[str, int],
    others: int,
) -> Drift | None:
    """How the events after `time` (seconds since 1970) differ; None: there are none.

    Args:
        dataset: events before and after it.
        time: that of the last event which the last training saw.
        event_types: its events by type code.
        popular: its positive events by item, of the most popular items, most popular first.
        others: its positive events on all other items.
    """
    log = dataset.log
    since_N = log.times_N > time + MICROSECOND
    if not since_N.any():
        return None
    positive_N = since_N & (log.weights_N > 0.0)
    now = np.bincount(log.items_N[positive_N], minlength=len(dataset.items))
    places = {item: place for place, item in enumerate(dataset.items.ids)}
    since = [int(now[places[item]]) if item in places else 0 for item in popular]
    before_B = np.array([*popular.values(), others], np.float64)
    since_B = np.array([*since, int(now.sum()) - sum(since)], np.float64)
    bins = _mass_bins(before_B)
    codes = range(256)
    types_B = np.array([event_types.get(code, 0) for code in codes], np.float64)
    types_since_B = np.bincount(log.types_N[since_N], minlength=256).astype(np.float64)
    seen = (types_B + types_since_B) > 0.0
    earlier_items = np.isin(log.items_N[positive_N], log.items_N[~since_N])
    users = np.unique(log.users_N[since_N])
    return Drift(
        events=int(since_N.sum()),
        event_types_psi=round(psi(types_B[seen], types_since_B[seen]), 4),
        items_psi=round(psi(_summed(before_B, bins), _summed(since_B, bins)), 4),
        items_kl=round(kl(before_B, since_B), 4),
        new_items_share=round(1.0 - float(earlier_items.mean()), 4) if len(earlier_items) else 0.0,
        new_users_share=round(1.0 - float(np.isin(users, log.users_N[~since_N]).mean()), 4),
    )


def _mass_bins(before_B: Float64Array) -> Sequence[int]:
    """A bin for each popular item, so that bins hold about equal mass; the last is the rest's."""
    mass = np.cumsum(before_B[:-1]) - before_B[:-1] / 2.0
    total = max(1.0, float(before_B[:-1].sum()))
    bins: list[int] = (mass / total * MASS_BINS).astype(int).tolist()
    return [*bins, MASS_BINS]


def _summed(counts_B: Float64Array, bins: Sequence[int]) -> Float64Array:
    return np.bincount(bins, counts_B, minlength=MASS_BINS + 1).astype(np.float64)


def _shares(counts_B: Float64Array) -> Float64Array:
    padded: Float64Array = counts_B + 0.5
    shares: Float64Array = padded / padded.sum()
    return shares


def _total(counts_B: Float64Array) -> float:
    return max(1.0, float(counts_B.sum()))
