"""Histories as windows, windows as rows."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from training.data import History
from training.sequences import Histories, packed

lengths_of_histories = st.lists(st.integers(0, 60), min_size=1, max_size=12)


def history(length, *, first=0, weights=None, times=None):
    """Items first, first + 1, ... one a second."""
    return History(
        np.arange(first, first + length, dtype=np.int32),
        np.ones(length, np.uint8),
        np.ones(length, np.float32) if weights is None else np.array(weights, np.float32),
        np.arange(length, dtype=np.float64) if times is None else np.array(times, np.float64),
        now=float(length),
    )


def histories(lengths):
    """Every event of every history is about another item."""
    firsts = np.cumsum([0, *lengths[:-1]]).tolist()
    return Histories(
        [history(n, first=f) for n, f in zip(lengths, firsts, strict=True)], device="cpu"
    )


def rows_of(made, length, *, seed=0, learn_from=None):
    rng = np.random.default_rng(seed)
    return made.rows(made.windows(length, rng=rng, learn_from=learn_from), length, rng=rng)


def stretches(batch):
    """The windows of a batch, each as its steps (row, step)."""
    items_TB, fresh_TB = batch.items_TB.numpy(), batch.fresh_TB.numpy()
    for row in range(items_TB.shape[1]):
        steps = np.flatnonzero(items_TB[:, row] > 0)
        starts = np.flatnonzero(fresh_TB[steps, row])
        for part in np.split(steps, starts)[1:]:
            yield row, part


@given(lengths_of_histories, st.integers(1, 20), st.integers(0, 2**32))
def test_every_next_item_is_learned_exactly_once(lengths, length, seed):
    made = histories(lengths)

    batch = made.batch(rows_of(made, length, seed=seed))

    learned = np.sort(batch.targets_TB[batch.targets_TB > 0].numpy() - 1)
    firsts = np.cumsum([0, *lengths[:-1]])
    expected = [f + n for f, many in zip(firsts, lengths, strict=True) for n in range(1, many)]
    assert learned.tolist() == expected


@given(lengths_of_histories, st.integers(1, 20), st.integers(0, 2**32))
def test_a_target_follows_the_step_that_it_is_learned_at(lengths, length, seed):
    made = histories(lengths)

    batch = made.batch(rows_of(made, length, seed=seed))

    learned = batch.targets_TB > 0
    assert (batch.targets_TB[learned] == batch.items_TB[learned] + 1).all()


@given(lengths_of_histories, st.integers(1, 20), st.integers(0, 2**32))
def test_a_window_is_a_stretch_of_one_history(lengths, length, seed):
    made = histories(lengths)
    owner = np.repeat(np.arange(len(lengths)), lengths)

    batch = made.batch(rows_of(made, length, seed=seed))

    for row, steps in stretches(batch):
        places = batch.items_TB[steps, row].numpy() - 1
        assert (np.diff(places) == 1).all()
        assert len(set(owner[places].tolist())) == 1


@given(st.integers(21, 60), st.integers(0, 2**32))
def test_a_window_looks_back_as_far_as_it_may(events, seed):
    length = 20
    made = histories([events])

    windows = made.windows(length, rng=np.random.default_rng(seed))

    reach = windows.ends_W - windows.starts_W
    assert ((reach == length) | (windows.starts_W == 0)).all()


def test_long_histories_are_cut_elsewhere_in_each_epoch():
    made = histories([50])
    rng = np.random.default_rng(0)

    cuts = {tuple(made.windows(10, rng=rng).ends_W.tolist()) for _ in range(20)}

    assert len(cuts) > 5


@given(st.lists(st.integers(1, 30), min_size=1, max_size=80), st.integers(0, 2**32))
def test_packed_windows_share_rows_and_no_step(widths, seed):
    length = 30
    row_W, offset_W, rows = packed(np.array(widths), length, rng=np.random.default_rng(seed))

    taken = np.zeros((rows, length), np.int64)
    for width, row, offset in zip(widths, row_W.tolist(), offset_W.tolist(), strict=True):
        assert offset + width <= length
        taken[row, offset : offset + width] += 1
    assert taken.max() == 1
    assert taken.any(axis=1).all()


def test_packing_leaves_few_steps_empty():
    widths = np.random.default_rng(0).integers(1, 201, 2_000)

    _, _, rows = packed(widths, 200, rng=np.random.default_rng(1))

    assert widths.sum() / (rows * 200) > 0.95


def test_what_was_disliked_next_is_no_target():
    made = Histories([history(4, weights=[1.0, -1.0, 0.2, 0.0])], device="cpu")

    batch = made.batch(rows_of(made, 8))

    assert batch.targets_TB[:3, 0].tolist() == [0, 3, 0]
    assert batch.disliked_TB[:3, 0].tolist() == [2, 0, 0]


def test_a_whole_history_ends_at_the_last_step():
    made = histories([3, 0, 12])

    batch = made.whole(np.array([0, 2]), length=5)

    assert batch.items_TB[:, 0].tolist() == [0, 0, 1, 2, 3]
    assert batch.items_TB[:, 1].tolist() == [11, 12, 13, 14, 15]
    assert batch.fresh_TB[:, 0].tolist() == [False, False, True, False, False]
    assert batch.fresh_TB[:, 1].tolist() == [True, False, False, False, False]


def test_a_gap_is_the_time_since_the_step_before_in_the_same_history():
    first = history(3, times=[100.0, 160.0, 1_160.0])
    second = history(2, first=3, times=[5.0, 6.0])
    made = Histories([first, second], device="cpu")

    batch = made.whole(np.array([0, 1]), length=3)

    assert batch.gaps_TB[:, 0].tolist() == [0.0, 60.0, 1_000.0]
    assert batch.gaps_TB[:, 1].tolist() == [0.0, 0.0, 1.0]


def test_an_incremental_training_learns_only_windows_with_something_new():
    old = history(10, times=np.arange(10.0))
    new = history(10, first=10, times=np.arange(100.0, 110.0))
    made = Histories([old, new], device="cpu")

    batch = made.batch(rows_of(made, 4, learn_from=107.0))

    learned = batch.targets_TB[batch.targets_TB > 0] - 1
    assert learned.min() >= 10
    assert {17, 18, 19} <= set(learned.tolist())
    assert len(learned) < 9


def test_parts_are_all_rows():
    made = histories([30, 7, 12, 3, 25])
    rows = rows_of(made, 10)

    parts = list(rows.parts(3))

    assert [len(part) for part in parts[:-1]] == [3] * (len(parts) - 1)
    assert np.concatenate([part.places_RT for part in parts]).tolist() == rows.places_RT.tolist()
