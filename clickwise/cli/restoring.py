"""`clickwise restore`: a home made of a backup.

Every file is compared with its checksum before any is copied, and once more as it is copied; the
database gets its name last, so that a restore which was interrupted leaves no site. It is copied
first and notes whom the receipts say was forgotten after the backup: one that is none of this site
is refused before the archive is copied, perhaps to another machine. In the end everybody whom it
notes is erased again, from it and from the archive.
"""

import shutil
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager, suppress
from pathlib import Path

import msgspec
from rich.text import Text

from clickwise.archive import open_store
from clickwise.cli import backups, homes
from clickwise.cli.audited import audited
from clickwise.cli.backing_up import database_file
from clickwise.cli.backups import Backup
from clickwise.cli.exits import Exit, complain
from clickwise.cli.options import with_home
from clickwise.cli.output import console, print_json
from clickwise.cli.people import LARGEST_RECEIPT_BYTES, newest_of, people_of, receipts_in
from clickwise.cli.wiring import state_of
from clickwise.clock import SystemClock
from clickwise.errors import ClickwiseError, ConfigurationError, ConflictError, InvalidInputError
from clickwise.privacy import People
from clickwise.settings import Settings
from clickwise.state.sql import open_state
from clickwise.state.tables import SCHEMA_VERSION


class Restored(msgspec.Struct, frozen=True, kw_only=True):
    """What a restore did. `events`: the greatest number of the log; `erased`: records of people
    who were forgotten, that the backup still had; `keys`: API keys that are open, as they were when
    it was made.
    """

    home: str
    files: int
    events: int
    erased: int
    keys: int


def restore(settings: Settings, folder: Path, *, receipts: Path | None, json: bool) -> int:
    """Make the home of these settings from the backup in `folder`.

    Raises:
        InvalidInputError: the backup is not whole, or a file of it is not what it was; nothing
            is left. Or a receipt is none of this site.
        UnavailableError: a file cannot be written. What was copied is deleted again, from an
            archive elsewhere too; where that cannot be, a line says so.
        ConflictError: there is something already where it would go.
        ConfigurationError: a newer program made the backup.
    """
    database = database_file(settings)
    backup = backups.read_list(folder)
    if backup.schema > SCHEMA_VERSION:
        raise ConfigurationError(
            f"{folder} has schema {backup.schema}, newer than {SCHEMA_VERSION}: run the newer"
            " program"
        )
    given = [path.read_bytes() for path in _receipts(receipts)]
    _check_targets(settings, database)
    _check_files(folder, backup)
    homes.make_home(settings)
    with audited(settings, "restore") as ending:
        ending.begun = True
        try:
            _copy(settings, folder, backup, database, given)
        except BaseException:
            _take_back(settings, backup, database)
            raise
        erased = _forget_again(settings)
    done = Restored(
        home=str(settings.folder), files=len(backup.files), events=backup.events, erased=erased,
        keys=_open_keys(settings),
    )  # fmt: skip
    if json:
        print_json(done)
    else:
        console().print(
            Text(
                f"{done.home}: as of {backup.began.isoformat(timespec='seconds')}, events up to"
                f" number {done.events}; {erased} records of forgotten people erased again"
            )
        )
        if done.keys:
            console().print(
                Text(
                    f"{done.keys} keys are open as of the backup: revoke again what was revoked"
                    f" since ({with_home('clickwise keys list', settings)})"
                ),
                soft_wrap=True,
            )
    return Exit.DONE


def _receipts(place: Path | None) -> list[Path]:
    found = receipts_in(place) if place is not None else []
    for path in found:
        if not path.is_file() or path.stat().st_size > LARGEST_RECEIPT_BYTES:
            raise InvalidInputError(f"{path} is no receipt")
    return found


def _check_targets(settings: Settings, database: Path) -> None:
    """Nothing may be in the way: a restore never mixes two sites."""
    home = settings.folder
    if not backups.is_empty(home):
        raise ConflictError(f"{home.absolute()} is not empty: restore into a home of its own")
    if database.exists():
        raise ConflictError(f"there is a database at {database} already")
    if settings.archive_url and open_store(settings.archive_url).files(""):
        raise ConflictError("CLICKWISE_ARCHIVE_URL is not empty: name another place")


def _check_files(folder: Path, backup: Backup) -> None:
    for name, noted in backup.files.items():
        try:
            found = backups.looked_at(folder / name)
        except OSError as error:
            raise InvalidInputError(f"{folder / name} cannot be read: {error.strerror}") from error
        _compare(folder / name, found, noted)
    if backups.DATABASE not in backup.files:
        raise InvalidInputError(f"{folder} holds no database")


def _copy(
    settings: Settings, folder: Path, backup: Backup, database: Path, given: Sequence[bytes]
) -> None:
    beside = _beside(database)
    copied = backups.copy_file(folder / backups.DATABASE, beside)
    _compare(database, copied, backup.files[backups.DATABASE])
    _note(beside, given)
    store = open_store(settings.archive_url or str(settings.folder / backups.ARCHIVE))
    for name, noted in backup.files.items():
        if name == backups.DATABASE:
            continue
        place, _, rest = name.partition("/")
        if place == backups.ARCHIVE:
            store.write(rest, (folder / name).read_bytes())
        else:
            copied = backups.copy_file(folder / name, settings.folder / name)
            _compare(folder / name, copied, noted)
    with backups.faults_of_disk(database):
        beside.replace(database)


def _beside(database: Path) -> Path:
    return database.with_name(f".{database.name}.restoring")


def _take_back(settings: Settings, backup: Backup, database: Path) -> None:
    """Delete what was copied: the next try wants every place empty, as this one found it.

    What cannot be deleted is said; the fault that made the restore fail is the one that is raised.
    """
    if settings.archive_url:  # first: what is left elsewhere is the least likely to be seen
        with _said("CLICKWISE_ARCHIVE_URL"):
            store = open_store(settings.archive_url)
            for file in store.files(""):
                if f"{backups.ARCHIVE}/{file.name}" in backup.files:
                    store.delete(file.name)
    beside = _beside(database)
    for ending in ("", "-wal", "-shm"):
        path = beside.with_name(f"{beside.name}{ending}")
        with _said(str(path)):
            path.unlink(missing_ok=True)
    with _said(str(settings.folder)):
        for path in settings.folder.iterdir():
            with _said(str(path)):
                shutil.rmtree(path) if path.is_dir() else path.unlink()


@contextmanager
def _said(place: str) -> Iterator[None]:
    """One line where what was copied to this place cannot be deleted."""
    try:
        yield
    except (OSError, ClickwiseError) as error:
        with suppress(OSError):  # of standard error, which may be a file on the same disk
            complain(
                f"what was copied to {place} is there still, since it cannot be deleted ({error}):"
                " it is as secret as the site, and the next restore wants that place empty"
            )


def _compare(path: Path, found: backups.Copied, noted: backups.Copied) -> None:
    if found != noted:
        raise InvalidInputError(
            f"{path} is damaged: {found.bytes} bytes with SHA-256 {found.sha256}, expected"
            f" {noted.bytes} with {noted.sha256}"
        )


def _note(database: Path, given: Sequence[bytes]) -> None:
    """Note in a database whom these receipts, which have to be its own, are about."""
    state = open_state(f"sqlite:///{database.absolute()}", timeout_seconds=30.0, pool_size=2)
    with closing(state):
        state.migrate()
        people = People(state, (), clock=SystemClock())
        for name, until in newest_of(people.read(data) for data in given).items():
            state.people.note(name, until)


def _open_keys(settings: Settings) -> int:
    now = SystemClock().now()
    with ExitStack() as stack:
        keys = state_of(settings, stack).keys.every()
    return sum(key.revoked is None and not key.expired(now) for key in keys)


def _forget_again(settings: Settings) -> int:
    """Erase whom the database notes; how many records went."""
    with ExitStack() as stack:
        state = state_of(settings, stack)
        people = people_of(settings, state, clock=SystemClock())
        done = people.again(state.people.notes())
    return sum(store.records for one in done for store in one.stores)
