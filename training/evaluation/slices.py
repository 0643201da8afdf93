"""For whom, and for what, does it work: the cases in groups.

Shape suffixes: C = cases, I = items.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from clickwise.vectors.port import BoolArray, Float64Array, Int32Array
from training.evaluation.cases import Plan
from training.evaluation.report import SliceFigures
from training.evaluation.statistics import TRIALS, bootstrap

# Up to so many events in the history; the last group has no end.
LENGTHS = (0, 1, 4, 9, 19, 49, 199)
RARE_SHARE = 0.01


@dataclass(frozen=True, slots=True)
class CaseFacts:
    """What is known of each case, in columns: with a system's ranks, its record.

    New is who or what no training event knows. `languages_C` and `kinds_C` are the right
    item's, "" where it does not say.
    """

    users_C: Int32Array
    items_C: Int32Array
    lengths_C: NDArray[np.intp]
    new_users_C: BoolArray
    new_items_C: BoolArray
    languages_C: NDArray[np.str_]
    kinds_C: NDArray[np.str_]


@dataclass(frozen=True, slots=True)
class Slice:
    """Cases that have something in common, by mask."""

    group: str
    name: str
    cases_C: BoolArray


def facts_of(plan: Plan) -> CaseFacts:
    """The facts of a plan's cases."""
    train, cases = plan.train, plan.cases
    known_users = np.zeros(len(train.user_ids), np.bool_)
    known_users[train.log.users_N] = True
    known_items = np.zeros(len(train.items), np.bool_)
    known_items[train.log.items_N] = True
    return CaseFacts(
        users_C=cases.users_C,
        items_C=cases.items_C,
        lengths_C=cases.lengths_C,
        new_users_C=~known_users[cases.users_C],
        new_items_C=~known_items[cases.items_C],
        languages_C=np.array(train.items.languages, np.str_)[cases.items_C],
        kinds_C=np.array(train.items.kinds, np.str_)[cases.items_C],
    )


def slices_of(facts: CaseFacts) -> tuple[Slice, ...]:
    """All groups that part the cases; a group that holds them all in one slice is left out."""
    found = [
        *_two("user", "new users", "known users", facts.new_users_C),
        Slice("user", "new users after one event", facts.new_users_C & (facts.lengths_C == 1)),
        *_two("item", "new items", "known items", facts.new_items_C),
        *_by_length(facts.lengths_C),
        *_by_value("language", facts.languages_C),
        *_by_value("kind", facts.kinds_C),
    ]
    return tuple(one for one in found if one.cases_C.any() and not one.cases_C.all())


def slice_figures(
    slices: tuple[Slice, ...],
    values: Mapping[str, Float64Array],
    users_C: Int32Array,
    *,
    seed: int,
    trials: int = TRIALS,
) -> tuple[SliceFigures, ...]:
    """One metric of each system (`values`, by case) in each slice."""
    return tuple(
        SliceFigures(
            group=one.group,
            name=one.name,
            num_cases=int(one.cases_C.sum()),
            systems={
                system: bootstrap(
                    values_C[one.cases_C], users_C[one.cases_C], seed=seed, trials=trials
                )
                for system, values_C in values.items()
            },
        )
        for one in slices
    )


def _two(group: str, name: str, other: str, cases_C: BoolArray) -> Iterator[Slice]:
    yield Slice(group, name, cases_C)
    yield Slice(group, other, ~cases_C)


def _by_length(lengths_C: NDArray[np.intp]) -> Iterator[Slice]:
    low = 0
    for high in LENGTHS:
        name = f"{low} to {high} events" if low < high else f"{low} event{'s' * (low != 1)}"
        yield Slice("history", name, (lengths_C >= low) & (lengths_C <= high))
        low = high + 1
    yield Slice("history", f"{low} events or more", lengths_C >= low)


def _by_value(group: str, values_C: NDArray[np.str_]) -> Iterator[Slice]:
    """Each value that has a hundredth of the cases, if there are two, and the rest together."""
    values, numbers = np.unique(values_C, return_counts=True)
    rare_C = np.isin(values_C, values[numbers < RARE_SHARE * len(values_C)])
    told = np.unique(values_C[~rare_C]).tolist()
    if len(told) < 2:
        return
    for value in told:
        yield Slice(group, value or "not known", values_C == value)
    yield Slice(group, "others", rare_C)
