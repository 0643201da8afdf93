"""Our model as a ranker."""

from dataclasses import replace

import numpy as np
import pytest

from tests.unit.training.networks import TINY, catalogue, two_tastes
from training.data import Dataset, History, Log
from training.fit import FitConfig
from training.learned import LearnedRanker
from training.lessons import lessons_of

QUICK = FitConfig(epochs=10, batch=16, warmup=5, learning_rate=0.02, patience=30, every=5)


def fitted(data, *, seed=1):
    ranker = LearnedRanker(TINY, QUICK, device="cpu")
    ranker.fit(data, seed=seed)
    return ranker


@pytest.fixture(scope="module")
def ranker():
    return fitted(two_tastes())


def clicked(*items):
    number = len(items)
    return History(
        np.array(items, np.int32),
        np.ones(number, np.uint8),
        np.ones(number, np.float32),
        1e9 + 60.0 * np.arange(number),
        now=2e9,
    )


def test_who_clicks_even_items_gets_even_items_first(ranker):
    even, odd = ranker.score([0, 1], [clicked(0, 4, 8), clicked(1, 5, 9)])

    assert set((np.argsort(-even)[:8] % 2).tolist()) == {0}
    assert set((np.argsort(-odd)[:8] % 2).tolist()) == {1}


def test_equal_seeds_give_equal_rankers(ranker):
    first = ranker.score([0], [clicked(0, 4)])
    again = fitted(two_tastes(), seed=1).score([0], [clicked(0, 4)])
    other = fitted(two_tastes(), seed=4).score([0], [clicked(0, 4)])

    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)


def test_who_has_no_history_gets_what_is_popular():
    data = two_tastes()
    log = data.log.take(data.log.items_N != 7)  # nobody met it
    ranker = fitted(data.with_log(log))

    (scores,) = ranker.score([0], [clicked()])

    assert np.allclose(np.exp(scores), 1.0 + np.bincount(log.items_N, minlength=20))


def test_impressions_change_nothing(ranker):
    seen = clicked(0, 3, 4)
    seen.types_T[1] = 0
    seen.weights_T[1] = 0.0
    plain = clicked(0, 3, 4)
    plain = History(
        plain.items_T[[0, 2]], plain.types_T[[0, 2]], plain.weights_T[[0, 2]],
        plain.times_T[[0, 2]], now=plain.now,
    )  # fmt: skip

    assert np.array_equal(ranker.score([0], [seen]), ranker.score([0], [plain]))


def test_a_new_item_is_ranked_by_its_text():
    # Text says even or odd; item 20 is even, 21 odd, and both are in no event.
    data = two_tastes(items=20)
    items = catalogue(22)
    text_ID = np.zeros_like(items.text_ID)
    text_ID[np.arange(22), np.arange(22) % 2] = 1.0
    grown = Dataset("grown", data.log, replace(items, text_ID=text_ID), data.user_ids)
    ranker = LearnedRanker(replace(TINY, id_dropout=0.5), QUICK, device="cpu")
    ranker.fit(grown, seed=1)

    even, odd = ranker.score([0, 1], [clicked(0, 4, 8), clicked(1, 5, 9)])

    assert even[20] > even[21]
    assert odd[21] > odd[20]


def test_without_any_text_what_nobody_met_comes_last():
    data = two_tastes(items=20)
    bare = Dataset("bare", data.log, catalogue(21, text=False), data.user_ids)
    ranker = fitted(bare)

    (scores,) = ranker.score([0], [clicked(0, 4)])

    assert scores[20] == scores.min()


def test_what_validation_asks_about_is_not_learned():
    data = two_tastes(users=40)

    lessons = lessons_of(data, seed=1, device="cpu")

    held = len(lessons.validation.targets_U)
    assert held == 20
    assert int(lessons.histories.lengths_U.sum()) < len(data.log)
    for history, target in zip(
        lessons.validation.histories, lessons.validation.targets_U.tolist(), strict=True
    ):
        assert target not in history.items_T


def test_what_goes_on_is_only_asked_about_what_came_since():
    data = two_tastes(users=60, again=False, items=60)
    late = data.log.users_N < 30  # of the others nothing came since
    since = float(data.log.times_N[len(data.log) // 2])
    data = data.with_log(data.log.take(late | (data.log.times_N < since)))

    lessons = lessons_of(data, seed=1, device="cpu", learn_from=since)
    nothing = lessons_of(data, seed=1, device="cpu", learn_from=1e12)

    asked = lessons.validation.histories
    last_of = {
        tuple(history.items_T.tolist()): history.times_T[-1] for _, history in data.histories()
    }
    assert len(asked) == 20
    for history, target in zip(asked, lessons.validation.targets_U.tolist(), strict=True):
        items = (*lessons.known_N[history.items_T].tolist(), int(lessons.known_N[target]))
        assert last_of[items] >= since
    assert nothing.validation is None


def test_the_network_holds_no_item_that_no_event_knows():
    log = Log(
        np.array([0, 0, 1, 1], np.int32),
        np.array([2, 9, 9, 4], np.int32),
        np.ones(4, np.uint8),
        np.ones(4, np.float32),
        np.arange(4.0),
    )

    lessons = lessons_of(Dataset("few", log, catalogue(12), ("a", "b")), seed=1, device="cpu")

    assert lessons.known_N.tolist() == [2, 4, 9]
    assert lessons.histories.items_N.tolist() == [1, 3, 3, 2]
    assert lessons.validation is None
