"""Moments of an open loop, what a step says, and the knee of servers that are made up."""

import numpy as np
import pytest

from clickwise.bench.arrivals import moments
from clickwise.bench.knee import find_knee, holds, step_of
from clickwise.bench.loads import LoadFailedError


def step(rate, *, p99=0.004, refused=0.0):
    """A step in which every answer took `p99`, and this share was refused after 1 ms."""
    admitted_N = np.arange(10_000) >= refused * 10_000
    return step_of(
        np.where(admitted_N, p99, 0.001),
        admitted_N,
        rate=rate,
        window_seconds=10_000 / rate,
        lags_N=np.zeros(1),
        load_cpu_share=0.1,
    )


class Queue:
    """A server of `capacity` a second: the fuller it is, the later it answers."""

    def __init__(self, capacity, *, longest=10.0):
        self._capacity = capacity
        self._longest = longest
        self.rates = []

    def __call__(self, rate):
        self.rates.append(rate)
        share = rate / self._capacity
        p99 = self._longest if share >= 1.0 else min(self._longest, 0.004 / (1.0 - share))
        return step(rate, p99=p99, refused=max(0.0, 1.0 - 1.0 / share))


def test_even_moments_are_one_period_apart():
    assert moments("even", rate=4.0, seconds=1.0, seed=1).tolist() == [0.0, 0.25, 0.5, 0.75]


def test_poisson_moments_come_in_order_at_their_rate_and_independently():
    found = moments("poisson", rate=500.0, seconds=40.0, seed=3)
    gaps = np.diff(found)

    assert (gaps >= 0.0).all()
    assert 0.0 <= found[0] <= found[-1] < 40.0
    assert len(found) == pytest.approx(20_000, rel=0.03)
    assert gaps.std() == pytest.approx(gaps.mean(), rel=0.05)  # as of an exponential


def test_moments_are_the_same_with_the_same_seed_alone():
    first, again, other = (moments("poisson", rate=50, seconds=2, seed=s) for s in (1, 1, 2))

    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)


@pytest.mark.parametrize(("rate", "seconds"), [(0.0, 1.0), (-1.0, 1.0), (1.0, 0.0)])
def test_a_rate_that_is_none_is_refused(rate, seconds):
    with pytest.raises(ValueError, match="above 0"):
        moments("even", rate=rate, seconds=seconds, seed=1)


def test_refused_requests_count_apart_from_those_admitted():
    latencies_N = np.array([0.002, 0.004, 0.009, 0.010, 0.011, 0.030])
    admitted_N = np.array([True, True, False, False, False, False])

    found = step_of(
        latencies_N, admitted_N, rate=3.0, window_seconds=2.0, lags_N=np.array([0.001, 0.002]),
        load_cpu_share=0.2,
    )  # fmt: skip

    assert found.admitted == 1.0
    assert found.seconds.max == 0.004
    assert (found.refused, found.refused_share) == (4, pytest.approx(4 / 6, abs=1e-4))
    assert found.refused_seconds.max == 0.030
    assert found.refused_soon == 0.5
    assert found.lag_seconds.max == 0.002


def test_a_step_without_refusals_has_no_figures_of_them():
    found = step(100.0)

    assert (found.refused, found.refused_seconds, found.refused_soon) == (0, None, None)


@pytest.mark.parametrize(
    ("given", "held"),
    [
        ({"p99": 0.020}, True),
        ({"p99": 0.021}, False),
        ({"refused": 0.001}, True),
        ({"refused": 0.002}, False),
        ({"refused": 1.0}, False),
    ],
)
def test_a_rate_holds_in_time_and_with_hardly_anybody_refused(given, held):
    assert holds(step(100.0, **given), most_seconds=0.020) == held


def test_the_knee_is_the_highest_rate_with_p99_in_time():
    server = Queue(800.0)

    found = find_knee(server, light=10.0, times=5.0)

    # p99 is five times that at light load where four fifths of the capacity are in use.
    bound = 800.0 * (1.0 - 0.2 * (1.0 - 10.0 / 800.0))
    assert found.most_seconds == pytest.approx(5.0 * found.steps[0].seconds.p99)
    assert bound / 1.05 <= found.knee.offered <= bound
    assert [one.offered for one in found.steps] == server.rates


def test_the_knee_is_where_refusing_begins_if_answers_stay_fast():
    found = find_knee(Queue(300.0, longest=0.005), light=50.0, times=5.0)

    assert 300.0 / 1.05 <= found.knee.offered <= 300.0 * 1.001


def test_one_bad_step_is_measured_again():
    server = Queue(1_000.0)
    bad = iter([False, True])

    def measure(rate):
        right = server(rate)
        return step(rate, p99=1.0) if next(bad, False) else right

    found = find_knee(measure, light=50.0, times=5.0)

    assert server.rates[1] == server.rates[2] == 75.0
    assert found.knee.offered > 700.0


def test_a_bad_light_load_is_measured_again():
    server = Queue(1_000.0)
    bad = iter([True])

    found = find_knee(
        lambda rate: step(rate, refused=0.1) if next(bad, False) else server(rate),
        light=50.0,
        times=5.0,
    )

    assert [one.offered for one in found.steps[:2]] == [50.0, 50.0]
    assert found.most_seconds == pytest.approx(5.0 * found.steps[1].seconds.p99)


def test_refusals_at_light_load_are_no_knee():
    with pytest.raises(LoadFailedError, match="refused at 50 a second"):
        find_knee(Queue(40.0), light=50.0, times=5.0)


def test_a_server_that_nothing_is_too_much_for_has_no_knee():
    with pytest.raises(LoadFailedError, match="no rate up to"):
        find_knee(step, light=50.0, times=5.0)
