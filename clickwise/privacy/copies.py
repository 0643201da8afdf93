"""A training's copies of an archive that is elsewhere: they are made again when they are needed."""

import shutil
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

import polars as pl

from clickwise.codec import JsonObject
from clickwise.errors import UnavailableError
from clickwise.privacy.port import Erased, Whose
from clickwise.types import UserId

_LEFT = (
    "copies in the homes of trainers on other machines, until a training there six hours later or"
    " more"
)


class ArchiveCopies:
    """See PersonalStore."""

    name = "training's copies of the archive"
    tells = ""

    def __init__(self, folder: Path, *, elsewhere: bool) -> None:
        """`elsewhere`: whether trainings on other machines may have copies of their own."""
        self._folder = folder
        self._elsewhere = elsewhere

    def erase(self, user: UserId, *, until: datetime) -> Erased:
        """See PersonalStore. All of them go, whoever is in them."""
        del user, until
        files = sum(path.is_file() for path in self._folder.rglob("*"))
        try:
            shutil.rmtree(self._folder)
        except FileNotFoundError:
            pass
        except OSError as error:
            raise UnavailableError(f"{self._folder} cannot be removed: {error.strerror}") from error
        return Erased(store=self.name, records=files, left=_LEFT if self._elsewhere else "")

    def export(self, user: UserId) -> Iterator[JsonObject]:
        """See PersonalStore. The archive itself has the same."""
        del user
        return iter(())

    def holds(self, whose: Whose, *, until: datetime) -> int:
        """See PersonalStore."""
        found = 0
        for path in sorted(self._folder.rglob("*.parquet")):
            frame = pl.read_parquet(path)
            if "user" in frame.columns:
                meant = [one for one in frame["user"].drop_nulls().unique().to_list() if whose(one)]
                old = (pl.col("time") <= until) | (pl.col("received") <= until)
                found += frame.filter(pl.col("user").is_in(meant) & old).height
        return found
