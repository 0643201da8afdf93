"""The archive in an object store, through fsspec: the one module that imports it.

Whole-or-nothing is the object store's own single PUT. Two archivers at once exclude each other
where the store can refuse to replace an object (S3, Google, Azure, memory); elsewhere a site
runs one at a time.
"""

import os
import uuid
from datetime import UTC, datetime
from pathlib import Path

from clickwise import installing
from clickwise.archive.store import StoredFile, faults_translated, taken
from clickwise.errors import ConfigurationError

# What the stores call the time of the last change.
_MODIFIED = ("mtime", "LastModified", "last_modified", "updated", "created")


class RemoteStore:
    """See `clickwise.archive.store.Store`. Logs in as the store's own client does."""

    def __init__(self, url: str) -> None:
        try:
            from fsspec.core import url_to_fs
        except ModuleNotFoundError as error:
            raise ConfigurationError(
                f"CLICKWISE_ARCHIVE_URL is no folder, and fsspec is missing;"
                f" {installing.with_extra('train')}"
            ) from error
        try:
            self._files, self._root = url_to_fs(url.rstrip("/"), use_listings_cache=False)
        except (ImportError, ValueError) as error:  # names the package to install
            raise ConfigurationError(f"CLICKWISE_ARCHIVE_URL: {error}") from error

    def files(self, folder: str) -> list[StoredFile]:
        """See Store."""
        with faults_translated(folder):
            found = self._files.find(f"{self._root}/{folder}", detail=True)
        return [
            StoredFile(name[len(self._root) :].lstrip("/"), int(facts["size"] or 0), _time(facts))
            for name, facts in sorted(found.items())
        ]

    def read(self, name: str) -> bytes:
        """See Store."""
        with faults_translated(name):
            data: bytes = self._files.cat_file(f"{self._root}/{name}")
            return data

    def write(self, name: str, data: bytes) -> None:
        """See Store."""
        with faults_translated(name):
            self._put(name, data, mode="overwrite")

    def create(self, name: str, data: bytes) -> None:
        """See Store."""
        with faults_translated(name):
            try:
                self._put(name, data, mode="create")
            except FileExistsError as error:
                raise taken(name) from error

    def delete(self, name: str) -> None:
        """See Store."""
        with faults_translated(name):
            try:
                self._files.rm_file(f"{self._root}/{name}")
            except FileNotFoundError:
                return

    def fetch(self, name: str, cache: Path) -> Path:
        """See Store. Files never change, so a copy that is there is the file."""
        path = cache / name
        if not path.is_file():
            data = self.read(name)
            with faults_translated(str(path)):
                path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
                beside = path.with_name(f".{path.name}.{os.getpid()}.{uuid.uuid4().hex[:8]}")
                beside.write_bytes(data)
                beside.replace(path)
        return path

    def _put(self, name: str, data: bytes, *, mode: str) -> None:
        path = f"{self._root}/{name}"
        try:
            self._files.pipe_file(path, data, mode=mode)
        except FileNotFoundError:  # a store that has folders; object stores have none
            self._files.makedirs(path.rpartition("/")[0], exist_ok=True)
            self._files.pipe_file(path, data, mode=mode)


def _time(facts: dict[str, object]) -> datetime | None:
    for name in _MODIFIED:
        value = facts.get(name)
        if isinstance(value, datetime):
            return value if value.tzinfo else value.replace(tzinfo=UTC)
        if isinstance(value, int | float):
            return datetime.fromtimestamp(value, UTC)
        if isinstance(value, str):
            return datetime.fromisoformat(value)
    return None
