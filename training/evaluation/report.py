"""What an evaluation found, as one value: JSON for machines, source of the page and the plots.

All figures of systems are means over cases with a 95 % interval over users.
"""

import msgspec

from training.evaluation.leaks import Leak
from training.evaluation.statistics import Interval

FORMAT = 1


class Data(msgspec.Struct, frozen=True, kw_only=True):
    """The dataset, and how the protocol parts it."""

    name: str
    num_users: int
    num_items: int
    num_train_events: int
    num_test_events: int
    num_cases: int
    num_case_users: int


class Beyond(msgspec.Struct, frozen=True, kw_only=True):
    """See `training.evaluation.beyond`; None where it cannot be told."""

    coverage: float
    diversity: float | None
    novelty: float | None
    head_share: float | None
    gini: float


class System(msgspec.Struct, frozen=True, kw_only=True):
    """One ranker's figures, by the names of metrics."""

    name: str
    metrics: dict[str, Interval]
    beyond: Beyond | None = None
    fit_seconds: float | None = None
    answer_seconds: float | None = None
    note: str = ""


class Comparison(msgspec.Struct, frozen=True, kw_only=True):
    """`system` minus `other` on the same cases; `better`: the whole interval is above zero."""

    metric: str
    system: str
    other: str
    difference: Interval
    p_value: float
    better: bool


class SliceFigures(msgspec.Struct, frozen=True, kw_only=True):
    """The headline metric of each system on part of the cases."""

    group: str
    name: str
    num_cases: int
    systems: dict[str, Interval]


class Curve(msgspec.Struct, frozen=True, kw_only=True):
    """A figure as it goes on: `values` at `places` (cases lived, steps trained)."""

    title: str
    place_name: str
    value_name: str
    places: tuple[float, ...]
    values: dict[str, tuple[float, ...]]


class Table(msgspec.Struct, frozen=True, kw_only=True):
    """Anything else worth a table, such as attacks: text and figures, by row."""

    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str | int | float | None, ...], ...]
    note: str = ""


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """One evaluation, with what is needed to run it again.

    Systems are in order of the headline metric, best first. `ours` names the one that is
    compared with every other, `best_baseline` the best of the others but hybrids; both are ""
    where there is none. `hybrids` compares hybrids with their sources. A report of attacks has no
    systems.
    """

    format: int = FORMAT
    data: Data
    protocol: str
    description: str
    headline: str
    command: str
    seed: int
    versions: dict[str, str]
    ours: str = ""
    best_baseline: str = ""
    systems: tuple[System, ...]
    comparisons: tuple[Comparison, ...] = ()
    slices: tuple[SliceFigures, ...] = ()
    hybrids: tuple[Comparison, ...] = ()
    curves: tuple[Curve, ...] = ()
    attacks: Table | None = None
    tables: tuple[Table, ...] = ()
    leaks: tuple[Leak, ...] = ()
    notes: tuple[str, ...] = ()
    seconds: float

    def system(self, name: str) -> System:
        """The figures of one.

        Raises:
            KeyError: it was not evaluated.
        """
        for one in self.systems:
            if one.name == name:
                return one
        raise KeyError(name)


def to_json(report: Report) -> bytes:
    """Indented JSON, with a line's end."""
    return msgspec.json.format(msgspec.json.encode(report), indent=2) + b"\n"


def from_json(content: bytes) -> Report:
    """A report that was written.

    Raises:
        msgspec.DecodeError: it is none.
    """
    return msgspec.json.decode(content, type=Report)
