"""Protocol (b): one item among a hundred that the user never met, as published for Deskdrop.

The rules are those of the Kaggle notebook "Recommender Systems in Python 101" (G. Moreira):
people with five items or more; all that one did with one article is one interaction, of
strength log2(1 + sum of the events' strengths); 20 % of the interactions, drawn at random and
evenly over users, are the test; each is ranked among itself and 100 articles, drawn at random,
with which the user never interacted. Draws are ours (the notebook's come from scikit-learn and
Python's `random`), so single figures differ by chance: by about .005.

A random split lets training events be later than test events; that is the protocol's flaw, and
why forward in time is measured as well. A comment arrives here as a share and a follow as a
bookmark (`clickwise.imports.deskdrop`), so a follow counts 2.5 and not 3.
"""

import numpy as np

from clickwise.types import EVENT_CODES, EventType
from clickwise.vectors.port import BoolArray, Float64Array, Int32Array
from training.data import Dataset, Log, UInt8Array
from training.evaluation.cases import Cases, Plan
from training.evaluation.metrics import Metric
from training.evaluation.splits import draw_per_user

MIN_ITEMS = 5
TEST_SHARE = 0.2
NUM_OTHERS = 100
METRICS = (Metric("Recall", 10), Metric("Recall", 5), Metric("NDCG", 10), Metric("MRR", 10))

STRENGTHS: dict[EventType, float] = {
    EventType.VIEW: 1.0,
    EventType.LIKE: 2.0,
    EventType.BOOKMARK: 2.5,
    EventType.SHARE: 4.0,
}


def plan_deskdrop(data: Dataset, *, seed: int) -> Plan:
    """The protocol on any dataset; types without a strength count 1 where they show interest.

    The validation parts the training interactions in the same way once more.

    Raises:
        ValueError: nobody has five items, or somebody has met nearly all there are.
    """
    merged = merge(data.log)
    if not len(merged):
        raise ValueError(f"{data.name} has no user with {MIN_ITEMS} items")
    return _plan(data, merged, seed)


def _plan(data: Dataset, merged: Log, seed: int) -> Plan:
    test_N = draw_per_user(merged.users_N, share=TEST_SHARE, seed=seed)
    train, test = data.with_log(merged.take(~test_N)), merged.take(test_N)
    return Plan(
        protocol="deskdrop",
        description=(
            f"Users with {MIN_ITEMS} items or more; {len(test):,} of {len(merged):,}"
            f" interactions, drawn at random for each user, are ranked among {NUM_OTHERS} items"
            " each that the user never met."
        ),
        train=train,
        test=test,
        cases=_cases(train.log, test, _others(data, test, seed=seed)),
        metrics=METRICS,
        validation=lambda: _plan(train, train.log, seed + 1),
        notes=("The split is random: some training events are later than test events.",),
    )


def merge(log: Log) -> Log:
    """One event for each user and item, for users with five items or more.

    It has the time of their first event, the type of the strongest, and the strength as weight.
    """
    log = log.take(log.weights_N > 0.0)
    strengths_N = _strengths(log.types_N)
    pairs_N = (log.users_N.astype(np.int64) << 32) + log.items_N
    _, first, pair_of_N = np.unique(pairs_N, return_index=True, return_inverse=True)
    sums = np.bincount(pair_of_N, weights=strengths_N)
    strongest = np.empty(len(first), np.uint8)
    by_strength = np.argsort(strengths_N, kind="stable")
    strongest[pair_of_N[by_strength]] = log.types_N[by_strength]  # the last one written stays
    users = log.users_N[first]
    enough = np.bincount(users, minlength=1)[users] >= MIN_ITEMS
    kept = np.flatnonzero(enough)
    kept = kept[np.argsort(first[kept])]  # back in order of time
    return Log(
        users[kept],
        log.items_N[first[kept]],
        strongest[kept],
        np.log2(1.0 + sums[kept]).astype(np.float32),
        log.times_N[first[kept]],
    )


def _strengths(types_N: UInt8Array) -> Float64Array:
    strengths = np.ones(256)
    for event_type, strength in STRENGTHS.items():
        strengths[EVENT_CODES[event_type]] = strength
    return strengths[types_N]


def _others(data: Dataset, test: Log, *, seed: int) -> Int32Array:
    """(C, 100) items for each test interaction that its user never met.

    Raises:
        ValueError: somebody has met nearly everything.
    """
    rng = np.random.default_rng((seed, 1))
    met_UI: dict[int, BoolArray] = {
        int(user): np.zeros(len(data.items), np.bool_) for user in np.unique(test.users_N)
    }
    for user, item in zip(data.log.users_N.tolist(), data.log.items_N.tolist(), strict=True):
        if user in met_UI:
            met_UI[user][item] = True
    unmet = {user: np.flatnonzero(~met_I) for user, met_I in met_UI.items()}
    if min(len(items) for items in unmet.values()) < NUM_OTHERS:
        raise ValueError(f"a user has met all but {NUM_OTHERS} items of {data.name}")
    return np.stack(
        [
            rng.choice(unmet[user], NUM_OTHERS, replace=False).astype(np.int32)
            for user in test.users_N.tolist()
        ]
    )


def _cases(train: Log, test: Log, others_CK: Int32Array) -> Cases:
    """A question for each user of the test, asked when their last training event is over."""
    log = train.take(np.argsort(train.users_N, kind="stable"))
    users_Q, questions_C = np.unique(test.users_N, return_inverse=True)
    starts_Q = np.searchsorted(log.users_N, users_Q, side="left")
    stops_Q = np.searchsorted(log.users_N, users_Q, side="right")
    return Cases(
        log=log,
        users_Q=users_Q,
        starts_Q=starts_Q,
        stops_Q=stops_Q,
        nows_Q=log.times_N[stops_Q - 1],
        questions_C=questions_C.astype(np.int32),
        items_C=test.items_N,
        candidates_CK=others_CK,
    )
