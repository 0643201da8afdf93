"""An archive of format 1, which has people's ids as they were sent, gets their names.

One file after the other is written again beside; one commit makes all of them count, and says
the format, so that no older program writes into it, or looks for ids there, any more. A crash in
between leaves litter, and the next run begins anew. The old files go as all do that a reader may
still have.
"""

from collections.abc import Callable
from hashlib import blake2b

import msgspec

from clickwise.archive import Archive, ArchivedFile, Store, Stream
from clickwise.archive.columns import frame_of, parquet_bytes
from clickwise.archive.layout import FORMAT
from clickwise.archive.names import NAMED, Names
from clickwise.clock import Clock


def rename(
    archive: Archive,
    names: Names,
    clock: Clock,
    *,
    told: Callable[[int, int], None] = lambda _done, _of: None,
) -> int:
    """Rewrite an archive whose people have no names yet; how many files. `told` how many are done,
    and of how many.

    Raises:
        ConflictError: another archiver has committed meanwhile; it is done again.
        UnavailableError: the store does not answer, or it took hours: the archive is as it was.
    """
    manifest = archive.newest()
    if manifest.format >= NAMED:
        return 0
    began = clock.now()
    logged = [file for file in manifest.files if file.stream is not Stream.ITEMS]
    renamed = {}
    for number, file in enumerate(logged, start=1):
        renamed[file.name] = _renamed(archive.store, file, names)
        told(number, len(logged))
    files = tuple(renamed.get(file.name, file) for file in manifest.files)
    changed = msgspec.structs.replace(manifest, files=files, format=FORMAT, key=names.key)
    archive.commit(changed, began=began, now=clock.now())
    return len(renamed)


def _renamed(store: Store, file: ArchivedFile, names: Names) -> ArchivedFile:
    """The same rows under another name, with people by theirs."""
    data = parquet_bytes(names.named(frame_of(store.read(file.name), file.stream)))
    digest = blake2b(f"{file.name} {names.key}".encode(), digest_size=12).hexdigest()
    name = f"{file.name.rpartition('/')[0]}/named-{digest}.parquet"
    store.write(name, data)
    return msgspec.structs.replace(file, name=name, bytes=len(data))
