"""The folder of a site: who runs on it, and where things lie in it.

<home>/clickwise.sqlite   state, unless `database_url` says otherwise
<home>/vectors/           item vectors (Qdrant Edge)
<home>/models/            encoder and bundles
<home>/training/archive-cache/  a training's copies of an archive that is elsewhere
<home>/metrics/           figures shared by the processes of one server
<home>/opening.lock       held by the process that opens a model
<home>/naming.lock        held by the command that gives a bundle a role, or removes bundles
<home>/server.lock        held by the server that runs, with its address inside
"""

import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from sqlalchemy import make_url

from clickwise.cli.options import with_home
from clickwise.errors import ConfigurationError, ConflictError, NotFoundError
from clickwise.settings import Settings


def database_url(settings: Settings) -> str:
    """The database of the settings: SQLite in the home when none is named."""
    given = settings.database_url.reveal()
    return given or f"sqlite:///{(settings.folder / 'clickwise.sqlite').absolute()}"


def vectors_folder(settings: Settings) -> Path:
    """Generations of Qdrant Edge."""
    return settings.folder / "vectors"


def bundles_folder(settings: Settings) -> Path:
    """Model bundles."""
    return settings.folder / "models" / "bundles"


def encoder_folder(settings: Settings) -> Path:
    """Where `open_encoder` makes a folder `encoders` of those made from their weights."""
    return settings.folder / "models"


@contextmanager
def opening_turn(settings: Settings) -> Iterator[None]:
    """Held by the process that opens a model: opening makes a process stand still for a moment,
    and those of one machine do so one after the other.
    """
    handle = os.open(settings.folder / "opening.lock", os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)  # releases the lock


@contextmanager
def naming_turn(settings: Settings) -> Iterator[None]:
    """Held from the look at a bundle of this home until a role names it, and while bundles that
    nobody names are removed.
    """
    handle = os.open(settings.folder / "naming.lock", os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)  # releases the lock


def archive_copies(settings: Settings) -> Path:
    """A training's copies of an archive that is elsewhere."""
    return settings.folder / "training" / "archive-cache"


def metrics_folder(settings: Settings) -> Path:
    """Memory-mapped figures."""
    return settings.folder / "metrics"


def make_home(settings: Settings) -> None:
    """Make the folder, readable by its owner alone: it holds what people did.

    Raises:
        ConfigurationError: it cannot be made.
    """
    try:
        make_folder(settings.folder)
    except OSError as error:
        raise ConfigurationError(
            f"CLICKWISE_HOME={settings.home} cannot be made: {error.strerror}"
        ) from error


def need_home(settings: Settings) -> None:
    """For what only looks: a home that is not there is said, and not made.

    Raises:
        NotFoundError: there is none, and no database elsewhere; one in a file is looked for.
    """
    given = settings.database_url.reveal()
    if given:
        _need_file(given)
        return
    if (settings.folder / "clickwise.sqlite").exists():
        return
    raise NotFoundError(
        f"there is no site in {settings.folder.absolute()}: name its folder with --home, or begin"
        f" one with `{with_home('clickwise up', settings)}`"
    )


def _need_file(database_url: str) -> None:
    url = make_url(database_url)
    if url.drivername != "sqlite" or url.database is None or Path(url.database).exists():
        return
    raise NotFoundError(
        f"there is no database {Path(url.database).absolute()}, which CLICKWISE_DATABASE_URL names:"
        " correct it, or begin a site there with `clickwise up`"
    )


def make_folder(folder: Path) -> None:
    """Make a folder for its owner alone, and so every parent that is missing."""
    missing = [parent for parent in folder.parents if not parent.exists()]
    for path in (*reversed(missing), folder):
        path.mkdir(exist_ok=True, mode=0o700)


# A look at who holds the lock holds it too, for a moment.
LOOK_PATIENCE_SECONDS = 5.0
LOOK_AGAIN_SECONDS = 0.01
_UNSAID = "an address that it has not said yet"


class ServerLock:
    """At most one server per home; released by the operating system when its holder dies."""

    def __init__(self, settings: Settings) -> None:
        self._path = settings.folder / "server.lock"
        self._file: IO[str] | None = None

    def take(self, address: str) -> None:
        """Hold the lock until this process ends, with `address` inside.

        Raises:
            ConflictError: a server runs on this home.
        """
        file = self._path.open("a+")
        deadline = time.monotonic() + LOOK_PATIENCE_SECONDS
        while not _is_taken(file):
            holder = self.address()  # empty where the holder only looks
            if holder or time.monotonic() >= deadline:
                file.close()
                raise ConflictError(
                    f"a server runs on {self._path.parent} already, at {holder or _UNSAID}"
                )
            time.sleep(LOOK_AGAIN_SECONDS)
        file.truncate(0)
        file.write(f"{address}\n{os.getpid()}\n")
        file.flush()
        self._file = file

    def release(self) -> None:
        """Let go."""
        if self._file is not None:
            self._file.truncate(0)
            self._file.close()
            self._file = None

    def process(self) -> int | None:
        """Process id of the server that runs on this home."""
        if not self.address():
            return None
        lines = self._path.read_text().splitlines()
        return int(lines[1]) if len(lines) > 1 else None

    def address(self) -> str:
        """Address of the server that runs on this home; empty when none does."""
        try:
            with self._path.open() as file:
                try:
                    fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
                except OSError:
                    return file.readline().strip() or _UNSAID
                return ""
        except (FileNotFoundError, NotADirectoryError):
            return ""


def _is_taken(file: IO[str]) -> bool:
    """Take the lock, unless somebody holds it."""
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True
