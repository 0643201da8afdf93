"""What is promised, and alerts on how fast the promise is used up.

Each objective is a share of good events; the rest is its error budget for thirty days. The
alerts look at two windows at once (Google's SRE Workbook, chapter 5): the long one says that
it matters, the short one that it still goes on.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from deploy.prometheus.rule import Alert, Group, Pace, Recording

WINDOWS = ("5m", "30m", "1h", "2h", "6h", "1d", "3d")
BUDGET_WINDOW = "30d"
# On a site with less than about one event a minute, each is a large share of an hour's.
LEAST_RATE = 0.02

API = 'route=~".* /v1/.*"'
LISTS = 'route=~"GET /v1/users/.id./recommendations|POST /v1/recommendations"'


@dataclass(frozen=True, slots=True, kw_only=True)
class Objective:
    """`target` of events are good. `bad` and `total` are rates, with W for their window."""

    name: str
    alert: str
    target: float
    bad: str
    total: str
    promise: str

    @property
    def budget(self) -> float:
        """The share that may be bad."""
        return round(1.0 - self.target, 6)

    def ratio(self, window: str) -> str:
        """The share that was bad in a window; nothing when there was no event."""
        total = f"({self.total} > 0)".replace("[W]", f"[{window}]")
        return f"({self.bad})".replace("[W]", f"[{window}]") + f"\n/\n{total}"


OBJECTIVES = (
    Objective(
        name="availability",
        alert="AvailabilityBurn",
        target=0.999,
        bad=f'sum(rate(clickwise_requests_total{{{API},status=~"5.."}}[W])) or vector(0)',
        total=f"sum(rate(clickwise_requests_total{{{API}}}[W]))",
        promise="99.9 % of API requests are not answered with 5xx",
    ),
    Objective(
        name="latency",
        alert="LatencyBurn",
        target=0.99,
        bad=(
            f"sum(rate(clickwise_request_seconds_count{{{LISTS}}}[W]))"
            f' - sum(rate(clickwise_request_seconds_bucket{{{LISTS},le="0.1"}}[W]))'
        ),
        total=f"sum(rate(clickwise_request_seconds_count{{{LISTS}}}[W]))",
        promise="99 % of lists are answered within 100 ms",
    ),
    Objective(
        name="freshness",
        alert="FreshnessBurn",
        target=0.99,
        bad=(
            'sum(rate(clickwise_event_to_profile_seconds_count{since="receipt"}[W]))'
            ' - sum(rate(clickwise_event_to_profile_seconds_bucket{since="receipt",le="1.0"}[W]))'
        ),
        total='sum(rate(clickwise_event_to_profile_seconds_count{since="receipt"}[W]))',
        promise="99 % of events are in their user's profile within 1 s of receipt",
    ),
    Objective(
        name="correctness",
        alert="CorrectnessBurn",
        target=0.999,
        bad="sum(rate(clickwise_dead_letters_total[W])) or vector(0)",
        total='sum(rate(clickwise_events_total{outcome!="accepted"}[W]))',
        promise="for 1,000 events that are folded, at most one message is set aside",
    ),
)


@dataclass(frozen=True, slots=True)
class Burn:
    """A budget of thirty days used `factor` times as fast as it lasts, over both windows."""

    factor: float
    long: str
    short: str
    lasts: str
    severity: str


# 2 % of the budget in 1 h, 5 % in 6 h, 10 % in 1 d, 10 % in 3 d.
BURNS = (
    Burn(14.4, "1h", "5m", "2m", "page"),
    Burn(6.0, "6h", "30m", "5m", "page"),
    Burn(3.0, "1d", "2h", "30m", "ticket"),
    Burn(1.0, "3d", "6h", "1h", "ticket"),
)


def objective_groups(pace: Pace) -> Sequence[Group]:
    """Recording rules and burn alerts of every objective."""
    events = [_events(one, pace) for one in OBJECTIVES]
    ratios = [_ratio(one, window, pace) for one in OBJECTIVES for window in WINDOWS]
    return (
        Group(name="clickwise-objectives", rules=[*events, *ratios]),
        Group(
            name="clickwise-budgets",
            rules=[rule for one in OBJECTIVES for rule in _budget(one, pace)],
            every=pace("5m"),
        ),
        Group(
            name="clickwise-burn",
            rules=[_burn(one, burn, pace) for one in OBJECTIVES for burn in BURNS],
        ),
    )


def _events(objective: Objective, pace: Pace) -> Recording:
    return Recording(
        name="clickwise:slo_events:rate1h",
        expr=objective.total.replace("[W]", f"[{pace('1h')}]"),
        labels={"slo": objective.name},
    )


def _ratio(objective: Objective, window: str, pace: Pace) -> Recording:
    return Recording(
        name=f"clickwise:slo_errors:ratio_rate{window}",
        expr=objective.ratio(pace(window)),
        labels={"slo": objective.name},
    )


def _budget(objective: Objective, pace: Pace) -> Sequence[Recording]:
    labels = {"slo": objective.name}
    return (
        Recording(
            name="clickwise:slo_errors:ratio_rate30d",
            expr=objective.ratio(pace(BUDGET_WINDOW)),
            labels=labels,
        ),
        Recording(
            name="clickwise:slo_budget_left:ratio",
            expr=(
                f'1 - clickwise:slo_errors:ratio_rate30d{{slo="{objective.name}"}}'
                f" / {objective.budget}"
            ),
            labels=labels,
        ),
    )


def _burn(objective: Objective, burn: Burn, pace: Pace) -> Alert:
    only = f'{{slo="{objective.name}"}}'
    bound = f"{burn.factor:g} * {objective.budget}"
    return Alert(
        name=objective.alert,
        value=f"clickwise:slo_errors:ratio_rate{burn.long}{only}",
        condition=(
            f"> {bound}\n"
            f"and clickwise:slo_errors:ratio_rate{burn.short}{only} > {bound}\n"
            f"and clickwise:slo_events:rate1h{only} > {LEAST_RATE}"
        ),
        lasts=pace(burn.lasts),
        severity=burn.severity,
        summary=(
            f"{objective.promise}: the budget of 30 days is used {burn.factor:g} times too fast"
            f" over {burn.long}"
        ),
        labels={"slo": objective.name, "window": burn.long},
    )
