"""A backup: a folder with copies of what cannot be made again, and a list of them, written last.

    backup.json              what is in it, with checksums; without it the copy is not whole
    database/                the state and the log, as SQLite
    archive/                 the files that count, and the manifest that says so
    models/                  encoders and bundles
    mlflow/                  runs and the registry of models

The vector index is not in it: it is built from the database. Neither are figures, caches and
checkpoints of a training that was stopped.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from hashlib import sha256
from pathlib import Path, PurePosixPath

import msgspec

from clickwise.errors import ConfigurationError, InvalidInputError, UnavailableError

FORMAT = 1
LIST = "backup.json"
DATABASE = "database/clickwise.sqlite"
ARCHIVE, MODELS, MLFLOW = "archive", "models", "mlflow"
RUNS = "mlflow/mlflow.sqlite"
BYTES_AT_ONCE = 1 << 20


class Copied(msgspec.Struct, frozen=True):
    """One file of a backup."""

    bytes: int
    sha256: str


class Backup(msgspec.Struct, frozen=True, kw_only=True):
    """What a backup holds. `began`: everything that was acknowledged before is in it.

    `events`: the greatest sequence number of the log of events in it.
    """

    program: str
    schema: str
    began: datetime
    finished: datetime
    events: int
    files: dict[str, Copied]
    format: int = FORMAT


class _Version(msgspec.Struct):
    format: int


def read_list(folder: Path) -> Backup:
    """The list of a backup.

    Raises:
        InvalidInputError: there is none (the copy was never finished), or it is damaged.
        ConfigurationError: a newer program made it.
    """
    try:
        data = (folder / LIST).read_bytes()
    except OSError as error:
        raise InvalidInputError(
            f"{folder} is no whole backup: {LIST}, which is written last, cannot be read"
        ) from error
    try:
        version = msgspec.json.decode(data, type=_Version).format
        if version > FORMAT:
            raise ConfigurationError(
                f"{folder} has format {version}, this program knows {FORMAT}: a newer one made it"
            )
        found = msgspec.json.decode(data, type=Backup)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise InvalidInputError(f"{folder / LIST} is damaged: {error}") from error
    for name in found.files:
        parts = PurePosixPath(name).parts
        if not parts or ".." in parts or PurePosixPath(name).is_absolute():
            raise InvalidInputError(f"{folder / LIST}: {name!a} is no name of a file in it")
    return found


def write_list(folder: Path, backup: Backup) -> None:
    """Written beside and renamed: it is there whole, and after all else, or not at all."""
    beside = folder / f".{LIST}"
    with faults_of_disk(beside):
        beside.write_bytes(msgspec.json.format(msgspec.json.encode(backup), indent=1) + b"\n")
        _flush(beside)
        beside.replace(folder / LIST)
        _flush(folder)


def copy_file(source: Path, target: Path) -> Copied:
    """Copy a file, to the disk; what was copied.

    Raises:
        FileNotFoundError: the source has gone.
        UnavailableError: it cannot be copied.
    """
    digest, size = sha256(), 0
    with source.open("rb") as read, faults_of_disk(target), fresh(target) as written:
        while chunk := read.read(BYTES_AT_ONCE):
            digest.update(chunk)
            size += len(chunk)
            os.write(written, chunk)
    return Copied(size, digest.hexdigest())


def write_file(data: bytes, target: Path) -> Copied:
    """Write a file, to the disk; what was written."""
    with faults_of_disk(target), fresh(target) as written, os.fdopen(os.dup(written), "wb") as file:
        file.write(data)
    return Copied(len(data), sha256(data).hexdigest())


def looked_at(path: Path) -> Copied:
    """A file as it is, as a list would name it.

    Raises:
        OSError: it cannot be read.
    """
    with path.open("rb") as file:
        digest, size = sha256(), 0
        while chunk := file.read(BYTES_AT_ONCE):
            digest.update(chunk)
            size += len(chunk)
    return Copied(size, digest.hexdigest())


@contextmanager
def fresh(target: Path) -> Iterator[int]:
    """A new file for its owner alone, on the disk when the block ends."""
    target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    handle = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        yield handle
        os.fsync(handle)
    finally:
        os.close(handle)


@contextmanager
def faults_of_disk(path: Path) -> Iterator[None]:
    """What the disk says, as UnavailableError."""
    try:
        yield
    except OSError as error:
        raise UnavailableError(f"{path} cannot be written: {error.strerror}") from error


def is_empty(folder: Path) -> bool:
    """True when there is no such folder, or nothing in it."""
    return not folder.exists() or (folder.is_dir() and not any(folder.iterdir()))


def _flush(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
