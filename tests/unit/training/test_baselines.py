"""What a learned model has to beat: each does what its paper says, on sites with known answers."""

import subprocess
import sys
from functools import cache
from itertools import pairwise
from math import inf, log2

import numpy as np
import pytest
import torch

from clickwise.errors import ConfigurationError
from tests.unit.training.evaluation_sites import CLICK, DAY, NOON, site
from training.baselines import BASELINES, baseline
from training.baselines.decayed_popularity import DecayedPopularity, DecayedPopularityConfig
from training.baselines.ease import Ease, EaseConfig
from training.baselines.gru4rec import Gru4RecConfig, Recurrence, gru4rec
from training.baselines.matrix import history_matrix
from training.baselines.network import SequenceNetwork, full_loss, sampled_loss
from training.baselines.neural import _held_out
from training.baselines.newest import Newest, NewestConfig
from training.baselines.popularity import Popularity, PopularityConfig
from training.baselines.sasrec import CausalAttention, SasRecConfig, sasrec
from training.baselines.spaces import Choice, Real, tunable
from training.baselines.tuning import tune
from training.baselines.windows import padded, training_windows
from training.data import History
from training.lessons import VALIDATION_SHARE, VALIDATION_USERS

ITEMS = 8
PERSONAL = tuple(name for name in BASELINES if "popularity" not in name and name != "newest")
POPULAR = tuple(name for name in BASELINES if name != "newest")
NEURAL = {
    "width": 16, "layers": 1, "length": 8, "epochs": 20, "batch": 8, "learning_rate": 0.02,
    "dropout": 0.3, "validation_users": 0, "device": "cpu",
}  # fmt: skip
SMALL = {
    "als": {"factors": 2, "iterations": 30},
    "gru4rec": NEURAL | {"hidden": 16},
    "sasrec": NEURAL,
}


@pytest.fixture(autouse=True)
def _one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def checkerboard():
    """Even users like even items, each all but one; with the withheld item of each user."""
    rows, withheld = [], []
    for user in range(4 * ITEMS):
        liked = [item for item in range(ITEMS) if item % 2 == user % 2]
        missed = liked[user // 2 % len(liked)]
        withheld.append(missed)
        order = np.random.default_rng(user).permutation([i for i in liked if i != missed])
        rows += [(user, int(item), float(len(rows) + n)) for n, item in enumerate(order)]
    return site(rows, items=ITEMS), withheld


def history(*items, weight=1.0):
    steps = np.arange(len(items), dtype=np.float64)
    return History(
        np.array(items, np.int32),
        np.full(len(items), CLICK, np.uint8),
        np.full(len(items), weight, np.float32),
        steps,
        now=float(len(items)),
    )


def fitted(name, data, seed=1):
    ranker = baseline(name).build(SMALL.get(name, {}))
    ranker.fit(data, seed=seed)
    return ranker


@cache
def on_checkerboard(name):
    """Not to be taught anything: tests share it."""
    return fitted(name, checkerboard()[0])


def best_unseen(scores_I, seen):
    left = scores_I.copy()
    left[seen.items_T] = -inf
    return int(left.argmax())


@pytest.mark.parametrize("name", PERSONAL)
def test_the_withheld_item_of_a_checkerboard_comes_first(name):
    data, withheld = checkerboard()
    users, histories = zip(*data.histories(), strict=True)

    scores_BI = on_checkerboard(name).score(users, histories)

    assert scores_BI.shape == (len(users), ITEMS)
    assert scores_BI.dtype == np.float32
    found = [best_unseen(row, seen) for row, seen in zip(scores_BI, histories, strict=True)]
    assert found == withheld


@pytest.mark.parametrize("name", PERSONAL)
def test_scores_follow_the_history_that_is_asked_about_not_the_one_of_training(name):
    ranker = on_checkerboard(name)

    scores_BI = ranker.score([0, 0], [history(2, 4, 0), history(3, 1, 5)])

    assert best_unseen(scores_BI[0], history(2, 4, 0)) == 6
    assert best_unseen(scores_BI[1], history(3, 1, 5)) == 7


@pytest.mark.parametrize("name", POPULAR)
def test_a_user_without_history_gets_what_is_popular(name):
    rows = [(user, item, 10.0 * user + item) for user in range(6) for item in range(6 - user)]
    data = site(rows, items=7)

    scores_I = fitted(name, data).score([0], [history()])[0]

    assert np.isfinite(scores_I).all()
    assert scores_I.argmax() == 0
    assert (np.diff(scores_I) < 0).all() or name == "decayed-popularity"


@pytest.mark.parametrize("name", BASELINES)
def test_impressions_and_dislikes_do_not_draw_towards_an_item(name):
    ranker = on_checkerboard(name)
    liked = history(2, 4, 0)

    plain = ranker.score([0], [liked])
    noise = History(
        np.array([2, 1, 4, 3, 0], np.int32),
        np.full(5, CLICK, np.uint8),
        np.array([1.0, 0.0, 1.0, -1.2, 1.0], np.float32),
        np.arange(5.0),
        now=5.0,
    )

    assert np.array_equal(ranker.score([0], [noise]), plain)


@pytest.mark.parametrize("name", ["als", "gru4rec", "sasrec"])
def test_equal_seeds_give_equal_rankers_and_other_seeds_others(name):
    data, _ = checkerboard()
    values = SMALL[name] | {"epochs": 3} if "epochs" in SMALL[name] else SMALL[name]

    def scores(seed):
        ranker = baseline(name).build(values)
        ranker.fit(data, seed=seed)
        return ranker.score([0], [history(2, 4)])

    assert np.array_equal(scores(1), scores(1))
    assert not np.array_equal(scores(1), scores(2))


def test_a_person_counts_once_in_popularity_however_often_they_come():
    ranker = Popularity(PopularityConfig())
    ranker.fit(site([(0, 0, 1), (0, 0, 2), (1, 1, 3), (2, 1, 4)]), seed=1)
    for time in (5.0, 6.0):
        ranker.learn(0, 1, event_type=CLICK, weight=1.0, time=time)
        ranker.learn(1, 0, event_type=CLICK, weight=-1.0, time=time)

    assert ranker.score([0], [history()])[0].tolist() == [1.0, 3.0]


def test_an_event_counts_half_after_a_half_life():
    ranker = DecayedPopularity(DecayedPopularityConfig(half_life_days=2.0))
    ranker.fit(site([(0, 0, 0.0), (0, 1, 2 * DAY)], items=3), seed=1)
    ranker.learn(0, 2, event_type=CLICK, weight=1.0, time=4 * DAY)

    scores_I = ranker.score([0], [history()])[0]

    assert np.allclose(scores_I, [0.25, 0.5, 1.0])


def test_decay_goes_on_over_thousands_of_half_lives():
    ranker = DecayedPopularity(DecayedPopularityConfig(half_life_days=1.0))
    ranker.fit(site([(0, 0, 0.0), (0, 1, 1.0)], items=3), seed=1)
    for day in range(100, 5_000, 7):
        ranker.learn(0, day % 2, event_type=CLICK, weight=1.0, time=day * DAY)
    ranker.learn(0, 2, event_type=CLICK, weight=0.5, time=5_000 * DAY)

    scores_I = ranker.score([0], [history()])[0]

    assert np.isfinite(scores_I).all()
    assert scores_I.argmax() == 2


def test_without_times_nothing_fades():
    ranker = DecayedPopularity(DecayedPopularityConfig(half_life_days=1e-6))
    ranker.fit(site([(0, 0, 0.0), (1, 0, 1.0), (0, 1, 2.0)], timed=False), seed=1)

    assert ranker.score([0], [history()])[0].tolist() == [1.0, 0.5]


def order_of(ranker):
    """Items, best first."""
    return np.argsort(-ranker.score([0], [history()])[0], kind="stable").tolist()


def test_the_newest_are_first_by_publication_or_by_an_earlier_first_event():
    data = site(
        [(0, 0, NOON + 5 * DAY), (0, 1, NOON + 4 * DAY), (1, 0, NOON + 6 * DAY)], items=4,
        published=[0.0, 0.0, NOON + 4.5 * DAY, 0.0],
    )  # fmt: skip
    ranker = fitted("newest", data)

    # 0 and 1 by their first events, 2 by its publication; of 3 nothing is known.
    assert order_of(ranker) == [0, 2, 1, 3]
    assert np.isfinite(ranker.score([0], [history()])).all()


def test_an_item_is_as_old_as_the_first_event_that_was_told():
    ranker = fitted("newest", site([(0, 0, NOON), (0, 1, NOON + DAY)], items=3))
    for time in (NOON + 2 * DAY, NOON + 9 * DAY):
        ranker.learn(0, 2, event_type=CLICK, weight=1.0, time=time)
        ranker.learn(0, 0, event_type=CLICK, weight=1.0, time=time)

    assert order_of(ranker) == [2, 1, 0]


def test_items_minutes_apart_are_told_apart_though_times_are_counted_from_1970():
    ranker = fitted("newest", site([(0, 1, NOON), (0, 0, NOON + 1.0)], items=3))

    assert order_of(ranker) == [0, 1, 2]


def test_reads_make_up_for_age_by_so_many_days_a_doubling():
    rows = [(user, 0, NOON + user) for user in range(3)] + [(0, 1, NOON + 2 * DAY)]
    data = site(rows, published=[NOON, NOON + 2 * DAY])

    def first(days):
        ranker = Newest(NewestConfig(days_per_doubling=days))
        ranker.fit(data, seed=1)
        return order_of(ranker)[0]

    # Two days older, and 1 + 3 is twice 1 + 1.
    assert [first(days) for days in (0.0, 1.9, 2.1)] == [1, 1, 0]


def test_reads_that_were_told_count_and_dislikes_do_not():
    ranker = Newest(NewestConfig(days_per_doubling=1.0))
    ranker.fit(site([(0, 0, NOON), (0, 1, NOON + DAY / 2)]), seed=1)
    for _ in range(9):
        ranker.learn(0, 1, event_type=CLICK, weight=-1.0, time=NOON + DAY)
        ranker.learn(0, 0, event_type=CLICK, weight=1.0, time=NOON + DAY)

    assert order_of(ranker) == [0, 1]


def test_without_times_the_newest_follow_the_order_of_first_events():
    ranker = Newest(NewestConfig(days_per_doubling=2.0))
    ranker.fit(
        site(
            [(0, 0, 0.0), (1, 0, 1.0), (2, 0, 2.0), (0, 2, 3.0), (0, 1, 4.0)], timed=False,
            published=[NOON, NOON, 0.0],
        ),
        seed=1,
    )  # fmt: skip

    assert order_of(ranker) == [1, 2, 0]


def test_the_newest_item_counts_most_in_a_history_row():
    row = history_matrix(
        [history(3, 1, 3, 0)], num_items=4, evidence="positive", half_life_steps=1.0
    ).toarray()[0]

    # 0 is the newest, then 3 (which was met before too), then 1.
    assert row.tolist() == [1.0, 0.25, 0.0, 0.5]


def test_ease_is_the_ridge_regression_of_each_item_on_the_others():
    rng = np.random.default_rng(1)
    matrix_UI = (rng.random((30, 5)) < 0.4).astype(float)
    rows = [(int(u), int(i), float(n)) for n, (u, i) in enumerate(np.argwhere(matrix_UI))]
    ranker = Ease(EaseConfig(regularization=3.0))
    ranker.fit(site(rows, items=5), seed=1)

    for target in range(5):
        others = [item for item in range(5) if item != target]
        inputs = matrix_UI[:, others]
        expected = np.linalg.solve(
            inputs.T @ inputs + 3.0 * np.eye(4), inputs.T @ matrix_UI[:, target]
        )
        weights = [ranker.score([0], [history(item)])[0][target] for item in others]
        assert np.allclose(weights, expected, atol=1e-5)
        assert abs(ranker.score([0], [history(target)])[0][target]) < 1e-5


def test_ease_leaves_out_the_items_beyond_its_limit():
    data, _ = checkerboard()
    ranker = Ease(EaseConfig(most_items=4))
    ranker.fit(data, seed=1)

    scores_I = ranker.score([0], [history(0, 2)])[0]

    assert (np.abs(scores_I) > 1e-3).sum() <= 4


@pytest.mark.parametrize("length", [1, 3, 7])
def test_every_item_but_the_first_is_a_target_once(length):
    sequences = [np.arange(n, dtype=np.int32) + 100 * n for n in (0, 1, 2, 5, 20)]

    windows = training_windows(sequences, length=length, rng=np.random.default_rng(1))

    assert windows.shape[1] == length + 1
    pairs = sorted(pair for row in windows.tolist() for pair in pairwise(row) if 0 not in pair)
    assert pairs == sorted(pair for items in sequences for pair in pairwise((items + 1).tolist()))


def test_padding_keeps_the_newest_items_in_front():
    rows = padded([np.array([4, 5, 6], np.int32), np.array([7], np.int32)], 2)

    assert rows.tolist() == [[6, 7], [8, 0]]


@pytest.mark.parametrize(
    "body",
    [
        lambda: CausalAttention(SasRecConfig(width=8, length=6, heads=2)),
        lambda: Recurrence(Gru4RecConfig(width=8, hidden=4)),
    ],
    ids=["sasrec", "gru4rec"],
)
def test_a_step_knows_nothing_of_later_ones(body):
    torch.manual_seed(1)
    network = SequenceNetwork(9, width=8, body=body()).eval()
    items_BT = torch.tensor([[1, 2, 3, 4, 5]])
    changed_BT = torch.tensor([[1, 2, 3, 9, 0]])

    with torch.inference_mode():
        before, after = network(items_BT), network(changed_BT)

    assert torch.allclose(before[:, :3], after[:, :3], atol=1e-6)
    assert not torch.allclose(before[:, 3], after[:, 3], atol=1e-3)


def test_the_sampled_softmax_comes_to_the_full_one():
    torch.manual_seed(1)
    network = SequenceNetwork(6, width=8, body=torch.nn.Identity())
    torch.nn.init.normal_(network.items.weight)
    window_BT = torch.randint(1, 7, (4, 5))
    share_I = torch.tensor([0.4, 0.3, 0.1, 0.1, 0.05, 0.05])

    with torch.no_grad():
        full = float(full_loss(network, window_BT))
        sampled = float(sampled_loss(network, window_BT, share_I, 200_000))

    assert sampled == pytest.approx(full, rel=0.01)


@pytest.mark.parametrize("negatives", [0, 32])
def test_the_last_items_choose_the_epoch_that_is_kept(negatives):
    data, _ = checkerboard()
    values = NEURAL | {"validation_users": 10, "patience": 3, "epochs": 25, "negatives": negatives}
    told = []
    ranker = sasrec(SasRecConfig(**values), progress=told.append)
    ranker.fit(data, seed=1)

    best = max(range(len(told)), key=lambda epoch: told[epoch].ndcg)

    assert [one.number for one in told] == list(range(1, len(told) + 1))
    assert len(told) == min(25, best + 1 + 3)
    users = np.random.default_rng(1).permutation(32)[:10]
    histories = dict(data.histories())
    gained = []
    for user in users.tolist():
        items = histories[user].items_T
        scores_I = ranker.score([user], [history(*items[:-1].tolist())])[0]
        wanted = scores_I[items[-1]]
        scores_I[items[:-1]] = -inf
        gained.append(1.0 / log2((scores_I > wanted).sum() + 2))
    assert told[best].ndcg == pytest.approx(np.mean(gained), rel=1e-6)


def test_networks_hold_back_no_more_users_than_ours():
    sequences = [np.arange(5, dtype=np.int32) for _ in range(400)]

    train, asked = _held_out(sequences, SasRecConfig(), np.random.default_rng(1))

    assert len(asked) == round(400 * VALIDATION_SHARE)
    assert sum(map(len, train)) == 5 * 400 - len(asked)
    assert SasRecConfig().validation_users == VALIDATION_USERS


def test_training_leaves_the_random_numbers_of_the_caller_alone():
    data, _ = checkerboard()
    torch.manual_seed(5)
    expected = torch.rand(3)
    torch.manual_seed(5)

    gru4rec(Gru4RecConfig(**NEURAL | {"epochs": 1, "hidden": 4})).fit(data, seed=1)

    assert torch.equal(torch.rand(3), expected)


def test_networks_need_torch_and_numpy_alone():
    absent = ["msgspec", "polars", "scipy", "implicit", "optuna", "onnxruntime"]
    code = (
        f"import sys; sys.modules.update(dict.fromkeys({absent}))\n"
        "from training.baselines import baseline\n"
        "baseline('sasrec').build({}), baseline('gru4rec').build({})"
    )

    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)

    assert done.returncode == 0, done.stderr


def test_an_unknown_baseline_is_answered_with_the_known_ones():
    with pytest.raises(ConfigurationError, match=r"popularity, .*sasrec"):
        baseline("bert4rec")


@pytest.mark.parametrize("name", BASELINES)
def test_the_default_of_a_baseline_lies_in_its_search_space(name):
    known = baseline(name)

    for field, span in known.space.items():
        value = known.defaults[field]
        if isinstance(span, Choice):
            assert value in span.options
        else:
            assert span.low <= value <= span.high
    known.build(dict(known.defaults))


SLOPE = tunable(DecayedPopularityConfig(), DecayedPopularity, {"half_life_days": Real(1.0, 9.0)})


def near_seven(ranker):
    return -abs(ranker._half_life_seconds / DAY - 7.0)


def test_tuning_begins_with_the_default_and_ends_with_the_best():
    data = site([(0, 0, 1.0)])

    tuned = tune(SLOPE, data, near_seven, trials=12, seed=1)

    assert len(tuned.trials) == 12
    assert tuned.trials[0].values == {"half_life_days": 3.0}
    assert tuned.quality == max(trial.quality for trial in tuned.trials)
    assert tuned.quality == pytest.approx(-abs(tuned.values["half_life_days"] - 7.0))
    assert tuned.quality > tuned.trials[0].quality


@pytest.mark.parametrize("name", BASELINES)
def test_whatever_is_drawn_of_a_search_space_can_be_fitted(name):
    data, _ = checkerboard()
    fixed = {"epochs": 1, "device": "cpu"} if name in {"gru4rec", "sasrec"} else {}

    tuned = tune(
        baseline(name),
        data,
        lambda ranker: float(ranker.score([0], [history(2, 4)]).max()),
        trials=4,
        seed=1,
        fixed=fixed,
    )

    assert all(np.isfinite(trial.quality) for trial in tuned.trials)


def test_tuning_with_a_seed_tries_the_same_again():
    data = site([(0, 0, 1.0)])

    first = tune(SLOPE, data, near_seven, trials=5, seed=3)

    assert tune(SLOPE, data, near_seven, trials=5, seed=3) == first
    assert tune(SLOPE, data, near_seven, trials=5, seed=4) != first


def test_fixed_values_are_set_and_not_searched():
    data = site([(0, 0, 1.0)])

    tuned = tune(SLOPE, data, near_seven, trials=5, seed=1, fixed={"half_life_days": 2.0})

    assert [trial.values for trial in tuned.trials] == [{"half_life_days": 2.0}]
