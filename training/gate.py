"""The release gate: is a candidate better than what is live, for everybody, and fast enough?

Pure. Both models have answered the same cases of later events; users are drawn, not cases, since
one user's cases are alike (see training.evaluation.statistics).

Shape suffixes: C = cases.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import msgspec
import numpy as np
from numpy.typing import NDArray

from clickwise.vectors.port import Float64Array
from training.evaluation.slices import Slice
from training.evaluation.statistics import TRIALS, Difference, paired


class GateRules(msgspec.Struct, frozen=True, kw_only=True):
    """What a candidate has to hold.

    `min_gain` is what the whole interval of the difference must be above, absolute in the metric;
    `max_slice_drop` the share of live's figure that a slice may lose (one that loses more, but
    whose interval still holds zero, has lost nothing that is known). Of fewer users than
    `min_users` an interval says nothing, however many cases they have. `min_coverage_share` is of
    live's coverage, `max_latency_ratio` of its time per scored request.
    """

    min_cases: int = 100
    min_users: int = 10
    min_gain: float = 0.0
    max_slice_drop: float = 0.1
    min_slice_cases: int = 50
    min_coverage_share: float = 0.5
    max_latency_ratio: float = 2.0
    trials: int = TRIALS
    seed: int = 1


@dataclass(frozen=True, slots=True)
class Side:
    """One model's part: the metric of each case, the share of the catalogue in anybody's list,
    and seconds to score one request's candidates.
    """

    values_C: Float64Array
    coverage: float
    latency_seconds: float


@dataclass(frozen=True, slots=True)
class Contest:
    """Two models on the same cases."""

    metric: str
    users_C: NDArray[np.integer]
    slices: Sequence[Slice]
    candidate: Side
    live: Side


class Condition(msgspec.Struct, frozen=True, kw_only=True):
    """One condition with the figures that it was decided by."""

    name: str
    passed: bool
    figures: dict[str, float]
    text: str


class Verdict(msgspec.Struct, frozen=True, kw_only=True):
    """The conditions in order; it passed when all of them did."""

    metric: str
    conditions: tuple[Condition, ...]

    @property
    def passed(self) -> bool:
        """True when no condition failed."""
        return not self.failed

    @property
    def failed(self) -> tuple[Condition, ...]:
        """Conditions that did not hold."""
        return tuple(one for one in self.conditions if not one.passed)

    @property
    def outcome(self) -> str:
        """`passed`, or the name of the first condition that failed: a metric's label."""
        return self.failed[0].name if self.failed else "passed"

    @property
    def text(self) -> str:
        """In words: why it was refused, or what it gained."""
        shown = self.failed or self.conditions
        head = "passed" if self.passed else "refused"
        return f"{head}: " + "; ".join(one.text for one in shown)


def judge(contest: Contest, rules: GateRules) -> Verdict:
    """Decide."""
    number, users = len(contest.users_C), len(np.unique(contest.users_C))
    enough = Condition(
        name="cases",
        passed=number >= rules.min_cases and users >= rules.min_users,
        figures={
            "cases": float(number),
            "needed": float(rules.min_cases),
            "users": float(users),
            "needed_users": float(rules.min_users),
        },
        text=(
            f"{number:,} later events of {users:,} users to compare by, {rules.min_cases:,} of"
            f" {rules.min_users:,} needed"
        ),
    )
    if not enough.passed:
        return Verdict(metric=contest.metric, conditions=(enough,))
    return Verdict(
        metric=contest.metric,
        conditions=(
            enough,
            _gain(contest, rules),
            _slices(contest, rules),
            _coverage(contest, rules),
            _latency(contest, rules),
        ),
    )


def _gain(contest: Contest, rules: GateRules) -> Condition:
    candidate_C, live_C = contest.candidate.values_C, contest.live.values_C
    difference = _paired(contest, np.ones(len(candidate_C), np.bool_), rules)
    interval = difference.interval
    return Condition(
        name="gain",
        passed=interval.low > rules.min_gain,
        figures={
            "candidate": float(candidate_C.mean()),
            "live": float(live_C.mean()),
            "difference": interval.mean,
            "low": interval.low,
            "high": interval.high,
            "p_value": difference.p_value,
            "needed": rules.min_gain,
        },
        text=(
            f"{contest.metric} {candidate_C.mean():.4f} against {live_C.mean():.4f}: a difference"
            f" of {interval.mean:+.4f} ({interval.low:+.4f} to {interval.high:+.4f}) that has to"
            f" be above {rules.min_gain:g}"
        ),
    )


def _slices(contest: Contest, rules: GateRules) -> Condition:
    """The worst slice, by the share of its figure that it lost for certain."""
    worst: tuple[float, Slice, Difference] | None = None
    looked = 0
    for one in contest.slices:
        if int(one.cases_C.sum()) < rules.min_slice_cases:
            continue
        looked += 1
        difference = _paired(contest, one.cases_C, rules)
        live = float(contest.live.values_C[one.cases_C].mean())
        lost = -difference.interval.mean / live if live > 0.0 else 0.0
        if difference.interval.high >= 0.0:
            lost = min(lost, 0.0)
        if worst is None or lost > worst[0]:
            worst = (lost, one, difference)
    if worst is None:
        return Condition(name="slices", passed=True, figures={"slices": 0.0}, text="no slices")
    lost, one, difference = worst
    figures = {
        "slices": float(looked),
        "lost_share": lost,
        "difference": difference.interval.mean,
        "low": difference.interval.low,
        "high": difference.interval.high,
        "allowed": rules.max_slice_drop,
    }
    return Condition(
        name="slices",
        passed=lost <= rules.max_slice_drop,
        figures=figures,
        text=(
            f"the worst of {looked} slices, {one.group}: {one.name}, changed by"
            f" {difference.interval.mean:+.4f} ({difference.interval.low:+.4f} to"
            f" {difference.interval.high:+.4f}); {rules.max_slice_drop:.0%} of live's may be lost"
        ),
    )


def _coverage(contest: Contest, rules: GateRules) -> Condition:
    candidate, live = contest.candidate.coverage, contest.live.coverage
    needed = rules.min_coverage_share * live
    return Condition(
        name="coverage",
        passed=candidate >= needed,
        figures={"candidate": candidate, "live": live, "needed": needed},
        text=f"lists cover {candidate:.1%} of the items against {live:.1%}; {needed:.1%} needed",
    )


def _latency(contest: Contest, rules: GateRules) -> Condition:
    candidate, live = contest.candidate.latency_seconds, contest.live.latency_seconds
    allowed = rules.max_latency_ratio * live
    return Condition(
        name="latency",
        # A candidate that was never asked has not been quick.
        passed=candidate <= allowed and (candidate > 0.0 or live == 0.0),
        figures={"candidate": candidate, "live": live, "allowed": allowed},
        text=(
            f"a request is scored in {candidate * 1e3:.3f} ms against {live * 1e3:.3f} ms;"
            f" {allowed * 1e3:.3f} ms allowed"
        ),
    )


def _paired(contest: Contest, cases_C: NDArray[np.bool_], rules: GateRules) -> Difference:
    return paired(
        contest.candidate.values_C[cases_C],
        contest.live.values_C[cases_C],
        contest.users_C[cases_C],
        seed=rules.seed,
        trials=rules.trials,
    )
