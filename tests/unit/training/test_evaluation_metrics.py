"""Ranks and metrics of one right item, on scores that can be checked by hand."""

import numpy as np
import pytest

from training.evaluation.metrics import Metric, bar, metric, ranks, ranks_among, top


def scores(*rows):
    return np.array(rows, np.float32)


def targets(*items):
    return np.array(items, np.int32)


def test_the_best_item_has_rank_one_and_the_worst_the_last():
    found = ranks(scores([0.1, 0.9, 0.5], [0.1, 0.9, 0.5]), targets(1, 0))

    assert found.tolist() == [1, 3]


def test_ties_stand_before_the_right_item():
    found = ranks(scores([1.0, 1.0, 1.0, 0.0]), targets(0))

    assert found.tolist() == [3]


def test_a_ranker_that_scores_everything_alike_gets_the_last_rank():
    found = ranks(np.zeros((1, 100), np.float32), targets(7))

    assert found.tolist() == [100]


def test_barred_items_take_no_place():
    given = scores([0.9, 0.8, 0.7], [0.9, 0.8, 0.7])

    bar(given, [np.array([0, 1]), np.array([], np.int32)])

    assert ranks(given, targets(2, 2)).tolist() == [1, 3]


def test_a_right_item_without_a_score_gets_the_last_rank():
    found = ranks(scores([0.5, -np.inf, 0.2]), targets(1))

    assert found.tolist() == [3]


@pytest.mark.parametrize("ranking", [ranks, lambda s, t: ranks_among(s, t, np.zeros((1, 1), int))])
def test_a_score_that_is_no_number_is_refused(ranking):
    with pytest.raises(ValueError, match="NaN"):
        ranking(scores([0.5, np.nan]), targets(0))


def test_among_candidates_only_they_count_and_ties_stand_before():
    given = scores([0.9, 0.5, 0.5, 0.1, 0.7])

    found = ranks_among(given, targets(1), np.array([[2, 3]]))

    assert found.tolist() == [2]


def test_ranks_of_many_rows_agree_with_sorting_each():
    rng = np.random.default_rng(0)
    given = rng.random((50, 40)).astype(np.float32)
    right = rng.integers(0, 40, 50).astype(np.int32)

    found = ranks(given, right)

    slow = [1 + sum(row > row[item]) for row, item in zip(given, right, strict=True)]
    assert found.tolist() == slow


def test_the_list_is_best_first_with_earlier_items_first_among_equals():
    given = scores([0.5, 0.9, 0.5, 0.5, 0.1])

    assert top(given, 3).tolist() == [[1, 0, 2]]
    assert top(np.zeros((1, 500), np.float32), 10).tolist() == [list(range(10))]


def test_a_list_is_short_where_little_is_left():
    given = scores([0.5, 0.9, 0.7])
    bar(given, [np.array([0, 1])])

    assert top(given, 3).tolist() == [[2, -1, -1]]
    assert top(given, 10).shape == (1, 3)


@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("NDCG@10", [1.0, 1 / np.log2(3), 1 / np.log2(11), 0.0]),
        ("Recall@10", [1.0, 1.0, 1.0, 0.0]),
        ("HitRate@2", [1.0, 1.0, 0.0, 0.0]),
        ("MRR@10", [1.0, 0.5, 0.1, 0.0]),
    ],
)
def test_metrics_of_known_ranks(name, values):
    found = metric(name).of(np.array([1, 2, 10, 11], np.int32))

    assert found == pytest.approx(values)
    assert metric(name).name == name


@pytest.mark.parametrize("name", ["NDCG", "NDCG@", "NDCG@x", "AUC@10", "Recall@0", "Recall@-1"])
def test_a_metric_that_there_is_not_is_refused(name):
    with pytest.raises(ValueError, match="no metric"):
        metric(name)


def test_a_metric_of_no_places_is_refused():
    with pytest.raises(ValueError, match="no metric"):
        Metric("Recall", 0)
