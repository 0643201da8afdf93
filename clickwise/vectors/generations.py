"""Where generations lie on disk, and how the next one becomes the live one.

    <root>/live                       the model whose index is live
    <root>/<model>/CURRENT            the number of the live generation
    <root>/<model>/gen-<number>/      one generation, never changed once it has this name:
        manifest.json                 what it is, and the size and checksum of each file
        columns/*.npy                 facts sorted by key (`columns`)
        shard/                        the engine's files
    <root>/<model>/tmp-*              unfinished work of a builder or an opening of a reader
    <root>/<model>/build.lock         held by the one builder
    <root>/<model>/swap.lock          held by the reader that is swapping: they take turns

Small files change by `os.replace` and everything is synced before it gets its name, so a
process that is killed at any moment leaves the old generation or the new one, and litter that
the next build removes.
"""

import fcntl
import os
import re
import shutil
import time
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import quote, unquote

import msgspec

from clickwise.errors import BundleError, ConflictError
from clickwise.types import ModelVersion

FORMAT = 1
_NAME = re.compile(r"gen-(\d{1,12})")
_PIECE_BYTES = 1 << 22
# An opening that has not ended by then belongs to a process that is gone.
_OPENING_SECONDS = 600.0


class FileStamp(msgspec.Struct, frozen=True):
    """Size and CRC-32 of a file."""

    size_bytes: int
    checksum: int


class Manifest(msgspec.Struct, frozen=True, kw_only=True):
    """What a generation is. `covered` is the greatest item `change` that it holds."""

    format: int = FORMAT
    number: int
    model: ModelVersion
    dimension: int
    count: int
    covered: int
    created: float
    files: dict[str, FileStamp]


class Generations:
    """The generations of one model."""

    def __init__(self, root: Path, model: ModelVersion) -> None:
        self.model = model
        self.folder = root / _folder_name(model)

    def path(self, number: int) -> Path:
        """Folder of a generation."""
        return self.folder / f"gen-{number}"

    def numbers(self) -> list[int]:
        """Every generation there is, newest first."""
        if not self.folder.is_dir():
            return []
        found = (_NAME.fullmatch(path.name) for path in self.folder.iterdir())
        return sorted((int(match.group(1)) for match in found if match), reverse=True)

    def current(self) -> int | None:
        """The live generation; None before the first, or when the pointer cannot be read."""
        try:
            return int((self.folder / "CURRENT").read_text())
        except (FileNotFoundError, ValueError):
            return None

    def in_order_of_trust(self) -> list[int]:
        """The live generation first, then the others, newest first."""
        current = self.current()
        return sorted(self.numbers(), key=lambda number: (number != current, -number))

    def stamp(self) -> tuple[int, int] | None:
        """Changes whenever another generation goes live: one `stat`."""
        try:
            status = (self.folder / "CURRENT").stat()
        except FileNotFoundError:
            return None
        return status.st_mtime_ns, status.st_ino

    def scratch(self, purpose: str) -> Path:
        """A fresh folder for unfinished work of this process."""
        path = self.folder / f"tmp-{purpose}-{os.getpid()}-{time.monotonic_ns()}"
        path.mkdir(parents=True)
        return path

    def manifest(self, number: int) -> Manifest:
        """The manifest of a generation whose files have their sizes.

        Raises:
            BundleError: damaged, of another format, or not there.
        """
        folder = self.path(number)
        try:
            manifest = msgspec.json.decode((folder / "manifest.json").read_bytes(), type=Manifest)
            wrong = [
                name
                for name, stamp in manifest.files.items()
                if (folder / name).stat().st_size != stamp.size_bytes
            ]
        except (OSError, msgspec.MsgspecError) as error:
            raise BundleError(f"generation {number} of {self.model} is damaged: {error}") from error
        if manifest.format != FORMAT or manifest.model != self.model or wrong:
            raise BundleError(
                f"generation {number} of {self.model} is damaged or of another format:"
                f" format {manifest.format}, model {manifest.model}, wrong sizes {wrong[:3]}"
            )
        return manifest

    def verify(self, manifest: Manifest) -> None:
        """Read every file of a generation.

        Raises:
            BundleError: a checksum differs.
        """
        folder = self.path(manifest.number)
        for name, stamp in manifest.files.items():
            if _checksum(folder / name) != stamp.checksum:
                raise BundleError(
                    f"generation {manifest.number} of {self.model} is damaged: {name}"
                )

    def publish(self, scratch: Path, manifest: Manifest) -> None:
        """Give finished work its name and make it live; `manifest.files` is filled in here."""
        files = {
            str(path.relative_to(scratch)): FileStamp(path.stat().st_size, _checksum(path))
            for path in sorted(scratch.rglob("*"))
            if path.is_file()
        }
        complete = msgspec.structs.replace(manifest, files=files)
        (scratch / "manifest.json").write_bytes(msgspec.json.encode(complete))
        for path in (*scratch.rglob("*"), scratch):
            sync(path)
        scratch.rename(self.path(manifest.number))
        sync(self.folder)
        replace_text(self.folder / "CURRENT", str(manifest.number))

    def clean(self, *, keep: set[int]) -> None:
        """Remove other generations and litter. Only the builder, which holds the lock, may.

        A reader that is opening one of them looks at CURRENT again.
        """
        for number in self.numbers():
            if number not in keep:
                shutil.rmtree(self.path(number), ignore_errors=True)
        for path in self.folder.glob("tmp-*"):
            if not path.name.startswith("tmp-open-") or _age_seconds(path) > _OPENING_SECONDS:
                shutil.rmtree(path, ignore_errors=True)
                path.unlink(missing_ok=True)

    def remove(self) -> None:
        """Remove all of them; readers that have one open go on.

        Raises:
            ConflictError: another process is building.
        """
        with self.building():
            shutil.rmtree(self.folder, ignore_errors=True)

    @contextmanager
    def building(self) -> Iterator[None]:
        """The right to build.

        Raises:
            ConflictError: another process is building.
        """
        self.folder.mkdir(parents=True, exist_ok=True)
        with _locked(self.folder / "build.lock") as mine:
            if not mine:
                raise ConflictError(f"another process is building the index of {self.model}")
            yield

    @contextmanager
    def swapping(self) -> Iterator[bool]:
        """Whether it is this reader's turn to swap, so that workers do not pause together."""
        with _locked(self.folder / "swap.lock") as mine:
            yield mine


def live_model(root: Path) -> ModelVersion | None:
    """The model that the alias names; None before the first."""
    try:
        return ModelVersion((root / "live").read_text())
    except FileNotFoundError:
        return None


def make_live(root: Path, model: ModelVersion) -> None:
    """Point the alias at a model."""
    root.mkdir(parents=True, exist_ok=True)
    replace_text(root / "live", model)


def stored_models(root: Path) -> list[ModelVersion]:
    """Models that have a folder here."""
    if not root.is_dir():
        return []
    return [ModelVersion(unquote(path.name)) for path in sorted(root.iterdir()) if path.is_dir()]


def replace_text(path: Path, text: str) -> None:
    """Write a small file so that readers see the old text or the new one."""
    temporary = path.with_name(f"tmp-{path.name}-{os.getpid()}")
    with temporary.open("w") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    temporary.replace(path)
    sync(path.parent)


def sync(path: Path) -> None:
    """Make a file or a folder durable."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _folder_name(model: ModelVersion) -> str:
    name = quote(model, safe="")
    return f"%2E{name[1:]}" if name.startswith(".") else name


def _checksum(path: Path) -> int:
    total = 0
    try:
        with path.open("rb") as file:
            while piece := file.read(_PIECE_BYTES):
                total = zlib.crc32(piece, total)
    except OSError:
        return -1
    return total


def _age_seconds(path: Path) -> float:
    try:
        return time.time() - path.stat().st_mtime
    except FileNotFoundError:
        return 0.0


@contextmanager
def _locked(path: Path) -> Iterator[bool]:
    handle = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield False
        else:
            yield True
    finally:
        os.close(handle)  # releases the lock
