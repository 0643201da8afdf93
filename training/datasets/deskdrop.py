"""CI&T Deskdrop, articles read and shared inside a company; see `clickwise.imports.deskdrop`.

Views weigh .5 (no dwell is recorded), likes, bookmarks and follows 1.5, comments 1.8.
"""

from pathlib import Path

from clickwise.errors import ConfigurationError
from clickwise.imports.deskdrop import is_deskdrop, read_deskdrop
from clickwise.imports.faults import reading
from training.data import Dataset
from training.datasets.feeds import read_feed

NAME = "deskdrop"


def read_deskdrop_folder(folder: Path) -> Dataset:
    """All interactions, and all articles with what is known of their text.

    Raises:
        ConfigurationError: the files are missing or not what they should be.
    """
    if not is_deskdrop(folder):
        raise ConfigurationError(
            f"{folder} has neither interactions.csv.gz and articles.csv.gz"
            " nor users_interactions.csv and shared_articles.csv"
        )
    with reading(folder):
        return read_feed(NAME, read_deskdrop(folder))
