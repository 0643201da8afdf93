"""Bundles from elsewhere: a folder or an fsspec URL, copied whole into this home or not at all."""

import shutil
import tempfile
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path
from typing import Protocol

from clickwise import installing
from clickwise.bundle import Manifest
from clickwise.bundle.folder import read_manifest
from clickwise.errors import BundleError, ConfigurationError, ConflictError, UnavailableError

MANIFEST = "manifest.json"
# The url of bundles that each home makes for itself, so that there is nothing to copy.
BUILT_IN = "day0:"

Read = Callable[[str], bytes]


def checksum_of(folder: Path) -> str:
    """SHA-256 of the manifest, which holds those of all other files.

    Raises:
        BundleError: it is not there.
    """
    try:
        return sha256((folder / MANIFEST).read_bytes()).hexdigest()
    except OSError as error:
        raise BundleError(f"{folder}: {MANIFEST} cannot be read") from error


def fetch_bundle(url: str, folder: Path, checksum: str) -> Path:
    """The bundle in `folder`; copied from `url` where it is not there yet.

    Raises:
        BundleError: it cannot be read, or its manifest is not the one of `checksum`. What the
            manifest names is checked when the bundle is loaded.
        ConfigurationError: the URL needs fsspec, which is not installed.
        UnavailableError: the store does not answer.
    """
    if not (folder / MANIFEST).exists():
        if url == BUILT_IN:
            raise BundleError(f"{folder.name} is the day-0 model of other settings")
        _copy_in(url, folder)
    if checksum and checksum_of(folder) != checksum:
        raise BundleError(f"{folder}: the manifest is not the one that was released")
    return folder


def publish_bundle(folder: Path, url: str) -> None:
    """Copy the bundle in `folder` to `url`, the manifest last; the same bundle may be there.

    Raises:
        ConflictError: another bundle is there.
        ConfigurationError: the URL needs fsspec, which is not installed.
        UnavailableError: the store does not answer.
    """
    names = [*read_manifest(folder).files, MANIFEST]
    if "://" not in url:
        target = Path(url)
        if target.resolve() == folder.resolve():
            return
        if (target / MANIFEST).exists():
            _check_same(folder, url, checksum_of(target))
            return
        target.mkdir(parents=True, exist_ok=True)
        for name in names:
            shutil.copyfile(folder / name, target / name)
        return
    store, path = _store(url)
    try:
        if store.exists(f"{path}/{MANIFEST}"):
            _check_same(folder, url, sha256(store.cat_file(f"{path}/{MANIFEST}")).hexdigest())
            return
        store.makedirs(path, exist_ok=True)
        for name in names:
            store.pipe_file(f"{path}/{name}", (folder / name).read_bytes())
    except ConflictError:
        raise
    except Exception as error:  # every store raises its own
        raise UnavailableError(f"{url} cannot be written: {error}") from error


def _check_same(folder: Path, url: str, there: str) -> None:
    """Other machines would fetch what is at the URL, and refuse it."""
    if there != checksum_of(folder):
        raise ConflictError(f"{url} holds another bundle: give each its own place")


def _copy_in(url: str, folder: Path) -> None:
    """Beside its place and renamed, like everything in a home."""
    read = _reader(url)
    folder.parent.mkdir(parents=True, exist_ok=True)
    temporary = Path(tempfile.mkdtemp(prefix=f".{folder.name}-", dir=folder.parent))
    try:
        (temporary / MANIFEST).write_bytes(read(MANIFEST))
        manifest: Manifest = read_manifest(temporary)
        for name, checksum in manifest.files.items():
            if Path(name).name != name:
                raise BundleError(f"{url}: {name!a} is no name of a file")
            content = read(name)
            if sha256(content).hexdigest() != checksum:
                raise BundleError(f"{url}: {name} differs from its checksum")
            (temporary / name).write_bytes(content)
        try:
            temporary.replace(folder)
        except OSError:  # another process was first
            if not (folder / MANIFEST).exists():
                raise
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def _reader(url: str) -> Read:
    if "://" not in url:
        source = Path(url)

        def read(name: str) -> bytes:
            try:
                return (source / name).read_bytes()
            except OSError as error:
                raise BundleError(f"{url}: {name} cannot be read") from error

        return read
    store, path = _store(url)

    def read_remote(name: str) -> bytes:
        try:
            return store.cat_file(f"{path}/{name}")
        except Exception as error:  # every store raises its own
            raise UnavailableError(f"{url}: {name} cannot be read: {error}") from error

    return read_remote


class _Store(Protocol):
    """The part of fsspec's file systems that is used here."""

    def exists(self, path: str) -> bool: ...

    def makedirs(self, path: str, *, exist_ok: bool) -> None: ...

    def pipe_file(self, path: str, value: bytes) -> None: ...

    def cat_file(self, path: str) -> bytes: ...


def _store(url: str) -> tuple[_Store, str]:
    try:
        from fsspec.core import url_to_fs
    except ImportError as error:
        raise ConfigurationError(
            f"{url} needs fsspec, which is missing; copy the bundle into a folder, or"
            f" {installing.with_extra('train')}"
        ) from error
    try:
        store, path = url_to_fs(url)
    except (ImportError, ValueError) as error:  # names the package to install
        raise ConfigurationError(f"{url}: {error}") from error
    return store, path
