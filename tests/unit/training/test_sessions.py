"""Session kNN, worked by hand, and the protocol that its published figures come from."""

import json
import os
from math import inf, log
from pathlib import Path

import numpy as np
import pytest

from tests.unit.training.evaluation_sites import CLICK, Chain, Fixed, site
from training.baselines.session_knn import SessionKnn, SessionKnnConfig
from training.data import History
from training.evaluation.sessions import evaluate_sessions, main, outcome

HOUR = 3_600.0
# Three past sessions, each a user: A has items 0 1 2, B has 1 3, C has 2 4; C is the newest.
PAST = [(0, 0, 1), (0, 1, 2), (0, 2, 3), (1, 1, 11), (1, 3, 12), (2, 2, 21), (2, 4, 22)]
# Seven items of sessions in all; 0, 3 and 4 are in one session, 1 and 2 in two.
ONCE, TWICE = log(7 / 1), log(7 / 2)


def asked(*items):
    steps = np.arange(len(items), dtype=np.float64)
    ones = np.ones(len(items), np.float32)
    return History(
        np.array(items, np.int32), np.full(len(items), CLICK, np.uint8), ones, steps, now=9.0
    )


def knn(rows=PAST, *, items=5, timed=True, **values):
    ranker = SessionKnn(SessionKnnConfig(**{"fallback": "none"} | values))
    ranker.fit(site(rows, items=items, users=9, timed=timed), seed=1)
    return ranker


def scores(ranker, *items):
    return ranker.score([0], [asked(*items)])[0]


def test_similarity_position_and_idf_make_the_score_of_an_item():
    # Newest is 1 (share 2/2): A and B have it. Before it 0 (share 1/2): A. So A 1.5, B 1.
    # Both have the newest item: 1 - 1/10.
    assert np.allclose(
        scores(knn(), 0, 1),
        [1.5 * 0.9 * ONCE, 2.5 * 0.9 * TWICE, 1.5 * 0.9 * TWICE, 1.0 * 0.9 * ONCE, -inf],
    )


def test_a_session_that_matches_further_back_weighs_less():
    # 4 (share 1): C, at the first place. 0 (share 1/2): A, at the second.
    assert np.allclose(
        scores(knn(), 0, 4),
        [
            0.5 * 0.8 * ONCE,
            0.5 * 0.8 * TWICE,
            (1.0 * 0.9 + 0.5 * 0.8) * TWICE,
            -inf,
            1.0 * 0.9 * ONCE,
        ],
    )


def test_only_the_k_most_similar_sessions_vote():
    assert scores(knn(neighbors=1), 0, 1)[3] == -inf


def test_only_the_m_most_recent_sessions_are_looked_at():
    assert scores(knn(most_recent=1), 0, 1)[2] == -inf


def test_of_equally_similar_sessions_the_newer_votes():
    voted = scores(knn(neighbors=1), 2)

    assert voted[4] > -inf
    assert voted[0] == -inf


def test_only_the_last_items_are_looked_at():
    assert np.array_equal(scores(knn(last_items=1), 0, 1), scores(knn(last_items=1), 1))


def test_without_idf_every_item_of_a_session_gets_the_same():
    assert np.allclose(scores(knn(idf_weight=0.0), 0, 1)[:4], [1.35, 2.25, 1.35, 0.9])


def test_what_no_neighbor_has_is_ordered_by_popularity_below_the_rest():
    popular = [*PAST, (3, 5, 30), (4, 5, 31), (5, 6, 32)]

    row = scores(knn(popular, items=7, fallback="popularity"), 0, 1)

    assert row[:4].min() > row[5] > row[6] > 0.0


def test_a_pause_or_enough_steps_end_a_session():
    rows = [(0, 0, 0.0), (0, 1, HOUR), (0, 2, HOUR + 1.0), (0, 3, HOUR + 2.0)]

    by_gap = scores(knn(rows), 1)
    by_steps = scores(knn(rows, gap_seconds=inf, session_steps=3), 1)

    assert (by_gap > -inf).tolist() == [False, True, True, True, False]
    assert (by_steps > -inf).tolist() == [True, True, True, False, False]


def test_without_times_all_of_a_user_is_one_session():
    rows = [(0, item, 1e6 * item) for item in range(4)]

    assert (scores(knn(rows, timed=False), 0) > -inf).tolist() == [True] * 4 + [False]


def test_what_was_learned_counts_as_if_it_had_been_there_at_the_fit():
    rng = np.random.default_rng(1)
    rows = [
        (int(user), int(item), 400.0 * n)
        for n, (user, item) in enumerate(rng.integers(0, 8, (300, 2)))
    ]
    whole = knn(rows, items=8, most_recent=20)
    grown = knn(rows[:150], items=8, most_recent=20)
    for user, item, time in rows[150:]:
        grown.learn(user, item, event_type=CLICK, weight=1.0, time=time)

    for question in ((1,), (2, 3), (5, 6, 7, 1)):
        assert np.array_equal(scores(grown, *question), scores(whole, *question))


def test_a_session_that_grows_too_long_teaches_nothing():
    ranker = knn(gap_seconds=inf, session_steps=1_000)
    for step in range(30):
        ranker.learn(7, 2 if step else 0, event_type=CLICK, weight=1.0, time=100.0 + step)

    assert np.allclose(scores(ranker, 0, 1), scores(knn(), 0, 1))


def test_dislikes_are_learned_by_nobody():
    ranker = knn()
    ranker.learn(0, 4, event_type=CLICK, weight=-1.0, time=3.5)

    assert np.array_equal(scores(ranker, 0, 1), scores(knn(), 0, 1))


def test_figures_of_a_list_are_those_of_the_published_evaluator():
    best = list(range(1, 21))

    rank, ndcg, hit, precision, recall = outcome(best, [3, 55, 88, 4], 20)

    # The evaluator's own tests: 1/3 and .36121211352040195.
    assert rank == pytest.approx(1 / 3)
    assert ndcg == pytest.approx(0.36121211352040195)
    assert (hit, precision, recall) == (1.0, 2 / 20, 2 / 4)


def test_recall_counts_repeats_among_the_items_to_come():
    assert outcome([3, 4], [3, 55, 3, 4], 20)[3:] == (2 / 20, 2 / 4)


def test_a_next_item_that_is_not_listed_is_a_miss_though_a_later_one_is():
    rank, _, hit, precision, _ = outcome([7], [3, 7], 20)

    assert (rank, hit, precision) == (0.0, 0.0, 1 / 20)


SESSIONS = site([(0, 0, 1), (0, 1, 2), (0, 2, 3), (1, 4, 5), (1, 1, 6), (2, 3, 7)], items=6)


def test_every_beginning_of_every_session_is_asked_about():
    ranker = Fixed(np.zeros(6))

    outcomes = evaluate_sessions(ranker, train=SESSIONS, test=SESSIONS)

    assert outcomes.sessions_N.tolist() == [0, 0, 1]
    assert [seen.items_T.tolist() for _, seen in ranker.asked] == [[0], [0, 1], [4]]


def test_a_ranker_that_knows_the_next_item_is_right_where_it_is():
    outcomes = evaluate_sessions(Chain(6), train=SESSIONS, test=SESSIONS, length=1)

    assert outcomes.reciprocal_ranks_N.tolist() == [1.0, 1.0, 0.0]
    assert outcomes.figures()["hit_rate"] == pytest.approx(2 / 3)
    assert outcomes.coverage == pytest.approx(3 / 5)


def test_neither_the_newest_item_nor_one_without_score_is_listed():
    ranker = Fixed([9.0, 8.0, -inf, -inf, 7.0, -inf])

    outcomes = evaluate_sessions(ranker, train=SESSIONS, test=SESSIONS)

    # After 0: 1 and 4; after 0 1: 0 and 4; after 4: 0 and 1.
    assert outcomes.reciprocal_ranks_N.tolist() == [1.0, 0.0, 1 / 2]
    assert outcomes.precision_N.tolist() == [1 / 20, 0.0, 1 / 20]
    assert outcomes.coverage == pytest.approx(3 / 5)


def test_the_command_says_in_one_line_what_is_missing(tmp_path, capsys):
    assert main([str(tmp_path)]) == 1
    assert capsys.readouterr().err.splitlines() == [
        f"{tmp_path} has neither train.txt nor train.txt.gz"
    ]


@pytest.mark.skipif(
    not Path(os.environ.get("CLICKWISE_TEST_DATA", "/nowhere"), "serenade-sessions").is_dir(),
    reason="CLICKWISE_TEST_DATA has no folder serenade-sessions",
)
def test_session_knn_gives_the_published_figures(capsys):
    assert main([str(Path(os.environ["CLICKWISE_TEST_DATA"], "serenade-sessions"))]) == 0

    figures = json.loads(capsys.readouterr().out)
    published = {
        "mrr": 0.3277, "ndcg": 0.3553, "hit_rate": 0.6402, "precision": 0.0680,
        "recall": 0.4456, "coverage": 0.2765,
    }  # fmt: skip
    assert figures["evaluations"] == 931
    for name, value in published.items():
        assert figures[name] == pytest.approx(value, abs=0.01)
