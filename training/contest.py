"""Two bundles on the same later events, as the gate wants to see them.

Shape suffixes: C = cases.
"""

from dataclasses import dataclass

from clickwise.bundle import Bundle, ScorerInput
from training.evaluation.beyond import beyond_accuracy
from training.evaluation.cases import Answers, Plan
from training.evaluation.slices import facts_of, slices_of
from training.export_timing import seconds_of
from training.gate import Contest, Side


@dataclass(frozen=True, slots=True)
class Played:
    """What one bundle answered, and a request that its scorer was given (None: it was not)."""

    bundle: Bundle
    answers: Answers
    given: ScorerInput | None


def contest_of(plan: Plan, candidate: Played, live: Played) -> Contest:
    """The comparison by the plan's headline metric."""
    return Contest(
        metric=plan.headline.name,
        users_C=plan.cases.users_C,
        slices=slices_of(facts_of(plan)),
        candidate=_side(plan, candidate),
        live=_side(plan, live),
    )


def _side(plan: Plan, played: Played) -> Side:
    return Side(
        values_C=plan.headline.of(played.answers.ranks_C),
        coverage=beyond_accuracy(played.answers.tops_QK, plan.train).coverage,
        latency_seconds=_latency(played),
    )


def _latency(played: Played) -> float:
    """Seconds to score the request, and to read the interests where the model is learned."""
    given, bundle = played.given, played.bundle
    if given is None:
        return 0.0
    seconds = seconds_of(lambda: bundle.scorer.score(given))
    recurrence = bundle.recurrence
    if recurrence is not None:
        memory_M = bundle.empty_profile().memory_M
        seconds += seconds_of(lambda: recurrence.read(memory_M))
    return seconds
