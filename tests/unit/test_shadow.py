"""How alike two lists are."""

import pytest

from clickwise.recommend.shadow import compared

LIST = [f"i{n}" for n in range(10)]


def test_the_same_list_has_everything_in_common_and_the_same_order():
    found = compared(LIST, LIST)

    assert (found.overlap, found.correlation) == (1.0, 1.0)


def test_the_list_turned_round_has_the_opposite_order():
    assert compared(LIST, LIST[::-1]).correlation == pytest.approx(-1.0)


def test_lists_with_nothing_in_common_have_no_order_to_compare():
    found = compared(LIST, [f"j{n}" for n in range(10)])

    assert (found.overlap, found.correlation) == (0.0, None)


def test_only_the_first_ten_places_count():
    assert compared([*LIST, "same"], [*(f"j{n}" for n in range(10)), "same"]).overlap == 0.0


def test_items_of_both_are_ranked_among_themselves():
    found = compared(["a", "x", "b", "y"], ["b", "z", "a", "w"])

    assert found.overlap == 0.5
    assert found.correlation == pytest.approx(-1.0)


def test_a_shorter_list_lacks_what_the_longer_one_has():
    assert compared(["a", "b", "c", "d"], ["a", "b"]).overlap == 0.5
