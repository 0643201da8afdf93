"""Port to leases: which process does what only one should, of those that share a database.

A lease is a number, its holder's mark, that the holder replaces again and again. Whoever sees the
same mark for long enough, by a clock of its own, may put its own there. So no clocks have to agree,
and a holder that ends without a word is followed by another one (`clickwise.leases`).
"""

from collections.abc import Collection
from typing import Protocol

FREE = 0


class Leases(Protocol):
    """Every call raises UnavailableError when the database does not answer."""

    def mark(self, work: str) -> int:
        """The mark of whoever does this work; FREE: nobody."""
        ...

    def replace(self, work: str, expected: Collection[int], mark: int) -> bool:
        """Put `mark` there in place of one of these; False, and nothing done: another is there."""
        ...
