"""The release gate: who may go live, and why not."""

from dataclasses import replace

import numpy as np
import pytest

from training.evaluation.slices import Slice
from training.gate import Contest, GateRules, Side, judge

RULES = GateRules(min_cases=100, min_slice_cases=20, trials=300)
CASES = 400


def side(values, *, coverage=0.5, latency=0.001):
    return Side(np.asarray(values, np.float64), coverage, latency)


def contest(candidate, live, *, slices=()):
    return Contest(
        metric="NDCG@10",
        users_C=np.arange(len(candidate.values_C)) // 4,
        slices=slices,
        candidate=candidate,
        live=live,
    )


def noise(seed, mean):
    return np.clip(np.random.default_rng(seed).normal(mean, 0.2, CASES), 0.0, 1.0)


def better():
    live = noise(1, 0.3)
    return contest(side(live + 0.1), side(live))


def test_a_candidate_that_is_better_everywhere_passes():
    verdict = judge(better(), RULES)

    assert verdict.passed
    assert verdict.outcome == "passed"
    assert [one.name for one in verdict.conditions] == [
        "cases", "gain", "slices", "coverage", "latency",
    ]  # fmt: skip


def test_a_gain_within_the_interval_is_refused_with_its_figures():
    verdict = judge(contest(side(noise(2, 0.305)), side(noise(3, 0.3))), RULES)

    assert verdict.outcome == "gain"
    (failed,) = verdict.failed
    assert failed.figures["low"] <= 0.0
    assert failed.figures["low"] <= failed.figures["difference"] <= failed.figures["high"]
    assert verdict.text.startswith("refused: NDCG@10 ")


def test_a_gain_smaller_than_the_least_is_refused():
    live = noise(1, 0.3)
    small = contest(side(live + 0.01), side(live))

    assert judge(small, RULES).passed
    assert judge(small, GateRules(min_gain=0.02, trials=300)).outcome == "gain"


def test_one_slice_that_falls_refuses_a_better_candidate():
    live = noise(1, 0.3) + 0.1
    falls = np.arange(CASES) < 60
    values = np.where(falls, live * 0.7, live + 0.2)
    slices = (
        Slice("user", "new users", falls),
        Slice("user", "known users", ~falls),
    )

    verdict = judge(contest(side(values), side(live), slices=slices), RULES)

    assert verdict.outcome == "slices"
    assert "user: new users" in verdict.text
    assert verdict.failed[0].figures["lost_share"] == pytest.approx(0.3, abs=0.01)


def test_a_slice_that_falls_by_less_than_the_amount_is_allowed():
    live = noise(1, 0.3) + 0.1
    falls = np.arange(CASES) < 60
    values = np.where(falls, live * 0.95, live + 0.2)

    assert judge(contest(side(values), side(live), slices=(Slice("a", "b", falls),)), RULES).passed


def test_a_slice_too_small_to_say_anything_does_not_decide():
    live = noise(1, 0.3) + 0.1
    few = np.arange(CASES) < 10
    values = np.where(few, 0.0, live + 0.2)

    assert judge(contest(side(values), side(live), slices=(Slice("a", "b", few),)), RULES).passed


def test_a_slice_that_may_have_fallen_by_chance_does_not_decide():
    part = np.arange(CASES) < 40  # ten users: five lose much, five win nearly as much
    live = np.full(CASES, 0.6)
    values = np.where(part, np.where(np.arange(CASES) % 8 < 4, 0.0, 0.98), 0.8)
    verdict = judge(contest(side(values), side(live), slices=(Slice("a", "b", part),)), RULES)

    (slices,) = [one for one in verdict.conditions if one.name == "slices"]
    assert slices.figures["difference"] < -0.1 * 0.6
    assert slices.figures["high"] > 0.0
    assert verdict.passed


def test_lists_that_cover_too_little_are_refused():
    given = better()

    poor = replace(given, candidate=replace(given.candidate, coverage=0.24))

    assert judge(poor, RULES).outcome == "coverage"


def test_a_scorer_that_is_too_slow_is_refused():
    given = better()

    slow = replace(given, candidate=replace(given.candidate, latency_seconds=0.0021))

    assert judge(slow, RULES).outcome == "latency"


def test_too_few_later_events_say_nothing():
    given = better()
    few = contest(side(given.candidate.values_C[:99]), side(given.live.values_C[:99]))

    verdict = judge(few, RULES)

    assert verdict.outcome == "cases"
    assert "99 later events" in verdict.text


def test_every_condition_that_failed_is_named():
    given = better()
    bad = replace(given, candidate=replace(given.candidate, coverage=0.0, latency_seconds=1.0))

    verdict = judge(bad, RULES)

    assert [one.name for one in verdict.failed] == ["coverage", "latency"]
    assert "cover" in verdict.text
    assert "ms against" in verdict.text


def test_a_single_users_many_cases_say_nothing_for_everybody():
    alone = replace(better(), users_C=np.zeros(CASES, np.int32))

    verdict = judge(alone, RULES)

    assert verdict.outcome == "cases"
    assert "of 1 users" in verdict.text


def test_a_candidate_that_was_never_asked_has_not_been_quick():
    live = noise(1, 0.3)

    verdict = judge(contest(side(live + 0.1, latency=0.0), side(live)), RULES)

    assert verdict.outcome == "latency"
