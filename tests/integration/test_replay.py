"""A data set lived through the rules that serve."""

from dataclasses import replace

import numpy as np
import pytest

from clickwise.bundle import day0_bundle
from clickwise.cli.replay import ReplayedSite, ServedSystem
from clickwise.cli.teaching import requests_after
from clickwise.profile import Rules
from clickwise.settings import Settings
from clickwise.testing.encoder import HashingEncoder
from clickwise.types import EVENT_CODES, EventType
from training.data import Dataset, Items, Log
from training.evaluation.lived import LivedRanker, live, plan_lived

ENCODER = HashingEncoder(dimension=64)
SPORT = ["football", "match", "goal", "striker", "league", "stadium", "coach", "season"]
MONEY = ["bank", "stocks", "market", "shares", "investors", "finance", "profit", "economy"]
EACH = 30
USERS = 16


@pytest.fixture
def data():
    """Even users read football, odd ones finance, in turns and in an order of their own."""
    rng = np.random.default_rng(5)
    titles = [" ".join(rng.permutation(SPORT)[:4]) + f" {n}" for n in range(EACH)]
    titles += [" ".join(rng.permutation(MONEY)[:4]) + f" {n}" for n in range(EACH)]
    orders = [rng.permutation(EACH) + EACH * (user % 2) for user in range(USERS)]
    rows = [(user, int(orders[user][turn])) for turn in range(12) for user in range(USERS)]
    users, items = np.array(rows, np.int32).T
    count = len(rows)
    return Dataset(
        name="two tastes",
        log=Log(
            users,
            items,
            np.full(count, EVENT_CODES[EventType.CLICK], np.uint8),
            np.ones(count, np.float32),
            1.7e9 + 60.0 * np.arange(count, dtype=np.float64),
        ),
        items=Items(
            ids=tuple(f"i{n}" for n in range(2 * EACH)),
            titles=tuple(titles),
            topics=tuple(("sport",) if n < EACH else ("money",) for n in range(2 * EACH)),
            kinds=("news",) * (2 * EACH),
            languages=("en",) * (2 * EACH),
            published_I=np.zeros(2 * EACH),
            texts=tuple(titles),
            text_ID=ENCODER.encode(titles),
        ),
        user_ids=tuple(f"u{n}" for n in range(USERS)),
    )


@pytest.fixture
def bundle(tmp_path):
    return day0_bundle(
        tmp_path, encoder_version=ENCODER.version, dimension=ENCODER.dimension, rules=Rules()
    )


@pytest.fixture
def site(data, bundle):
    made = ReplayedSite(data, bundle, settings=Settings())
    yield made
    made.close()


def test_a_replayed_site_recommends_what_a_user_reads_and_has_not_seen(data, site):
    site.tell(data.log)
    site.settle()

    listed = site.ask(0, float(data.log.times_N[-1]) + 60.0, depth=10)

    seen = set(data.log.items_N[data.log.users_N == 0].tolist())
    assert len(listed) == 10
    assert not seen & set(listed)
    assert np.mean([item < EACH for item in listed]) >= 0.6  # the cap of a topic


def test_another_bundle_takes_over_and_profiles_follow(data, site, tmp_path):
    site.tell(data.log)
    other = day0_bundle(
        tmp_path / "other", encoder_version=ENCODER.version, dimension=ENCODER.dimension,
        rules=Rules(interests=2),
    )  # fmt: skip

    site.use(other)
    site.settle()

    listed = site.ask(1, float(data.log.times_N[-1]) + 60.0, depth=10)
    assert np.mean([item >= EACH for item in listed]) >= 0.6  # the cap of a topic
    assert site.asked().interests_KD.shape[0] == 2


def test_an_item_is_listed_from_its_publication_on_and_not_before(data, bundle):
    end = float(data.log.times_N[-1])
    published = np.zeros(2 * EACH)
    fresh = np.setdiff1d(np.arange(EACH), data.log.items_N[data.log.users_N == 0])[:8]
    log = data.log.take(~np.isin(data.log.items_N, fresh))
    published[fresh] = end + 3_600.0
    items = replace(data.items, published_I=published)
    made = ReplayedSite(replace(data, log=log, items=items), bundle, settings=Settings())
    try:
        made.tell(log)
        made.settle()
        before = made.ask(0, end + 1_800.0, depth=40)
        made.settle()
        after = made.ask(0, end + 7_200.0, depth=40)
    finally:
        made.close()

    assert not set(fresh.tolist()) & set(before)
    assert set(fresh.tolist()) & set(after)


def test_an_event_brings_its_item_before_the_publication(data, bundle):
    end = float(data.log.times_N[-1])
    late = int(data.log.items_N[-1])
    published = np.zeros(2 * EACH)
    published[late] = end + 3_600.0
    log = data.log.take(data.log.items_N != late)
    items = replace(data.items, published_I=published)
    made = ReplayedSite(replace(data, log=log, items=items), bundle, settings=Settings())
    try:
        made.tell(log)
        missing = made.state.items_changed(after=0, limit=1_000)
        made.tell(data.log.take(np.array([len(data.log) - 1])))
        known = made.state.items_changed(after=0, limit=1_000)
    finally:
        made.close()

    assert (len(missing), len(known)) == (2 * EACH - 1, 2 * EACH)


def test_what_an_earlier_question_gave_the_scorer_is_not_taken_for_the_next_ones(data, site):
    site.tell(data.log)
    site.settle()
    end = float(data.log.times_N[-1])
    site.ask(0, end + 60.0, depth=5)
    first = site.asked()

    site.ask(1, end + 61.0, depth=5)

    assert first is not None
    assert site.asked() is not first
    assert site.example() is site.asked()


def test_requests_hold_the_candidate_that_was_taken(data, bundle):
    begin = float(data.log.times_N[len(data.log) // 2])

    requests = requests_after(bundle, data, begin, settings=Settings())

    taken = data.log.items_N[data.log.times_N >= begin]
    texts = {vector.tobytes() for vector in data.items.text_ID[np.unique(taken)]}
    assert len(requests) > 50
    assert all(one.given.candidates_ND[one.clicked].tobytes() in texts for one in requests)


def test_the_served_system_beats_one_that_ignores_taste(data, bundle):
    class Constant:
        name = "constant"

        def fit(self, data, **_):
            self.items = len(data.items)

        def score(self, users, _):
            return np.tile(-np.arange(self.items, dtype=np.float32), (len(users), 1))

        def learn(self, user, item, *, event_type, weight, time):
            pass

    lived = plan_lived(data, share=0.3)
    served = ServedSystem(lambda _train, _seed: bundle, settings=Settings())
    try:
        ours = live(served, lived, seed=1, progress=lambda _: None)
    finally:
        served.close()

    blind = live(LivedRanker(Constant()), lived, seed=1, progress=lambda _: None)

    assert (ours.ranks_C <= 10).mean() > 1.2 * (blind.ranks_C <= 10).mean()


def test_what_the_future_holds_does_not_change_an_answer(data, bundle):
    """The same question, with another future behind it: no leak through items or counts."""
    lived = plan_lived(data, share=0.2)
    later = data.log.times_N >= lived.plan.cut
    items_N = data.log.items_N.copy()
    items_N[later] = items_N[later][::-1]
    changed = plan_lived(data.with_log(replace(data.log, items_N=items_N)), share=0.2)

    answers = []
    for plan in (lived, changed):
        served = ServedSystem(lambda _train, _seed: bundle, settings=Settings())
        served.begin(plan.plan.train, seed=1)
        answers.append(served.ask(3, plan.plan.cut, depth=10))
        served.close()

    assert answers[0] == answers[1]
