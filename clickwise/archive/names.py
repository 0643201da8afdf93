"""What stands for people in the archive: a keyed hash of each id, which the database's key makes;
and of each session's, which a site may have made of the same.

A training tells people apart by it as by the id; whoever holds the files alone cannot tell who
they are, nor try ids until one fits. The hash is that of receipts and of notes of who is
forgotten, so that an erasure, a second look and an export find the rows. Up to format 1 the ids
stood in the files as they were sent.
"""

from collections.abc import Callable
from dataclasses import dataclass

import polars as pl

from clickwise.archive.layout import Manifest
from clickwise.errors import ConfigurationError

_COLUMNS = ("user", "session")


@dataclass(frozen=True, slots=True)
class Names:
    """`name_of` an id, None without one; `key` tells the database's key from others, and not it."""

    name_of: Callable[[str], str]
    key: str

    @classmethod
    def by(cls, name_of: Callable[[str], str]) -> "Names":
        """The names that a database's key makes. No id is empty."""
        return cls(name_of, name_of(""))

    def named(self, frame: pl.DataFrame) -> pl.DataFrame:
        """Rows of a log with each user and session by name; who has no id stays without."""
        named = []
        for column in _COLUMNS:
            if column in frame.columns:
                ids = frame[column].drop_nulls().unique().to_list()
                names = {one: self.name_of(one) for one in ids}
                named.append(
                    pl.col(column).replace_strict(names, default=None, return_dtype=pl.String())
                )
        return frame.with_columns(named)

    def check(self, manifest: Manifest) -> None:
        """Whether this archive's people have their names from the same key.

        Raises:
            ConfigurationError: another database named them: each would be two people from now on.
        """
        if manifest.key and manifest.key != self.key:
            raise ConfigurationError(
                "CLICKWISE_ARCHIVE_URL: people in this archive are named by the key of another"
                " database than CLICKWISE_DATABASE_URL: restore that database from its backup, or"
                " name another folder"
            )
