"""The hybrid: its weights, and what it is in an evaluation."""

from dataclasses import replace

import numpy as np
import pytest

from tests.unit.training.evaluation_sites import DAY, NOON, Chain, Fixed, silent, site
from tests.unit.training.networks import catalogue
from training.baselines import baseline
from training.data import Dataset
from training.evaluation.candidates import HYBRID, OURS, usual_values, validation_of
from training.evaluation.combined import FittedOnce, hybrid_of, sources_of
from training.evaluation.course import Course
from training.evaluation.forward import plan_from
from training.evaluation.leave_one_out import plan_leave_one_out
from training.evaluation.ours import USUAL, build
from training.evaluation.protocols import PROTOCOLS, Request, lived
from training.evaluation.runner import evaluate
from training.hybrid import Hybrid, Question, Source

ITEMS = 40


def walkers(*, users=60, steps=8):
    """People who go from one item to the next."""
    return site(
        [
            (user, (7 * user + step) % ITEMS, NOON + DAY * step + user)
            for step in range(steps)
            for user in range(users)
        ],
        items=ITEMS,
    )


class Half(Chain):
    """Knows the way from even items (or odd ones), and guesses wrongly and mildly otherwise."""

    def __init__(self, parity, name):
        super().__init__(ITEMS, name)
        self.parity = parity
        self.fits = 0

    def fit(self, data, *, seed):
        super().fit(data, seed=seed)
        self.fits += 1

    def score(self, users, histories):
        self.asked += list(zip(users, histories, strict=True))
        scores = super().score(users, histories)
        for row, history in enumerate(histories):
            if history.items_T[-1] % 2 != self.parity:
                scores[row] = np.linspace(0.0, 1.0, ITEMS)
        return scores


def ways(num_items=ITEMS):
    return [
        (lambda: Half(0, "even")),
        (lambda: Half(1, "odd")),
        (lambda: Fixed(np.linspace(0.0, 1.0, num_items), "noise")),
    ]


def mixed(plan):
    makers = {make().name: make for make in ways()}
    rankers = {name: make() for name, make in makers.items()}
    return rankers, hybrid_of(rankers, lambda name: makers[name](), lambda: validation_of(plan))


def request(systems, data, **options):
    return Request(
        data=data, systems=systems, seed=1, tuning_trials=1, quick=True, progress=silent, **options
    )


def test_a_hybrid_of_two_that_each_know_half_is_better_than_either():
    plan = plan_leave_one_out(walkers())
    rankers, hybrid = mixed(plan)

    report = evaluate(
        plan, [*rankers.values(), hybrid],
        Course(seed=1, trials=200, hybrids={HYBRID: tuple(rankers)}), progress=silent,
    )  # fmt: skip

    assert report.systems[0].name == HYBRID
    assert [(one.system, one.other, one.better) for one in report.hybrids] == [
        (HYBRID, "even", True),
        (HYBRID, "odd", True),
        (HYBRID, "noise", True),
    ]


def test_what_says_nothing_weighs_least():
    _, hybrid = mixed(plan_leave_one_out(walkers()))
    plan = plan_leave_one_out(walkers())

    hybrid.fit(plan.train, seed=1)

    assert min(hybrid.weights, key=hybrid.weights.get) == "noise"


def test_equal_seeds_give_equal_weights():
    plan = plan_leave_one_out(walkers())
    _, first = mixed(plan)
    _, again = mixed(plan)

    first.fit(plan.train, seed=3)
    again.fit(plan.train, seed=3)

    assert first.weights == again.weights


def test_forward_in_time_weights_come_from_before_the_cut_and_sources_learn_up_to_it():
    plan = plan_from(walkers(steps=12), NOON + 8 * DAY)
    rankers = {"even": Half(0, "even")}
    rehearsals = []

    def rehearsal(name):
        rehearsals.append(Half(0, name))
        return rehearsals[-1]

    hybrid_of(rankers, rehearsal, lambda: validation_of(plan)).fit(plan.train, seed=1)

    (rehearsed,) = rehearsals
    assert rehearsed.fitted[0].log.times_N.max() < min(h.now for _, h in rehearsed.asked)
    assert max(history.now for _, history in rehearsed.asked) < plan.cut
    assert rankers["even"].fitted[0] is plan.train
    assert rankers["even"].asked == []


def test_where_nothing_asked_is_learned_each_source_is_fitted_once():
    plan = plan_leave_one_out(walkers())
    source, rehearsal = Half(0, "even"), Half(0, "even")
    ranker = FittedOnce(source)
    hybrid = hybrid_of({"even": ranker}, lambda _: rehearsal, lambda: validation_of(plan))
    ranker.fit(plan.train, seed=1)

    hybrid.fit(plan.train, seed=1)

    assert (source.fits, rehearsal.fits) == (1, 0)
    assert len(source.asked) == 60


def test_other_data_or_another_seed_is_a_new_fit():
    data, source = walkers(), Half(0, "even")
    ranker = FittedOnce(source)
    fits = []

    for given, seed in ((data, 1), (data, 1), (data, 2), (walkers(), 2)):
        ranker.fit(given, seed=seed)
        fits.append(source.fits)

    assert fits == [1, 1, 2, 3]


def test_what_a_source_leaves_out_counts_as_nothing():
    leaves_out = Fixed([-np.inf, 2.0, 1.0], "leaves-out")
    history = plan_leave_one_out(walkers()).cases.history(0)
    question = Question(0, history, 1, np.zeros(0, np.int32))
    data = site([(0, 1, 1.0)], items=3)
    hybrid = Hybrid(
        [Source(leaves_out, leaves_out)], name="h", held_back=lambda *_: (data, [question])
    )
    hybrid.fit(data, seed=1)

    (scores,) = hybrid.score([0], [history])

    assert np.isfinite(scores).all()
    assert np.argsort(-scores).tolist() == [1, 2, 0]


def test_what_cannot_be_the_answer_is_no_mistake():
    # The first source puts what is barred on top, and the answer next.
    history = plan_leave_one_out(walkers()).cases.history(0)
    data = site([(0, 1, 1.0)], items=20)
    good = Fixed([9.0, 2.0, *[1.0] * 18], "good")
    bad = Fixed([0.0, 0.0, *[1.0] * 18], "bad")
    question = Question(0, history, 1, np.array([0], np.int32))
    hybrid = Hybrid(
        [Source(one, one, logits=True) for one in (good, bad)],
        name="h",
        held_back=lambda *_: (data, [question]),
    )

    hybrid.fit(data, seed=1)

    assert hybrid.weights["good"] > 1.0 > hybrid.weights["bad"]


def test_a_hybrid_is_as_good_as_its_best_source_where_likelihood_would_mislead():
    # Of "sure" every fourth list is perfect and the others are the worst there are; "mild" puts
    # each answer in the middle.
    class Asked(Fixed):
        def score(self, users, _):
            return np.stack([self.table[user] for user in users])

    rng = np.random.default_rng(0)
    answers = rng.integers(0, 60, 200)
    sure, mild = Asked(np.zeros(60), "sure"), Asked(np.zeros(60), "mild")
    sure.table = rng.random((200, 60)).astype(np.float32) + 1.0
    mild.table = rng.random((200, 60)).astype(np.float32)
    for user, item in enumerate(answers.tolist()):
        sure.table[user, item] = 2.5 if user % 4 == 0 else -50.0
        mild.table[user, item] = 0.7
    history = plan_leave_one_out(walkers()).cases.history(0)
    nothing = np.zeros(0, np.int32)
    asked = [Question(user, history, int(item), nothing) for user, item in enumerate(answers)]
    hybrid = Hybrid(
        [Source(sure, sure, logits=True), Source(mild, mild, logits=True)],
        name="h",
        held_back=lambda *_: (site([(0, 1, 1.0)], items=60), asked),
    )

    hybrid.fit(site([(0, 1, 1.0)], items=60), seed=1)

    users = range(200)
    scores = hybrid.score(users, [history] * 200)
    first = (scores.argmax(axis=1) == answers).mean()
    assert first >= 0.25


def test_nothing_held_back_is_refused():
    source = Fixed([1.0], "one")
    hybrid = Hybrid([Source(source, source)], name="h", held_back=lambda data, _: (data, []))

    with pytest.raises(ValueError, match="no question is held back"):
        hybrid.fit(walkers(), seed=1)


def test_only_small_catalogues_have_ease_and_only_times_let_popularity_fade():
    small = walkers()
    large = Dataset("large", small.log, catalogue(5_001, text=False), small.user_ids, timed=False)

    assert sources_of(small) == (
        OURS, "item-knn", "session-knn", "ease", "decayed-popularity",
    )  # fmt: skip
    assert sources_of(large) == (OURS, "item-knn", "session-knn", "popularity")


@pytest.mark.parametrize("protocol", ["leave-one-out", "forward"])
def test_the_hybrid_stands_beside_ours_and_is_compared_with_all_that_it_is_made_of(protocol):
    report = PROTOCOLS[protocol](request((HYBRID, "als"), walkers(steps=20)))

    made_of = [one.other for one in report.hybrids]
    assert made_of == [OURS, "item-knn", "session-knn", "ease", "decayed-popularity"]
    assert {system.name for system in report.systems} == {HYBRID, "als", *made_of}
    assert report.best_baseline not in {HYBRID, OURS}
    assert (HYBRID, "als") in {(one.system, one.other) for one in report.comparisons}
    assert report.system(HYBRID).note.startswith("of clickwise, ")


def test_a_log_without_times_and_text_has_a_hybrid_too():
    data = replace(walkers(), timed=False)

    report = PROTOCOLS["leave-one-out"](request((HYBRID,), data))

    assert report.hybrids[-1].other == "popularity"


def test_nothing_serves_a_hybrid_so_it_does_not_live():
    report = lived(request((HYBRID, "popularity"), walkers(steps=30)))

    assert [system.name for system in report.systems] == ["popularity"]
    assert report.hybrids == ()


def test_values_kept_for_a_data_set_are_taken_and_told():
    data = replace(walkers(), name="deskdrop")

    built = request((OURS, "item-knn"), data).build(lambda: pytest.fail("no search"), {})

    assert "dropout 0.4" in built.notes[OURS]
    assert "epochs 2" in built.notes[OURS]  # quick, and not the 25 that are kept
    assert built.notes[OURS].startswith("not searched here: ")
    assert "item-knn" not in built.notes
    assert usual_values(OURS, walkers()) == {}


def test_every_value_kept_for_a_data_set_is_one_of_ours():
    for values in USUAL.values():
        build(values)


def test_the_baselines_values_for_sessions_are_theirs():
    from training.evaluation.session_report import SESSION_VALUES

    for name, values in SESSION_VALUES.items():
        assert baseline(name).build(values).name == name
