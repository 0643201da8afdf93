"""Intervals and paired tests, on values whose answer is known."""

import numpy as np
import pytest

from training.evaluation.statistics import (
    Difference,
    Interval,
    better_beyond_interval,
    bootstrap,
    paired,
)


def draw(size, *, mean=0.0, seed=0):
    return np.random.default_rng(seed).normal(mean, 1.0, size)


def test_the_interval_of_independent_cases_is_the_textbook_one():
    values = draw(2_000)

    found = bootstrap(values, np.arange(2_000), seed=1)

    error = 1.96 * values.std() / np.sqrt(2_000)
    assert found.mean == pytest.approx(values.mean())
    assert found.low == pytest.approx(values.mean() - error, abs=0.1 * error)
    assert found.high == pytest.approx(values.mean() + error, abs=0.1 * error)


def test_cases_of_one_user_do_not_count_as_independent():
    values, users = np.repeat(draw(100), 20), np.repeat(np.arange(100), 20)

    by_user = bootstrap(values, users, seed=1)
    by_case = bootstrap(values, np.arange(2_000), seed=1)

    assert by_user.high - by_user.low > 3 * (by_case.high - by_case.low)


def test_the_mean_is_over_cases_whatever_their_users():
    found = bootstrap(np.array([1.0, 1.0, 1.0, 0.0]), np.array([0, 0, 0, 1]), seed=1)

    assert found.mean == 0.75


def test_the_interval_lies_around_the_mean_though_busy_users_differ():
    sizes = np.arange(300) % 10 + 1
    users = np.repeat(np.arange(300), sizes)
    values = np.repeat(sizes / 10, sizes)

    found = bootstrap(values, users, seed=1)

    assert found.low < found.mean < found.high
    assert found.mean == pytest.approx(0.7)


def test_equal_seeds_give_equal_intervals_and_others_do_not():
    values, users = draw(200), np.arange(200)

    assert bootstrap(values, users, seed=1) == bootstrap(values, users, seed=1)
    assert bootstrap(values, users, seed=1) != bootstrap(values, users, seed=2)


def test_values_that_never_differ_have_an_interval_of_no_width():
    assert bootstrap(np.full(50, 0.5), np.arange(50), seed=1) == Interval(0.5, 0.5, 0.5)


def test_pairing_finds_what_intervals_of_each_alone_hide():
    base, users = draw(500), np.arange(500)
    better = base + 0.1

    alone = bootstrap(better, users, seed=1), bootstrap(base, users, seed=1)
    difference = paired(better, base, users, seed=1)

    assert alone[0].low < alone[1].high
    assert better_beyond_interval(difference)
    assert difference.p_value < 0.01


def test_the_permutation_test_is_fair_where_there_is_no_difference():
    users = np.arange(60)
    values = [
        paired(draw(60, seed=trial), draw(60, seed=1_000 + trial), users, seed=1, trials=99).p_value
        for trial in range(200)
    ]

    assert np.mean(np.array(values) <= 0.05) < 0.1
    assert 0.4 < np.mean(values) < 0.6


def test_systems_that_answer_alike_are_not_told_apart():
    values, users = draw(50), np.arange(50)

    found = paired(values, values, users, seed=1)

    assert found.p_value == 1.0
    assert found.interval == Interval(0.0, 0.0, 0.0)
    assert not better_beyond_interval(found)


def test_the_smallest_p_value_is_one_in_all_trials_and_itself():
    found = paired(np.ones(100), np.zeros(100), np.arange(100), seed=1, trials=99)

    assert found.p_value == 0.01


def test_an_interval_that_touches_zero_is_no_proof():
    assert not better_beyond_interval(Difference(Interval(0.1, 0.0, 0.2), 0.04))
    assert better_beyond_interval(Difference(Interval(0.1, 0.001, 0.2), 0.04))


def test_no_case_has_no_mean():
    with pytest.raises(ValueError, match="no case"):
        bootstrap(np.zeros(0), np.zeros(0, int), seed=1)


def test_only_the_same_cases_can_be_paired():
    with pytest.raises(ValueError, match="same cases"):
        paired(np.zeros(2), np.zeros(3), np.zeros(2, int), seed=1)
