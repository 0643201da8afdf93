"""How logs are parted, and that what leaks is found."""

import math

import numpy as np
import pytest

from tests.unit.training.evaluation_sites import CLICK, NOON, log_of, site
from training.evaluation.leaks import Leak, LeakKind, find_leaks
from training.evaluation.splits import (
    cut_of_last_share,
    draw_per_user,
    leave_last_out,
    split_by_time,
)


def places(mask):
    return np.flatnonzero(mask).tolist()


def test_the_last_item_is_for_the_test_and_the_one_before_for_validation():
    parts = leave_last_out(log_of([(0, 5, 1), (1, 5, 2), (0, 6, 3), (0, 7, 4), (0, 8, 5)]))

    assert places(parts.test_N) == [4]
    assert places(parts.validation_N) == [3]
    assert places(parts.train_N) == [0, 1, 2]


def test_a_repeat_of_an_item_is_no_last_item():
    parts = leave_last_out(log_of([(0, 5, 1), (0, 6, 2), (0, 7, 3), (0, 5, 4)]))

    assert places(parts.test_N) == [2]
    assert places(parts.train_N) == [0]


def test_what_was_disliked_or_only_shown_is_no_last_item():
    parts = leave_last_out(
        log_of([(0, 5, 1), (0, 6, 2), (0, 7, 3), (0, 8, 4, CLICK, -1.0), (0, 9, 5, CLICK, 0.0)])
    )

    assert places(parts.test_N) == [2]


def test_an_item_that_was_shown_before_it_was_clicked_still_counts():
    parts = leave_last_out(log_of([(0, 5, 1), (0, 6, 2), (0, 7, 3, CLICK, 0.0), (0, 7, 4)]))

    assert places(parts.test_N) == [3]


def test_a_user_with_two_items_is_for_training_only():
    parts = leave_last_out(log_of([(0, 5, 1), (0, 6, 2)]))

    assert parts.train_N.all()
    assert not parts.test_N.any()


def test_no_event_is_in_two_parts():
    rng = np.random.default_rng(0)
    log = log_of([(rng.integers(20), rng.integers(30), time) for time in range(500)])

    parts = leave_last_out(log)

    assert (parts.train_N.astype(int) + parts.validation_N + parts.test_N).max() == 1


def test_an_event_at_the_cut_is_later():
    split = split_by_time(site([(0, 0, 1), (0, 1, 2), (1, 2, 2), (0, 0, 3)]), 2.0)

    assert split.train.log.times_N.tolist() == [1]
    assert split.test.times_N.tolist() == [2, 2, 3]


def test_who_and_what_first_appears_later_is_marked():
    split = split_by_time(site([(0, 0, 1), (0, 1, 2), (1, 2, 2)], users=2, items=3), 2.0)

    assert places(split.new_users_U) == [1]
    assert places(split.new_items_I) == [1, 2]


@pytest.mark.parametrize("cut", [0.0, 9.0])
def test_a_cut_that_leaves_a_side_empty_is_refused(cut):
    with pytest.raises(ValueError, match="empty"):
        split_by_time(site([(0, 0, 1), (0, 1, 2)]), cut)


def test_the_last_share_is_counted_in_events():
    data = site([(0, 0, time) for time in range(10)])

    assert cut_of_last_share(data, 0.2) == 8


def test_a_random_split_takes_the_same_share_of_everybody():
    users = np.repeat(np.arange(50), 20).astype(np.int32)

    test = draw_per_user(users, share=0.2, seed=1)

    assert np.bincount(users[test]).tolist() == [4] * 50


def test_a_random_split_of_uneven_users_has_the_exact_number():
    rng = np.random.default_rng(3)
    users = np.sort(rng.integers(0, 40, 997)).astype(np.int32)

    test = draw_per_user(users, share=0.2, seed=1)

    exact = np.bincount(users) * math.ceil(0.2 * 997) / 997
    assert test.sum() == math.ceil(0.2 * 997)
    assert (np.abs(np.bincount(users[test], minlength=40) - exact) < 1).all()


def test_who_has_the_larger_remainder_gives_one_more():
    users = np.array([0] * 9 + [1] * 6, np.int32)  # a fifth would be 1.8 and 1.2

    test = draw_per_user(users, share=0.2, seed=1)

    assert np.bincount(users[test]).tolist() == [2, 1]


def test_a_random_split_does_not_depend_on_the_order_of_users():
    users = np.array([1, 0, 1, 0, 0, 1, 1, 0, 0, 1], np.int32)

    test = draw_per_user(users, share=0.4, seed=1)

    assert np.bincount(users[test]).tolist() == [2, 2]


def test_equal_seeds_draw_equal_splits_and_others_do_not():
    users = np.repeat(np.arange(20), 10).astype(np.int32)

    first = draw_per_user(users, share=0.2, seed=1)

    assert (first == draw_per_user(users, share=0.2, seed=1)).all()
    assert (first != draw_per_user(users, share=0.2, seed=2)).any()


# Leaks, each planted into a split that has none.

ROWS = [(user, item, NOON + 1_000.0 * (10 * user + item)) for user in range(5) for item in range(5)]
CUT = NOON + 40_000.0


def clean(published=None):
    split = split_by_time(site(ROWS, published=published), CUT)
    return split.train, split.test


def planted(train, *rows):
    log = train.log
    kept = zip(log.users_N.tolist(), log.items_N.tolist(), log.times_N.tolist(), strict=True)
    return train.with_log(log_of([*kept, *rows]))


def test_a_split_by_time_has_no_leak():
    train, test = clean(published=[NOON - 5.0] * 5)
    counts = np.bincount(train.log.items_N, minlength=5).astype(float)

    assert find_leaks(train, test, cut=CUT, popularity_I=counts) == ()


def test_an_event_of_both_parts_is_found():
    train, test = clean()
    shared = (int(test.users_N[0]), int(test.items_N[0]), float(test.times_N[0]))

    found = find_leaks(planted(train, shared), test)

    assert found == (Leak(LeakKind.SHARED_EVENT, 1),)


def test_a_training_event_after_the_cut_is_found():
    train, test = clean()

    found = find_leaks(planted(train, (0, 3, CUT), (0, 2, CUT + 7e4)), test, cut=CUT)

    assert found == (Leak(LeakKind.LATE_EVENT, 2),)


@pytest.mark.parametrize("seconds", [-3.0, 3.0])
def test_a_repeat_on_the_other_side_is_found(seconds):
    train, test = clean()
    again = (int(test.users_N[0]), int(test.items_N[0]), float(test.times_N[0]) + seconds)

    found = find_leaks(planted(train, again), test)

    assert found == (Leak(LeakKind.REPEATED_EVENT, 1),)


def test_another_visit_on_another_day_is_no_repeat_unless_asked_for():
    train, test = clean()
    before = (int(test.users_N[0]), int(test.items_N[0]), NOON)

    assert find_leaks(planted(train, before), test) == ()
    assert find_leaks(planted(train, before), test, repeat_seconds=math.inf) == (
        Leak(LeakKind.REPEATED_EVENT, 1),
    )


def test_the_same_moment_of_another_person_or_another_type_is_no_repeat():
    train, test = clean()
    user, item, time = int(test.users_N[0]), int(test.items_N[0]), float(test.times_N[0])

    found = find_leaks(
        planted(train, (user - 1, item, time), (user, item, time, CLICK + 1, 1.0)), test
    )

    assert found == ()


def test_an_item_that_was_read_before_it_is_said_to_be_published_is_found():
    train, test = clean(published=[NOON, NOON, CUT + 5.0, 0.0, 0.0])

    assert find_leaks(train, test, cut=CUT) == (Leak(LeakKind.LATER_PUBLICATION, 1),)


def test_publication_that_was_taken_from_the_test_events_is_found():
    rows = [*ROWS, *((0, item, CUT + 1e5 + item) for item in range(5, 9))]
    published = [0.0] * 5 + [CUT + 1e5 + item for item in range(5, 9)]
    split = split_by_time(site(rows, published=published), CUT)

    found = find_leaks(split.train, split.test, cut=CUT)

    assert found == (Leak(LeakKind.PUBLICATION_FROM_TEST, 4),)


def test_one_article_read_in_the_second_of_its_publication_is_chance():
    rows = [*ROWS, *((0, item, CUT + 1e5 + item) for item in range(5, 9))]
    published = [0.0] * 5 + [CUT + 1e5 + 5] + [CUT + 5e4] * 3
    split = split_by_time(site(rows, published=published), CUT)

    assert find_leaks(split.train, split.test, cut=CUT) == ()


def test_popularity_that_counts_test_events_is_found():
    train, test = clean()
    everything = np.bincount([row[1] for row in ROWS], minlength=5).astype(float)

    assert find_leaks(train, test, popularity_I=everything) == (
        Leak(LeakKind.POPULARITY_FROM_TEST, 5),
    )
