"""A change of many files of the archive, some files a commit.

Whatever ends it between two commits, the next run goes on behind the last one.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from clickwise.archive import Archive, ArchivedFile, Manifest
from clickwise.clock import Clock
from clickwise.errors import ConflictError

AT_ONCE = 32  # files of a commit
TRIES = 5

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Step(Generic[T]):
    """A manifest to commit, and what it will have done."""

    manifest: Manifest
    done: T


def steps(
    archive: Archive,
    clock: Clock,
    *,
    due: Callable[[Manifest], Sequence[ArchivedFile]],
    change: Callable[[Manifest, Sequence[ArchivedFile]], Step[T] | None],
    at_once: int,
) -> Iterator[T]:
    """What each commit did, until nothing is `due` or `change` is stopped (None).

    `change` is asked anew, with the newest manifest, where another archiver committed meanwhile.

    Raises:
        ConflictError: other archivers commit all the time; what was committed stays.
        UnavailableError: the store does not answer; the same.
    """
    refusals = 0
    while files := due(manifest := archive.newest())[:at_once]:
        began = clock.now()
        step = change(manifest, files)
        if step is None:
            return
        try:
            archive.commit(step.manifest, began=began, now=clock.now())
        except ConflictError:
            refusals += 1
            if refusals == TRIES:
                raise
            continue
        refusals = 0
        yield step.done
