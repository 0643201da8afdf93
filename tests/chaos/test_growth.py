"""A process that grows is found; one that is young, restless or flat is not."""

import pytest

from tests.chaos.growth import (
    BOUNDS,
    LONG_RUN_SECONDS,
    growth,
    growth_problems,
    judged_seconds,
    verdict,
)
from tests.chaos.usage import Sample, usage_of

MEGABYTE = 1_000_000
FIGURES = [bound.figure for bound in BOUNDS]
LEVEL = {"memory_bytes": 500 * MEGABYTE, "own_bytes": 300 * MEGABYTE, "handles": 90, "threads": 26}


def life(minutes, **changed):
    """Six looks a minute. `changed`: how much more a figure is, by the minute of the life."""
    samples = []
    for turn in range(6 * minutes):
        minute = turn / 6
        figures = {
            name: level + round(changed.get(name, lambda _: 0)(minute))
            for name, level in LEVEL.items()
        }
        samples.append(Sample(at=60.0 * minute, **figures))
    return usage_of([samples])


def most(figure):
    return next(bound.most for bound in BOUNDS if bound.figure == figure)


@pytest.mark.parametrize("figure", FIGURES)
def test_a_steady_growth_beyond_the_bound_is_found(figure):
    use = life(56, **{figure: lambda minute: 2 * most(figure) * minute / 56})

    (found,) = growth(use)

    assert found.startswith(next(bound.name for bound in BOUNDS if bound.figure == figure))
    assert growth_problems({"serve-a": use}, seconds=600.0) == [
        f"serve-a grows, in 46 min: {found}"
    ]
    assert verdict(use) == "GROWS, 46 min"


@pytest.mark.parametrize("figure", FIGURES)
def test_what_comes_and_goes_within_the_bound_is_flat(figure):
    use = life(56, **{figure: lambda minute: most(figure) * (minute % 2 >= 1)})

    assert growth(use) == []
    assert verdict(use) == "flat, 46 min"


@pytest.mark.parametrize("figure", FIGURES)
def test_what_a_life_takes_in_its_first_minutes_is_no_growth(figure):
    use = life(56, **{figure: lambda minute: 10 * most(figure) * min(minute, 10) / 10})

    assert growth(use) == []


def test_a_peak_of_some_minutes_at_the_end_is_no_growth():
    use = life(56, own_bytes=lambda minute: 900 * MEGABYTE * (minute >= 53))

    assert growth(use) == []


def test_a_leak_that_begins_late_is_found():
    use = life(56, own_bytes=lambda minute: 10 * MEGABYTE * max(0, minute - 45))

    assert len(growth(use)) == 1


def test_a_young_life_is_not_judged():
    use = life(24, own_bytes=lambda minute: 100 * MEGABYTE * minute)

    assert judged_seconds(use) is None
    assert growth(use) == []
    assert verdict(use) == "too young"


def test_a_life_of_twenty_five_minutes_is_judged_without_its_first_ten():
    assert judged_seconds(life(25)) == 900.0


def test_a_long_run_in_which_no_process_of_a_sort_grew_old_has_failed():
    usage = {"serve-a": life(56), "serve-b": life(3), "stream-a": life(20), "stream-b": life(3)}

    assert growth_problems(usage, seconds=LONG_RUN_SECONDS) == [
        "no stream has lived long enough to tell whether it grows"
    ]
    assert growth_problems(usage, seconds=LONG_RUN_SECONDS - 1) == []


def test_a_minute_is_the_median_of_its_samples():
    samples = [
        Sample(at=at, memory_bytes=memory, own_bytes=memory, handles=5, threads=2)
        for at, memory in [(1.0, 10), (2.0, 10), (3.0, 999), (61.0, 30)]
    ]

    minutes = usage_of([samples]).minutes

    assert [(one.at, one.memory_bytes) for one in minutes] == [(0.0, 10), (60.0, 30)]
