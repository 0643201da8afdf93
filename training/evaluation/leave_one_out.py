"""Protocol (a): each user's last item, ranked among all items.

The history is everything before it, the validation item included, as in the published figures
for MovieLens-1M (LRURec, https://arxiv.org/abs/2310.02367, and SASRec before it). Rankers are
fitted without validation and test items. Note what the protocol cannot see: other users'
training events may be later than a test event.
"""

from dataclasses import replace
from functools import partial

from clickwise.vectors.port import BoolArray
from training.data import Dataset
from training.evaluation.cases import Plan, next_item_cases
from training.evaluation.metrics import Metric
from training.evaluation.splits import MIN_ITEMS, leave_last_out

METRICS = (
    Metric("NDCG", 10), Metric("Recall", 10), Metric("MRR", 10),
    Metric("NDCG", 20), Metric("Recall", 20),
)  # fmt: skip


def plan_leave_one_out(data: Dataset, *, barred_last: int | None = None) -> Plan:
    """The test of leave-one-out; its validation asks for the last item but one.

    All items of the history are barred, or those of its `barred_last` newest events: published
    code often bars only what its model reads (LRURec: 200).

    Raises:
        ValueError: no user has enough items.
    """
    parts = leave_last_out(data.log)
    if not parts.test_N.any():
        raise ValueError(f"{data.name} has no user with {MIN_ITEMS} items or more")
    barred = "" if barred_last is None else f" in the newest {barred_last} events of the history"

    def plan(what: str, asked_N: BoolArray) -> Plan:
        return Plan(
            protocol="leave-one-out",
            description=(
                f"Each user's {what}, ranked among all {len(data.items):,} items but those met"
                f" before{barred}."
            ),
            train=data.with_log(data.log.take(parts.train_N)),
            test=data.log.take(asked_N),
            cases=replace(next_item_cases(data.log, asked_N), barred_last=barred_last),
            metrics=METRICS,
            validation=partial(plan, "last item but one", parts.validation_N),
        )

    return plan("last item", parts.test_N)
