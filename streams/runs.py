"""A batch of events and merges, in order: events in runs, each merge alone."""

from collections.abc import Iterator, Sequence

from streams.handlers import Arrival
from streams.merging import MergeArrival


def runs(batch: Sequence[Arrival | MergeArrival]) -> Iterator[list[Arrival] | MergeArrival]:
    """Each in its own transaction: one that fails leaves what came before applied."""
    run: list[Arrival] = []
    for arrival in batch:
        if isinstance(arrival, Arrival):
            run.append(arrival)
            continue
        if run:
            yield run
        run = []
        yield arrival
    if run:
        yield run
