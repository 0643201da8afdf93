"""Where the archive's bytes lie: a port with two implementations, a folder and fsspec's stores.

A write is whole or not at all, and durable when it returns; names are relative, with `/`.
"""

import contextlib
import os
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Protocol

from clickwise.errors import ConfigurationError, ConflictError, NotFoundError, UnavailableError


@dataclass(frozen=True, slots=True)
class StoredFile:
    """A file of the store; `modified` None where the store does not tell."""

    name: str
    size: int
    modified: datetime | None


class Store(Protocol):
    """Port to the archive's bytes. UnavailableError when the store does not answer."""

    def files(self, folder: str) -> list[StoredFile]:
        """All files below a folder, at any depth, unfinished ones too; [] where there is none."""
        ...

    def read(self, name: str) -> bytes:
        """A file's bytes; NotFoundError when there is none."""
        ...

    def write(self, name: str, data: bytes) -> None:
        """Write a file, in the place of one that is there."""
        ...

    def create(self, name: str, data: bytes) -> None:
        """Write a file that must not be there; ConflictError when it is."""
        ...

    def delete(self, name: str) -> None:
        """Delete a file, if it is there."""
        ...

    def fetch(self, name: str, cache: Path) -> Path:
        """A file of this machine with these bytes; `cache` keeps copies of what is elsewhere."""
        ...


def is_remote(url: str) -> bool:
    """Whether `open_store` opens more than a folder: who trains from it keeps copies."""
    return "://" in url and not url.startswith("file://")


def open_store(url: str) -> Store:
    """The store at a path, or at a URL that fsspec knows.

    Raises:
        ConfigurationError: what the URL needs is not installed, or no store has such a scheme.
    """
    if not is_remote(url):
        return LocalStore(Path(url.removeprefix("file://")))
    from clickwise.archive.remote import RemoteStore

    return RemoteStore(url)


@contextmanager
def faults_translated(what: str) -> Iterator[None]:
    """Faults of the operating system, which fsspec's stores raise too, as those of our tree."""
    try:
        yield
    except FileNotFoundError as error:
        raise NotFoundError(f"{what}: not in the archive") from error
    except (FileExistsError, NotADirectoryError, PermissionError) as error:
        raise ConfigurationError(
            f"CLICKWISE_ARCHIVE_URL: {what}: {error.strerror or error}"
        ) from error
    except OSError as error:
        raise UnavailableError(f"{what}: {error.strerror or error}") from error


def taken(name: str) -> ConflictError:
    """What `create` raises."""
    return ConflictError(f"{name}: another archiver was first")


class LocalStore:
    """A folder of this machine. Files are written beside, flushed to the disk and renamed."""

    def __init__(self, root: Path) -> None:
        self._root = root

    def files(self, folder: str) -> list[StoredFile]:
        """See Store."""
        found = []
        with faults_translated(folder):
            for place, _, names in os.walk(self._root / folder):
                for name in names:
                    path = Path(place, name)
                    with contextlib.suppress(FileNotFoundError):  # it was renamed just now
                        status = path.stat()
                        modified = datetime.fromtimestamp(status.st_mtime, UTC)
                        relative = path.relative_to(self._root).as_posix()
                        found.append(StoredFile(relative, status.st_size, modified))
        return sorted(found, key=lambda file: file.name)

    def read(self, name: str) -> bytes:
        """See Store."""
        with faults_translated(name):
            return (self._root / name).read_bytes()

    def write(self, name: str, data: bytes) -> None:
        """See Store."""
        with faults_translated(name), self._beside(name, data) as beside:
            beside.replace(self._root / name)

    def create(self, name: str, data: bytes) -> None:
        """See Store. A hard link, because a rename would replace a file that is there."""
        with faults_translated(name), self._beside(name, data) as beside:
            try:
                (self._root / name).hardlink_to(beside)
            except FileExistsError as error:
                raise taken(name) from error

    def delete(self, name: str) -> None:
        """See Store."""
        with faults_translated(name):
            (self._root / name).unlink(missing_ok=True)

    def fetch(self, name: str, cache: Path) -> Path:
        """See Store. The file itself."""
        del cache
        path = self._root / name
        if not path.is_file():
            raise NotFoundError(f"{name}: not in the archive")
        return path

    @contextmanager
    def _beside(self, name: str, data: bytes) -> Iterator[Path]:
        """A finished file under another name, to be given its own; then the folder is flushed."""
        path = self._root / name
        # The archive holds what people did: its root is for its owner alone.
        self._root.mkdir(mode=0o700, parents=True, exist_ok=True)
        path.parent.mkdir(parents=True, exist_ok=True)
        beside = path.with_name(f".{path.name}.{uuid.uuid4().hex[:8]}")
        try:
            with beside.open("wb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
            yield beside
        finally:
            beside.unlink(missing_ok=True)
        folder = os.open(path.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)
