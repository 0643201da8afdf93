"""Slices of cases, and figures of lists, on values that can be checked by hand."""

import numpy as np
import pytest

from tests.unit.training.evaluation_sites import CLICK, site
from training.evaluation.beyond import beyond_accuracy, diversity, gini
from training.evaluation.curves import lived_curve
from training.evaluation.forward import plan_from
from training.evaluation.slices import facts_of, slice_figures, slices_of

NOTHING = np.zeros(0)


def lists(*rows):
    return np.array(rows, np.int32)


def test_coverage_is_the_share_of_items_in_anybodys_list():
    found = beyond_accuracy(lists([0, 1], [1, -1]), site([(0, 0, 1)], items=8))

    assert found.coverage == 0.25


def test_lists_of_one_topic_are_not_diverse_and_of_many_are():
    items = site([(0, 0, 1)], items=4, topics=(("a",), ("a",), ("b",), ("a", "b"))).items

    assert diversity(lists([0, 1]), items) == pytest.approx(0.0)
    assert diversity(lists([0, 2]), items) == pytest.approx(1.0)
    assert diversity(lists([0, 3]), items) == pytest.approx(1 - np.sqrt(0.5))
    assert diversity(lists([0, 1], [0, 2]), items) == pytest.approx(0.5)
    assert diversity(lists([0, 1, 2]), items) == pytest.approx(2 / 3)


def test_text_decides_on_diversity_where_there_is_some():
    vectors = np.array([[1, 0], [0, 1], [1, 0], [0, 0]], np.float32)
    items = site([(0, 0, 1)], items=4, topics=(("a",),) * 4, text_ID=vectors).items

    assert diversity(lists([0, 1]), items) == pytest.approx(1.0)
    assert diversity(lists([0, 2]), items) == pytest.approx(0.0)


def test_places_left_empty_and_items_without_text_make_no_pair():
    vectors = np.array([[1, 0], [0, 1], [1, 0], [0, 0]], np.float32)
    items = site([(0, 0, 1)], items=4, text_ID=vectors).items

    assert diversity(lists([0, 2, 3], [0, 1, -1], [3, -1, -1]), items) == pytest.approx(0.5)
    assert diversity(lists([3, -1]), items) is None


def test_an_empty_place_is_not_the_last_item():
    vectors = np.array([[1, 0], [0, 1], [1, 0]], np.float32)
    items = site([(0, 0, 1)], items=3, text_ID=vectors).items

    assert diversity(lists([0, 1, -1]), items) == pytest.approx(1.0)


def test_without_text_and_topics_diversity_is_not_told():
    assert diversity(lists([0, 1]), site([(0, 0, 1)], items=2).items) is None


def test_novelty_is_the_surprise_at_what_is_shown():
    train = site([(0, 0, 1), (1, 0, 2), (2, 0, 3), (0, 1, 4), (0, 1, 5)], items=3)

    # Of three people (and one more) three met item 0, one item 1, nobody item 2.
    assert beyond_accuracy(lists([0]), train).novelty == pytest.approx(0.0)
    assert beyond_accuracy(lists([1]), train).novelty == pytest.approx(1.0)
    assert beyond_accuracy(lists([2]), train).novelty == pytest.approx(2.0)
    assert beyond_accuracy(lists([0, 2]), train).novelty == pytest.approx(1.0)


def test_the_popular_tenth_is_counted_by_training_events():
    train = site([(0, 7, 1), (1, 7, 2), (0, 3, 3)], items=10)

    assert beyond_accuracy(lists([7, 3], [7, 1]), train).head_share == 0.5


def test_gini_tells_even_from_uneven():
    assert gini(np.full(10, 3.0)) == pytest.approx(0.0)
    assert gini(np.array([0.0] * 9 + [5.0])) == pytest.approx(0.9)
    assert gini(np.array([1.0, 3.0])) == pytest.approx(0.25)
    assert gini(np.zeros(4)) == 0.0


def test_no_list_at_all_has_figures_too():
    found = beyond_accuracy(np.zeros((0, 10), np.int32), site([(0, 0, 1)]))

    assert (found.coverage, found.novelty, found.head_share) == (0.0, None, None)


# Slices


def later():
    """Six cases after time 10, of one known user and one new, on known and new items."""
    return plan_from(
        site(
            [
                (0, 0, 1), (0, 1, 2), (2, 2, 3),
                (0, 2, 10), (0, 4, 11), (1, 0, 12), (1, 3, 13), (1, 1, 14), (0, 3, 15),
            ],
            languages=("en", "en", "zh", "zh", ""),
            kinds=("news",) * 5,
        ),
        10.0,
    )  # fmt: skip


def masks(plan):
    return {
        (one.group, one.name): np.flatnonzero(one.cases_C).tolist()
        for one in slices_of(facts_of(plan))
    }


def test_who_and_what_is_new_is_told_from_the_training_part():
    found = masks(later())

    assert found["user", "new users"] == [2, 3, 4]
    assert found["user", "known users"] == [0, 1, 5]
    assert found["item", "new items"] == [1, 3, 5]
    assert found["user", "new users after one event"] == [3]


def test_history_lengths_fall_into_their_buckets():
    found = masks(later())

    assert found["history", "0 events"] == [2]
    assert found["history", "1 event"] == [3]
    assert found["history", "2 to 4 events"] == [0, 1, 4, 5]
    assert ("history", "200 events or more") not in found


def test_languages_part_the_cases_and_a_single_kind_does_not():
    found = masks(later())

    assert found["language", "zh"] == [0, 3, 5]
    assert found["language", "not known"] == [1]
    assert not [name for group, name in found if group == "kind"]


def test_languages_of_less_than_a_hundredth_are_put_together():
    rows = [(0, item, item) for item in range(400)]
    languages = ("en",) * 200 + ("zh",) * 198 + ("la", "eo")
    data = site([(1, 0, 0), *rows], languages=languages)

    found = masks(plan_from(data, 1.0))

    assert {name for group, name in found if group == "language"} == {"en", "zh", "others"}
    assert len(found["language", "others"]) == 2


def test_slices_have_the_figures_of_their_cases_alone():
    plan = later()
    values = {"a": np.array([0, 0, 1, 1, 1, 0.0]), "b": np.ones(6)}

    found = slice_figures(slices_of(facts_of(plan)), values, plan.cases.users_C, seed=1, trials=20)

    figures = {one.name: one for one in found}
    assert figures["new users"].num_cases == 3
    assert figures["new users"].systems["a"].mean == 1.0
    assert figures["known users"].systems["a"].mean == 0.0
    assert figures["known users"].systems["b"].mean == 1.0


def test_every_case_is_in_one_slice_of_each_kind():
    plan = later()

    for group in ("item", "history", "language"):
        parts = [one.cases_C for one in slices_of(facts_of(plan)) if one.group == group]
        assert np.sum(parts, axis=0).tolist() == [1] * 6


def test_an_impression_makes_a_user_known_and_no_case():
    plan = plan_from(site([(0, 0, 1), (1, 1, 2, CLICK, 0.0), (1, 1, 10)]), 5.0)

    assert masks(plan) == {}
    assert len(plan.cases) == 1


# Curves


def test_a_curve_is_the_mean_of_the_newest_tenth():
    values = np.concatenate((np.zeros(500), np.ones(500)))

    found = lived_curve({"a": values}, metric="Recall@10")

    assert found.places[0] == 100
    assert found.places[-1] == 1_000
    assert found.values["a"][0] == 0.0
    assert found.values["a"][-1] == 1.0
    at = found.places.index(min(found.places, key=lambda place: abs(place - 550)))
    assert found.values["a"][at] == pytest.approx((found.places[at] - 500) / 100)


def test_a_curve_of_few_cases_is_short():
    assert lived_curve({"a": np.array([0.0, 1.0])}, metric="m").values["a"] == (0.0, 1.0)


@pytest.mark.parametrize("values", [{}, {"a": NOTHING}, {"a": np.ones(2), "b": np.ones(3)}])
def test_curves_need_the_same_cases(values):
    with pytest.raises(ValueError, match="same cases"):
        lived_curve(values, metric="m")
