"""The knee: the highest rate at which the server still answers everybody, and soon.

A rate holds when nothing but one request in a thousand is refused and the p99 of the answers is
at most `times` the p99 at light load. Latency counts from the moment at which a request was due, so
a backlog that grows shows in it.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass

import msgspec
import numpy as np

from clickwise.bench.loads import LoadFailedError
from clickwise.bench.report import Percentiles, percentiles
from clickwise.vectors.port import BoolArray, Float64Array

REFUSED_SHARE = 0.001
SOON_SECONDS = 0.010
_HIGHEST_RATE = 100_000.0


class Step(msgspec.Struct, frozen=True, kw_only=True):
    """One rate. `offered` and `admitted` requests a second; seconds from when requests were due.

    `refused_soon`: share of the refusals that came within 10 ms. `lag_seconds`: how late the load
    generator was, None of no request; `load_cpu_share`: of one core, by it.
    """

    offered: float
    admitted: float
    seconds: Percentiles | None
    refused: int
    refused_share: float
    refused_seconds: Percentiles | None
    refused_soon: float | None
    lag_seconds: Percentiles
    load_cpu_share: float


@dataclass(frozen=True, slots=True)
class Knee:
    """`steps`: all that were measured, in order, the light load first. `knee` is one of them."""

    steps: list[Step]
    knee: Step
    most_seconds: float


def step_of(
    latencies_N: Float64Array,
    admitted_N: BoolArray,
    *,
    rate: float,
    window_seconds: float,
    lags_N: Float64Array,
    load_cpu_share: float,
) -> Step:
    """The figures of the requests that were due within one window, of at least one request."""
    refused_N = latencies_N[~admitted_N]
    answered_N = latencies_N[admitted_N]
    return Step(
        offered=rate,
        admitted=round(len(answered_N) / window_seconds, 1),
        seconds=percentiles(answered_N) if len(answered_N) else None,
        refused=len(refused_N),
        refused_share=round(len(refused_N) / len(latencies_N), 4),
        refused_seconds=percentiles(refused_N) if len(refused_N) else None,
        refused_soon=(
            round(float(np.mean(refused_N <= SOON_SECONDS)), 4) if len(refused_N) else None
        ),
        lag_seconds=percentiles(lags_N),
        load_cpu_share=load_cpu_share,
    )


def holds(step: Step, *, most_seconds: float) -> bool:
    """Whether hardly anybody was refused and the others were answered in time."""
    if step.refused_share > REFUSED_SHARE or step.seconds is None:
        return False
    return step.seconds.p99 <= most_seconds


def find_knee(
    measure: Callable[[float], Step],
    *,
    light: float,
    times: float,
    factor: float = 1.5,
    precision: float = 1.05,
) -> Knee:
    """Raise the rate from `light` by `factor` until it does not hold, then halve what is between.

    Ends when a rate that holds and one that does not are `precision` apart. A step that does not
    hold is measured once more: something else may have been at work.

    Raises:
        LoadFailedError: requests are refused at light load, or no rate is too much.
    """
    steps = [measure(light)]
    if not holds(steps[0], most_seconds=math.inf):
        steps.append(measure(light))
    knee = steps[-1]
    if knee.seconds is None or not holds(knee, most_seconds=math.inf):
        raise LoadFailedError(
            f"{knee.refused} requests were refused at {light:g} a second: name a lighter load, or"
            " measure a machine that has nothing else to do"
        )
    most_seconds = times * knee.seconds.p99
    low, high = light, None
    while high is None or high / low > precision:
        rate = low * factor if high is None else (low * high) ** 0.5
        if rate > _HIGHEST_RATE:
            raise LoadFailedError(f"no rate up to {low:,.0f} a second is too much")
        for _ in range(2):
            step = measure(rate)
            steps.append(step)
            if holds(step, most_seconds=most_seconds):
                low, knee = rate, step
                break
        else:
            high = rate
    return Knee(steps, knee, most_seconds)
