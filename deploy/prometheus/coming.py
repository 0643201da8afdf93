"""Expressions on series that come and go: born with their first event, gone with their process."""

from collections.abc import Sequence

from deploy.prometheus.rule import in_seconds

START = "clickwise_start_timestamp_seconds"
RESTLESS = 6  # changes of `up` within the window: gone and back three times
SELDOM = 0.75  # the share of the window below which who is restless counts as away


def grown(series: str, window: str) -> str:
    """By how much each counter grew within a window, those that came up in it included.

    A counter with labels is born with its first event, at 1 or at 500, and one without may have
    grown before the first scrape: `increase` sees nothing of either. Where there was none a window
    ago, all that it shows now is new if its process is as young, or was seen without it. Else
    nobody looked: Prometheus was away, and a counter that comes up again is none that grew.
    """
    seen = f"count_over_time({series}[{window}])"
    process = f"max by (job, instance) (count_over_time({START}[{window}]))"
    young = f"max_over_time({START}[{window}]) > time() - {in_seconds(window)}"
    return (
        f"(max_over_time({series}[{window}]) unless {series} offset {window}"
        f"\n    and ({seen} < on (job, instance) group_left () {process}"
        f"\n      or {seen} and on (job, instance) {young}))"
        f"\n  or increase({series}[{window}])"
    )


def steady(job: str, window: str) -> str:
    """How many processes of a job answer, and are not away again and again for much of a window.

    One that ends again and again answers in between: `up` alone is never 0 for long. One that
    somebody started anew three times answered nearly always.
    """
    up = f'up{{job="{job}"}}'
    ends = f"changes({up}[{window}]) >= {RESTLESS} and avg_over_time({up}[{window}]) < {SELDOM}"
    return f"(count({up} == 1 unless ({ends})) or vector(0))"


def looked_for(jobs: Sequence[str]) -> str:
    """How many processes of each job Prometheus knows, by `job`; 0 where it knows none."""
    return "\n  or ".join(
        f'label_replace(count(up{{job="{job}"}}) or vector(0), "job", "{job}", "", "")'
        for job in jobs
    )
