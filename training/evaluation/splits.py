"""How a log is parted into what is learned from and what is asked about.

Shape suffixes: N = events, U = users, I = items.
"""

import math
from dataclasses import dataclass

import numpy as np

from clickwise.vectors.port import BoolArray, Int32Array
from training.data import Dataset, Log
from training.evaluation.cases import firsts

DAY_SECONDS = 86_400.0
MIN_ITEMS = 3  # one to learn from, one to validate by, one to test with


@dataclass(frozen=True, slots=True)
class LastItems:
    """Leave-one-out: rows of the log that are for training, validation and test."""

    train_N: BoolArray
    validation_N: BoolArray
    test_N: BoolArray


@dataclass(frozen=True, slots=True)
class TimeSplit:
    """Everything in `train` is before `cut`, everything in `test` is not.

    `new_users_U` and `new_items_I` mark whom and what no training event knows.
    """

    train: Dataset
    test: Log
    cut: float
    new_users_U: BoolArray
    new_items_I: BoolArray


def leave_last_out(log: Log) -> LastItems:
    """Each user's last new item for the test, the last but one for validation.

    What counts are events of interest (weight above zero) with which a user meets an item for
    the first time; all events before the validation item are for training, those after the
    test item for nothing. A user with fewer than three such events is for training only.
    """
    train_N = np.ones(len(log), np.bool_)
    validation_N = np.zeros(len(log), np.bool_)
    test_N = np.zeros(len(log), np.bool_)
    counts_N = firsts(log) & (log.weights_N > 0.0)
    order = np.argsort(log.users_N, kind="stable")
    bounds = np.flatnonzero(np.diff(log.users_N[order])) + 1
    for rows in np.split(order, bounds) if len(order) else []:
        counted = rows[counts_N[rows]]
        if len(counted) < MIN_ITEMS:
            continue
        validation_N[counted[-2]] = True
        test_N[counted[-1]] = True
        train_N[rows[rows >= counted[-2]]] = False
    return LastItems(train_N, validation_N, test_N)


def split_by_time(data: Dataset, cut: float) -> TimeSplit:
    """Part a dataset at a moment.

    Raises:
        ValueError: nothing is before it, or nothing is from it on.
    """
    later_N = data.log.times_N >= cut
    if later_N.all() or not later_N.any():
        raise ValueError("the cut leaves one side of the split empty")
    train = data.before(cut)
    new_users_U = np.ones(len(data.user_ids), np.bool_)
    new_users_U[train.log.users_N] = False
    new_items_I = np.ones(len(data.items), np.bool_)
    new_items_I[train.log.items_N] = False
    return TimeSplit(train, data.log.take(later_N), cut, new_users_U, new_items_I)


def cut_of_last_share(data: Dataset, share: float) -> float:
    """The moment from which on the last `share` of all events lies (more, where times tie)."""
    return float(data.log.times_N[math.floor(len(data.log) * (1.0 - share))])


def draw_per_user(users_N: Int32Array, *, share: float, seed: int) -> BoolArray:
    """Rows for the test: `share` of all, drawn at random and evenly over users.

    The number of all is rounded up. Each user gives the whole part of their share, and users
    with the largest remainders one more, until the number is reached (ties by chance): what a
    split stratified by user gives.
    """
    rng = np.random.default_rng(seed)
    _, places_N, counts_U = np.unique(users_N, return_inverse=True, return_counts=True)
    wanted = math.ceil(len(users_N) * share)
    exact_U = counts_U * (wanted / max(1, len(users_N)))
    given_U = np.floor(exact_U).astype(np.int64)
    by_remainder = np.lexsort((rng.random(len(counts_U)), given_U - exact_U))
    given_U[by_remainder[: wanted - int(given_U.sum())]] += 1
    shuffled = np.lexsort((rng.random(len(users_N)), places_N))
    place_in_user = np.arange(len(users_N)) - np.repeat(np.cumsum(counts_U) - counts_U, counts_U)
    test_N = np.zeros(len(users_N), np.bool_)
    test_N[shuffled[place_in_user < given_U[places_N[shuffled]]]] = True
    return test_N
