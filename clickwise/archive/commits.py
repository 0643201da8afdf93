"""How a new manifest takes the place of the one before, and what is then cleaned away.

A manifest is created under the next number, never replaced: of two archivers that started from
the same one, the second is refused and begins again. Whatever was written before a manifest and
is not in it does not count.

Nothing is deleted at once: readers may be at work with an earlier manifest, and an archiver with
files that it has not committed yet. A manifest is kept for `GRACE` after its successor, and
files for as long as a kept manifest names them, or for `GRACE` from their writing. A commit that
comes later than half of that after the writing began is not made (`Archive.commit`).
"""

from contextlib import suppress
from datetime import datetime, timedelta
from pathlib import Path

import msgspec

from clickwise import logs
from clickwise.archive.layout import FORMAT, MANIFESTS, Manifest, Stream, manifest_name
from clickwise.archive.store import Store, open_store
from clickwise.errors import ConfigurationError, UnavailableError

GRACE = timedelta(hours=6)

_decoder = msgspec.json.Decoder(Manifest)
_encoder = msgspec.json.Encoder()
_log = logs.get(__name__)


class _Version(msgspec.Struct):
    format: int


class Archive:
    """The manifests of one store."""

    def __init__(self, store: Store) -> None:
        self.store = store

    def newest(self) -> Manifest:
        """The manifest that counts; an empty one before the first commit.

        One that cannot be read (of a store whose writes are not whole) is passed over: its
        predecessor is a state of the archive too, and what is missing is archived again.

        Raises:
            ConfigurationError: a newer program wrote it.
        """
        numbers = self._numbers()
        for number in reversed(numbers):
            data = self.store.read(manifest_name(number))
            try:
                manifest = _read(data)
            except msgspec.MsgspecError as error:
                _log.warning("manifest passed over", number=number, reason=str(error))
                continue
            return msgspec.structs.replace(manifest, number=numbers[-1])
        return Manifest(number=numbers[-1] if numbers else 0)

    def commit(self, manifest: Manifest, *, began: datetime, now: datetime) -> Manifest:
        """Make `manifest`, a change of the newest, count; as it was written.

        `began`: when the first of its new files was begun.

        Raises:
            ConflictError: another archiver has committed since it was read.
            UnavailableError: it took so long that its files may have been cleaned away.
        """
        if now - began > GRACE / 2:
            raise UnavailableError(
                f"{(now - began).total_seconds():.0f} s between an archive's files and their"
                " commit; they are written again"
            )
        made = msgspec.structs.replace(manifest, number=manifest.number + 1, written=now)
        self.store.create(manifest_name(made.number), _encoder.encode(made))
        return made

    def clean(self, *, now: datetime) -> int:
        """Delete what nobody can need any more; how many files.

        A manifest that was committed meanwhile only adds to what is kept: its files are young.
        """
        kept, stale = self._old_manifests(now)
        named = {file.name for manifest in kept for file in manifest.files}
        for stream in Stream:
            for file in self.store.files(stream.value):
                old = file.modified is not None and now - file.modified > GRACE
                if file.name not in named and old:
                    stale.append(file.name)
        for name in stale:
            self.store.delete(name)
        return len(stale)

    def _old_manifests(self, now: datetime) -> tuple[list[Manifest], list[str]]:
        """Manifests that are kept, and names in their folder that are not."""
        kept, stale = [], []
        numbers = self._numbers()
        superseded: datetime | None = None
        for place in reversed(range(len(numbers))):
            if superseded is not None and now - superseded > GRACE:
                stale += [manifest_name(number) for number in numbers[: place + 1]]
                break
            try:
                manifest = _read(self.store.read(manifest_name(numbers[place])))
            except msgspec.MsgspecError:
                continue  # it goes with its neighbors
            kept.append(manifest)
            superseded = manifest.written
        for file in self.store.files(MANIFESTS):
            unfinished = not file.name.endswith(".json")
            if unfinished and file.modified is not None and now - file.modified > GRACE:
                stale.append(file.name)
        return kept, stale

    def _numbers(self) -> list[int]:
        stems = (file.name.rpartition("/")[2] for file in self.store.files(MANIFESTS))
        return sorted(
            int(stem.removesuffix(".json"))
            for stem in stems
            if stem.endswith(".json") and stem.removesuffix(".json").isdecimal()
        )


def open_archive(url: str, *, home: Path) -> Archive:
    """The archive at `url`, or in `<home>/archive` where it is empty; nothing is read yet."""
    return Archive(open_store(url or str(home / "archive")))


def drop_copies(cache: Path, manifest: Manifest, now: datetime) -> None:
    """Delete copies (see `Store.fetch`) of files that count no more; readers may have begun with
    young ones.
    """
    counting = {cache / file.name for file in manifest.files}
    for path in cache.rglob("*.parquet"):
        with suppress(FileNotFoundError):  # another process was first
            old = now.timestamp() - path.stat().st_mtime > GRACE.total_seconds()
            if path not in counting and old:
                path.unlink()


def _read(data: bytes) -> Manifest:
    version = msgspec.json.decode(data, type=_Version).format
    if version > FORMAT:
        raise ConfigurationError(
            f"the archive has format {version}, this program knows {FORMAT}: a newer one wrote it"
        )
    return _decoder.decode(data)
