"""An archive of format 1, which has people's ids as they were sent, gets their names.

Some files are written again beside, and a commit makes them count; then the next ones. The first
commit says the new format, so that no older program writes into it, or looks for ids there, any
more. Whatever ends it, the next run goes on behind the last commit. The old files go as all do that
a reader may still have.
"""

from collections.abc import Callable, Sequence
from hashlib import blake2b

import msgspec

from clickwise import logs
from clickwise.archive import Archive, ArchivedFile, Manifest, Store, Stream
from clickwise.archive.columns import frame_of, parquet_bytes
from clickwise.archive.layout import FORMAT
from clickwise.archive.names import Names
from clickwise.clock import Clock
from streams.archive_steps import AT_ONCE, Step, steps

_log = logs.get(__name__)


def rename(
    archive: Archive,
    names: Names,
    clock: Clock,
    *,
    stopped: Callable[[], bool] = lambda: False,
    at_once: int = AT_ONCE,
) -> int:
    """Rewrite the files in which people have no names; how many. `stopped` is asked before each.

    Raises:
        ConflictError: other archivers commit all the time; what was committed stays.
        UnavailableError: the store does not answer; the same.
    """

    def change(manifest: Manifest, files: Sequence[ArchivedFile]) -> Step[int] | None:
        done: dict[str, ArchivedFile] = {}
        for file in files:
            if stopped():
                break
            done[file.name] = _renamed(archive.store, file, names)
        if not done:
            return None
        kept = tuple(done.get(file.name, file) for file in manifest.files)
        changed = msgspec.structs.replace(manifest, files=kept, format=FORMAT, key=names.key)
        return Step(changed, len(done))

    renamed = 0
    for number in steps(archive, clock, due=_without_names, change=change, at_once=at_once):
        renamed += number
        left = len(_without_names(archive.newest()))
        _log.info("people in the archive get names", files=renamed, left=left)
    return renamed


def _without_names(manifest: Manifest) -> list[ArchivedFile]:
    return [file for file in manifest.files if file.stream is not Stream.ITEMS and not file.named]


def _renamed(store: Store, file: ArchivedFile, names: Names) -> ArchivedFile:
    """The same rows under another name, with people by theirs."""
    data = parquet_bytes(names.named(frame_of(store.read(file.name), file.stream)))
    digest = blake2b(f"{file.name} {names.key}".encode(), digest_size=12).hexdigest()
    name = f"{file.name.rpartition('/')[0]}/named-{digest}.parquet"
    store.write(name, data)
    return msgspec.structs.replace(file, name=name, bytes=len(data), named=True)
