"""What can be tuned of a baseline, beside its defaults."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, TypeVar

from training.data import Ranker

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

Value = str | int | float
C = TypeVar("C", bound="DataclassInstance")


@dataclass(frozen=True, slots=True)
class Whole:
    """Whole numbers from `low` to `high`, both included, drawn evenly over their logarithm."""

    low: int
    high: int


@dataclass(frozen=True, slots=True)
class Real:
    """Numbers from `low` to `high`, drawn evenly."""

    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Scale:
    """Positive numbers from `low` to `high`, drawn evenly over their logarithm."""

    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Choice:
    """One of a few."""

    options: tuple[Value, ...]


Space = Mapping[str, Whole | Real | Scale | Choice]


@dataclass(frozen=True, slots=True)
class Baseline:
    """A way to build a ranker from values of its configuration; what is not given is default.

    `defaults` holds those of the fields in `space`, which are what a search tries.
    """

    space: Space
    defaults: Mapping[str, Value]
    build: Callable[[Mapping[str, Value]], Ranker]


def tunable(default: C, make: Callable[[C], Ranker], space: Space) -> Baseline:
    """The baseline that `make` builds from configurations such as `default`."""

    def build(values: Mapping[str, Value]) -> Ranker:
        return make(replace(default, **values))

    return Baseline(space, {name: getattr(default, name) for name in space}, build)
