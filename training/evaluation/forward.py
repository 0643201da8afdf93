"""Forward in time: learn from what was before a moment, then predict what each user did after.

Every later event of interest with an item that is new to its user is a case; the question is
put with all events of the user up to then. Nothing is learned in between: only histories grow.
What was not out yet when the question is put cannot be an answer, since no site could have
shown it: an item is out from its publication, or from its first event if that came before.
"""

from dataclasses import replace

import numpy as np

from clickwise.vectors.port import Float64Array
from training.data import Dataset
from training.evaluation.cases import Plan, firsts, next_item_cases
from training.evaluation.metrics import Metric
from training.evaluation.splits import (
    DAY_SECONDS,
    cut_of_last_share,
    split_by_time,
)

DAYS = 30.0
SHARE = 0.1
METRICS = (
    Metric("NDCG", 10), Metric("Recall", 10), Metric("MRR", 10), Metric("Recall", 50),
)  # fmt: skip


def plan_forward(data: Dataset, *, days: float = DAYS) -> Plan:
    """The last `days`; the last tenth of the events where a log is not that long.

    Raises:
        ValueError: the dataset's times only give the order, or nothing is left to ask.
    """
    if not data.timed:
        raise ValueError(f"{data.name} has no times, only an order")
    return plan_from(data, _earlier(data, days * DAY_SECONDS))


def plan_from(data: Dataset, cut: float) -> Plan:
    """Everything before `cut` is for training, everything after is asked about.

    The validation asks about as much time before the cut as there is after it.

    Raises:
        ValueError: nothing to learn from, or nothing to ask.
    """
    split = split_by_time(data, cut)
    asked_N = (data.log.times_N >= cut) & firsts(data.log) & (data.log.weights_N > 0.0)
    if not asked_N.any():
        raise ValueError(f"{data.name} has no new item of interest after the cut")
    last = float(data.log.times_N[-1])
    return Plan(
        protocol="forward",
        description=(
            f"Learned from all events before the last {(last - cut) / DAY_SECONDS:.1f} days; each"
            " later item of interest that is new to its user is predicted from the history up"
            " to then, among all items that were out."
        ),
        train=split.train,
        test=split.test,
        cases=replace(next_item_cases(data.log, asked_N), available_I=out_since(data)),
        metrics=METRICS,
        validation=lambda: plan_from(split.train, _earlier(split.train, last - cut)),
        cut=cut,
        ordered=True,
    )


def _earlier(train: Dataset, seconds: float) -> float:
    """A cut so long before the end; of a log that is not that long, the last tenth."""
    cut = float(train.log.times_N[-1]) - seconds
    if cut <= train.log.times_N[0] + seconds:
        return cut_of_last_share(train, SHARE)
    return cut


def out_since(data: Dataset) -> Float64Array:
    """When each item was out: published, or in the log's first event if that came before.

    Items whose publication is not known have always been out.
    """
    first_I = np.full(len(data.items), np.inf)
    np.minimum.at(first_I, data.log.items_N, data.log.times_N)
    published_I = np.where(data.items.published_I > 0.0, data.items.published_I, -np.inf)
    out_I: Float64Array = np.minimum(published_I, first_I)
    return out_I
