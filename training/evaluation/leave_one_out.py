"""Protocol (a): each user's last item, ranked among all items.

The history is everything before it, the validation item included, as in the published figures
for MovieLens-1M (LRURec, https://arxiv.org/abs/2310.02367, and SASRec before it). Rankers are
fitted without validation and test items. Note what the protocol cannot see: other users'
training events may be later than a test event.
"""

from dataclasses import replace

from clickwise.vectors.port import BoolArray
from training.data import Dataset
from training.evaluation.cases import Plan, next_item_cases
from training.evaluation.metrics import Metric
from training.evaluation.splits import leave_last_out

METRICS = (
    Metric("NDCG", 10), Metric("Recall", 10), Metric("MRR", 10),
    Metric("NDCG", 20), Metric("Recall", 20),
)  # fmt: skip


def plan_leave_one_out(data: Dataset, *, barred_last: int | None = None) -> Plan:
    """The test of leave-one-out.

    All items of the history are barred, or those of its `barred_last` newest events: published
    code often bars only what its model reads (LRURec: 200).

    Raises:
        ValueError: no user has enough items.
    """
    parts = leave_last_out(data.log)
    return _plan(data, parts.test_N, parts.train_N, "last item", barred_last)


def plan_validation(data: Dataset, *, barred_last: int | None = None) -> Plan:
    """The same for the validation items, to choose by: nothing of the test is read."""
    parts = leave_last_out(data.log)
    return _plan(data, parts.validation_N, parts.train_N, "last item but one", barred_last)


def _plan(
    data: Dataset,
    asked_N: BoolArray,
    train_N: BoolArray,
    what: str,
    barred_last: int | None,
) -> Plan:
    if not asked_N.any():
        raise ValueError(f"{data.name} has no user with three items or more")
    barred = "" if barred_last is None else f", the newest {barred_last} of the history"
    return Plan(
        protocol="leave-one-out",
        description=(
            f"Each user's {what}, ranked among all {len(data.items):,} items"
            f" but those met before{barred}."
        ),
        train=data.with_log(data.log.take(train_N)),
        test=data.log.take(asked_N),
        cases=replace(next_item_cases(data.log, asked_N), barred_last=barred_last),
        metrics=METRICS,
    )
