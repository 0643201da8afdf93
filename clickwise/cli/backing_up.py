"""`clickwise backup`: a copy of an embedded site, taken while it runs.

The archive comes first and the database last: the archive's marks are then never ahead of the log
that it goes on from. SQLite's own backup copies one state of the database, in one transaction
that no writer waits for.
"""

import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

from rich.text import Text

from clickwise.archive import Archive, open_archive
from clickwise.archive.layout import manifest_name
from clickwise.cli import backups, homes
from clickwise.cli.audited import audited
from clickwise.cli.backups import Backup, Copied
from clickwise.cli.exits import Exit
from clickwise.cli.output import console, print_json
from clickwise.cli.versions import versions
from clickwise.clock import SystemClock
from clickwise.errors import (
    ConfigurationError,
    ConflictError,
    InvalidInputError,
    NotFoundError,
    UnavailableError,
)
from clickwise.settings import Settings
from clickwise.state.tables import SCHEMA_VERSION

TRIES = 5


def backup(settings: Settings, folder: Path, *, json: bool) -> int:
    """Make a backup in `folder`; a fault leaves nothing that could be taken for one.

    Raises:
        ConfigurationError: the site is not embedded.
        ConflictError: the folder is not empty.
        NotFoundError: there is no site in the home.
        UnavailableError: the disk does not take it.
    """
    database = database_file(settings)
    homes.need_home(settings)
    if not database.exists():
        raise NotFoundError(f"there is no database at {database}")
    if not backups.is_empty(folder):
        raise ConflictError(f"{folder} is not empty: name a folder of its own for each backup")
    if folder.resolve().is_relative_to(settings.folder.resolve()):
        raise InvalidInputError(f"{folder} is inside the home that it would be a backup of")
    with backups.faults_of_disk(folder):
        homes.make_folder(folder)
    try:
        with audited(settings, "backup"):
            made = _copied(settings, database, folder)
            backups.write_list(folder, made)
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise
    if json:
        print_json(made)
    else:
        size = sum(one.bytes for one in made.files.values())
        console().print(
            Text(
                f"{folder}: {len(made.files)} files, {size / 1e6:.1f} MB, events up to number"
                f" {made.events}"
            )
        )
    return Exit.DONE


def database_file(settings: Settings) -> Path:
    """The SQLite file of an embedded site.

    Raises:
        ConfigurationError: it is not embedded, or its database is a server's.
    """
    url = homes.database_url(settings)
    if not settings.embedded or not url.startswith("sqlite"):
        raise ConfigurationError(
            "this site stands on Kafka or PostgreSQL: back up with their own means (docs/care.md)"
        )
    return Path(url.removeprefix("sqlite:///"))


def _copied(settings: Settings, database: Path, folder: Path) -> Backup:
    clock = SystemClock()
    files: dict[str, Copied] = {}
    _copy_archive(open_archive(settings.archive_url, home=settings.folder), folder, files)
    _copy_tree(settings.folder / backups.MODELS, backups.MODELS, folder, files)
    _copy_tree(settings.folder / backups.MLFLOW, backups.MLFLOW, folder, files)
    runs = settings.folder / backups.RUNS
    if runs.exists():
        files[backups.RUNS] = _copy_sqlite(runs, folder / backups.RUNS)
    began = clock.now()
    files[backups.DATABASE] = _copy_sqlite(database, folder / backups.DATABASE)
    schema, events = _inside(folder / backups.DATABASE)
    return Backup(
        program=str(versions().get("clickwise", "")),
        schema=schema,
        began=began,
        finished=clock.now(),
        events=events,
        files=files,
    )


def _copy_archive(archive: Archive, folder: Path, files: dict[str, Copied]) -> None:
    """The newest manifest and what it names; again when an erasure has replaced a file of it."""
    for _ in range(TRIES):
        manifest = archive.newest()
        names = [manifest_name(manifest.number)] if manifest.number else []
        copied: dict[str, Copied] = {}
        try:
            for name in (*(file.name for file in manifest.files), *names):
                place = f"{backups.ARCHIVE}/{name}"
                copied[place] = backups.write_file(archive.store.read(name), folder / place)
        except NotFoundError:
            shutil.rmtree(folder / backups.ARCHIVE, ignore_errors=True)
            continue
        files.update(copied)
        return
    raise UnavailableError("files of the archive are replaced all the time: try again later")


def _copy_tree(source: Path, place: str, folder: Path, files: dict[str, Copied]) -> None:
    """Every finished file; what is being made (its name begins with a dot) is left out."""
    for path in sorted(source.rglob("*")):
        name = path.relative_to(source)
        hidden = any(part.startswith(".") for part in name.parts)
        if hidden or not path.is_file() or ".sqlite" in path.name:
            continue
        where = f"{place}/{name.as_posix()}"
        try:
            files[where] = backups.copy_file(path, folder / where)
        except FileNotFoundError:  # it was pruned just now
            continue


def _copy_sqlite(source: Path, target: Path) -> Copied:
    try:
        with backups.faults_of_disk(target), backups.fresh(target):
            pass
        with (
            closing(sqlite3.connect(f"{source.absolute().as_uri()}?mode=ro", uri=True)) as read,
            closing(sqlite3.connect(target)) as written,
        ):
            read.backup(written)
            # The copy says "WAL" of itself too, and would be opened with files beside it.
            written.execute("PRAGMA journal_mode=DELETE")
            faults = written.execute("PRAGMA quick_check(1)").fetchone()
    except sqlite3.Error as error:
        raise UnavailableError(f"{source} cannot be copied: {error}") from error
    if faults != ("ok",):
        raise UnavailableError(f"{source} is damaged: {faults[0]}; restore an earlier backup")
    return backups.looked_at(target)


def _inside(database: Path) -> tuple[str, int]:
    """The copy's schema, and the greatest number of its log of events."""
    with closing(sqlite3.connect(f"{database.absolute().as_uri()}?mode=ro", uri=True)) as read:
        (schema,) = read.execute("SELECT version_num FROM alembic_version").fetchone() or ("",)
        (events,) = read.execute("SELECT coalesce(max(seq), 0) FROM events").fetchone()
    if schema > SCHEMA_VERSION:
        raise ConfigurationError(f"the database has schema {schema}: run the newer program")
    return str(schema), int(events)
