"""What each protocol learns from, asks, and does not give away."""

import os
from pathlib import Path

import numpy as np
import pytest

from clickwise.types import EVENT_CODES, EventType
from tests.unit.training.evaluation_sites import (
    CLICK,
    DAY,
    NOON,
    Chain,
    Fixed,
    log_of,
    silent,
    site,
)
from training.evaluation.cases import LIST_SIZE, answer
from training.evaluation.deskdrop import NUM_OTHERS, merge, plan_deskdrop
from training.evaluation.forward import out_since, plan_forward, plan_from
from training.evaluation.leaks import find_leaks
from training.evaluation.leave_one_out import plan_leave_one_out
from training.evaluation.lived import live, plan_lived
from training.evaluation.metrics import metric

ITEMS = 12


def walkers(*, users=6, steps=8, items=ITEMS):
    """Each user goes from item to the next one, a day a step."""
    return site(
        [
            (user, (user + step) % items, NOON + DAY * step + user)
            for user in range(users)
            for step in range(steps)
        ],
        items=items,
    )


def asked(plan):
    """(user, items of the history, now, right item) of each case."""
    cases = plan.cases
    return [
        (
            int(cases.users_Q[q]),
            cases.history(int(q)).items_T.tolist(),
            cases.history(int(q)).now,
            int(item),
        )
        for q, item in zip(cases.questions_C, cases.items_C, strict=True)
    ]


# Leave-one-out


def test_the_history_of_the_last_item_is_all_that_was_before():
    plan = plan_leave_one_out(site([(0, 1, 1), (1, 9, 2), (0, 2, 3), (0, 3, 4), (0, 4, 5)]))

    assert asked(plan) == [(0, [1, 2, 3], 5.0, 4)]
    assert plan.train.log.items_N.tolist() == [1, 9, 2]


def test_validation_asks_for_the_last_item_but_one_and_knows_no_more():
    plan = plan_leave_one_out(site([(0, 1, 1), (0, 2, 3), (0, 3, 4), (0, 4, 5)])).validation()

    assert asked(plan) == [(0, [1, 2], 4.0, 3)]
    assert plan.train.log.items_N.tolist() == [1, 2]


def test_a_ranker_that_knows_the_way_is_right_every_time():
    plan = plan_leave_one_out(walkers())

    found = answer(Chain(ITEMS), plan.cases, progress=silent)

    assert found.ranks_C.tolist() == [1] * 6
    assert find_leaks(plan.train, plan.test, repeat_seconds=np.inf) == ()


def test_items_of_the_history_are_barred():
    plan = plan_leave_one_out(site([(0, item, item) for item in range(5)], items=8))
    likes_the_history = Fixed([9, 9, 9, 9, 1, 5, 0, 0])

    found = answer(likes_the_history, plan.cases, progress=silent)

    assert found.ranks_C.tolist() == [2]
    assert found.tops_QK[0, :4].tolist() == [5, 4, 6, 7]
    assert set(found.tops_QK[0, 4:]) == {-1}


def test_only_the_newest_items_are_barred_where_that_is_asked_for():
    plan = plan_leave_one_out(site([(0, item, item) for item in range(5)], items=8), barred_last=3)

    found = answer(Fixed([9, 9, 9, 9, 1, 5, 0, 0]), plan.cases, progress=silent)

    assert found.ranks_C.tolist() == [3]


def test_what_was_only_shown_is_not_barred():
    rows = [(0, 0, 0), (0, 1, 1), (0, 5, 2, CLICK, 0.0), (0, 2, 3)]
    plan = plan_leave_one_out(site(rows, items=6))

    found = answer(Fixed([0, 0, 1, 0, 0, 9]), plan.cases, progress=silent)

    assert found.tops_QK[0, 0] == 5


def test_a_dataset_of_single_events_cannot_leave_one_out():
    with pytest.raises(ValueError, match="3 items"):
        plan_leave_one_out(site([(0, 1, 1), (1, 1, 2)]))


def test_many_questions_are_asked_in_batches_and_answered_in_order():
    users, items = 1_500, 40
    data = site(
        [(user, (7 * user + step) % items, step) for step in range(4) for user in range(users)],
        items=items,
    )
    shares = []

    found = answer(Chain(items), plan_leave_one_out(data).cases, progress=shares.append)

    assert found.ranks_C.tolist() == [1] * users
    assert found.tops_QK.shape == (users, LIST_SIZE)
    assert shares[-1] == 1.0
    assert len(shares) < 10


def test_scores_of_the_wrong_shape_are_refused():
    class Wrong(Fixed):
        def score(self, *_):
            return self.scores

    with pytest.raises(ValueError, match="wrong gave scores of shape"):
        answer(Wrong([0] * ITEMS, "wrong"), plan_leave_one_out(walkers()).cases, progress=silent)


def test_a_rankers_own_table_is_not_changed():
    class Own(Fixed):
        def score(self, users, _):
            return self.table[: len(users)]

    own = Own([0] * ITEMS)
    own.table = np.ones((600, ITEMS), np.float32)

    answer(own, plan_leave_one_out(walkers()).cases, progress=silent)

    assert (own.table == 1.0).all()


# Forward in time


def test_each_later_new_item_is_asked_with_the_history_up_to_then():
    data = site([(0, 0, 1), (0, 1, 2), (0, 2, 10), (1, 3, 11), (0, 3, 12), (0, 2, 13)])

    plan = plan_from(data, 10.0)

    assert asked(plan) == [(0, [0, 1], 10.0, 2), (1, [], 11.0, 3), (0, [0, 1, 2], 12.0, 3)]
    assert plan.train.log.times_N.tolist() == [1, 2]


def test_what_was_disliked_later_is_not_asked_but_is_history():
    data = site([(0, 0, 1), (0, 1, 10, CLICK, -1.0), (0, 2, 11)])

    assert asked(plan_from(data, 10.0)) == [(0, [0, 1], 11.0, 2)]


def test_an_item_that_is_not_out_yet_is_not_among_the_answers():
    data = site(
        [(0, 0, 1), (0, 1, 10), (0, 2, 20), (1, 3, 30)], items=5, published=[0, 9, 19, 25, 0]
    )

    found = answer(Fixed([0, 1, 2, 9, 8]), plan_from(data, 10.0).cases, progress=silent)

    # At 10: items 1 and 4; at 20: 2 and 4; at 30, of somebody else: all.
    assert found.ranks_C.tolist() == [2, 2, 1]


def test_an_item_is_out_from_its_first_event_if_that_is_before_its_publication():
    data = site([(0, 0, 1), (0, 1, 5)], items=3, published=[3, 2, 0])

    assert out_since(data).tolist() == [1, 2, -np.inf]


def test_an_item_can_be_predicted_in_the_very_second_in_which_it_came_out():
    data = site([(0, 0, 1), (0, 1, 10)], items=3, published=[0, 12, 0])

    found = answer(Fixed([0, 2, 1]), plan_from(data, 10.0).cases, progress=silent)

    assert found.ranks_C.tolist() == [1]


def test_the_last_month_is_asked_about_and_the_month_before_validates():
    data = site([(user, day, NOON + day * DAY + user) for day in range(100) for user in range(2)])

    plan = plan_forward(data)

    last = NOON + 99 * DAY + 1
    assert plan.cut == last - 30 * DAY
    assert plan.train.log.times_N.max() < plan.cut
    assert plan.cases.nows_Q.min() >= plan.cut
    assert plan.validation().cut == pytest.approx(last - 60 * DAY, abs=DAY)
    assert plan.validation().cases.nows_Q.max() < plan.cut


def test_of_a_short_log_the_last_tenth_is_asked_about():
    data = site([(0, day, NOON + day * DAY) for day in range(40)])

    assert len(plan_forward(data).test) == 4


def test_a_log_without_times_cannot_be_taken_forward():
    with pytest.raises(ValueError, match="only an order"):
        plan_forward(site([(0, 0, 0), (0, 1, 1)], timed=False))


def test_forward_in_time_does_not_leak():
    plan = plan_forward(walkers(users=9, steps=10))

    assert find_leaks(plan.train, plan.test, cut=plan.cut) == ()


# Lived


class Silent:
    """Lists nothing."""

    name = "silent"

    def begin(self, *_, **__):
        pass

    def ask(self, *_, **__):
        return ()

    def tell(self, *_):
        pass

    def close(self):
        pass


def test_what_is_not_listed_is_no_hit_however_few_items_there_are():
    lived = plan_lived(site([(user, user % 4, NOON + user) for user in range(40)], items=4))

    found = live(Silent(), lived, seed=1, progress=silent)

    assert len(found.ranks_C)
    assert not metric("Recall@50").of(found.ranks_C).any()


# The Deskdrop protocol

VIEW, LIKE, SHARE = (
    EVENT_CODES[kind] for kind in (EventType.VIEW, EventType.LIKE, EventType.SHARE)
)


def test_all_that_one_did_with_an_item_becomes_one_interaction():
    rows = [(0, item, item, VIEW, 0.5) for item in range(5)]
    rows += [(0, 0, 50, LIKE, 1.5), (0, 0, 51, SHARE, 1.8), (0, 0, 52, VIEW, 0.5)]

    found = merge(log_of(rows))

    assert found.items_N.tolist() == [0, 1, 2, 3, 4]
    assert found.times_N.tolist() == [0, 1, 2, 3, 4]
    assert found.types_N.tolist() == [SHARE, VIEW, VIEW, VIEW, VIEW]
    assert found.weights_N == pytest.approx(np.log2(1 + np.array([1 + 2 + 4 + 1, 1, 1, 1, 1])))


def test_people_with_fewer_than_five_items_are_left_out():
    rows = [(0, item, item) for item in range(5)] + [(1, item, item) for item in range(4)]
    rows += [(1, 0, 9)]

    assert set(merge(log_of(rows)).users_N.tolist()) == {0}


def test_a_fifth_of_everybodys_interactions_is_the_test():
    plan = plan_deskdrop(walkers(users=20, steps=10, items=300), seed=1)

    assert len(plan.test) == len(plan.cases) == 40
    assert len(plan.train.log) == 160
    assert set(np.bincount(plan.test.users_N)) == {2}


def test_the_others_are_distinct_items_that_the_user_never_met():
    data = walkers(users=20, steps=10, items=300)
    plan = plan_deskdrop(data, seed=1)

    met = {user: set(history.items_T.tolist()) for user, history in data.histories()}
    for user, others in zip(plan.cases.users_C, plan.cases.candidates_CK, strict=True):
        assert len(set(others.tolist())) == NUM_OTHERS
        assert not met[int(user)] & set(others.tolist())


def test_histories_hold_training_interactions_only():
    plan = plan_deskdrop(walkers(users=20, steps=10, items=300), seed=1)

    for user, history, now, item in asked(plan):
        own = plan.train.log.take(plan.train.log.users_N == user)
        assert history == own.items_N.tolist()
        assert item not in history
        assert now == own.times_N[-1]  # when the right item was met is not given away


def test_scores_alike_are_hits_at_ten_by_no_chance_at_all():
    plan = plan_deskdrop(walkers(users=20, steps=10, items=300), seed=1)

    found = answer(Fixed(np.zeros(300)), plan.cases, progress=silent)

    assert set(found.ranks_C) == {1 + NUM_OTHERS}


def test_random_scores_hit_ten_of_a_hundred_and_one_times():
    plan = plan_deskdrop(walkers(users=300, steps=20, items=400), seed=1)

    found = answer(Fixed(np.random.default_rng(0).permutation(400)), plan.cases, progress=silent)

    hits = metric("Recall@10").of(found.ranks_C).mean()
    assert hits == pytest.approx(10 / 101, abs=0.03)


def test_equal_seeds_ask_equal_questions():
    data = walkers(users=20, steps=10, items=300)

    first, again, other = (plan_deskdrop(data, seed=seed).cases for seed in (1, 1, 2))

    assert (first.candidates_CK == again.candidates_CK).all()
    assert (first.items_C == again.items_C).all()
    assert (first.items_C != other.items_C).any()


def test_validation_parts_the_training_interactions_once_more():
    plan = plan_deskdrop(walkers(users=20, steps=10, items=300), seed=1)

    inner = plan.validation()

    assert len(inner.train.log) + len(inner.test) == len(plan.train.log)
    assert find_leaks(inner.train, plan.test, repeat_seconds=np.inf) == ()


def test_a_site_where_somebody_met_nearly_everything_is_refused():
    with pytest.raises(ValueError, match="met all but"):
        plan_deskdrop(walkers(users=3, steps=10, items=50), seed=1)


@pytest.mark.skipif(
    not Path(os.environ.get("CLICKWISE_TEST_DATA", "/nowhere"), "deskdrop").is_dir(),
    reason="CLICKWISE_TEST_DATA has no folder deskdrop",
)
def test_the_published_counts_and_popularity_come_out():
    from training.datasets import load_dataset

    data = load_dataset("deskdrop", folder=Path(os.environ["CLICKWISE_TEST_DATA"]))
    plan = plan_deskdrop(data, seed=42)
    log = plan.train.log
    strength = np.bincount(log.items_N, weights=log.weights_N, minlength=len(data.items))

    found = answer(Fixed(strength), plan.cases, progress=silent)

    assert (len(log), len(plan.test)) == (31_284, 7_822)
    assert len(np.unique(log.users_N)) == 1_140
    assert metric("Recall@5").of(found.ranks_C).mean() == pytest.approx(0.242, abs=0.015)
    assert metric("Recall@10").of(found.ranks_C).mean() == pytest.approx(0.373, abs=0.015)
