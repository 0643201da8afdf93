"""`clickwise forget` and `clickwise export`, and the same for a serving process."""

import os
import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack
from datetime import datetime, timedelta
from pathlib import Path

from rich.text import Text

from clickwise.cli import homes
from clickwise.cli.audited import audited
from clickwise.cli.exits import Exit, complain
from clickwise.cli.extras import kafka_extra
from clickwise.cli.output import console, print_json
from clickwise.cli.wiring import state_of
from clickwise.clock import Clock, SystemClock
from clickwise.errors import ConfigurationError, InvalidInputError
from clickwise.limits import check_id
from clickwise.privacy import People, PersonalStore, Receipt, Verification
from clickwise.settings import Settings
from clickwise.state.alias_port import Alias
from clickwise.state.port import State
from clickwise.topics import RECOMMENDATIONS
from clickwise.types import UserId

LARGEST_RECEIPT_BYTES = 1_000_000


def people_of(settings: Settings, state: State, *, clock: Clock) -> People:
    """Every store of these settings, in the order of an erasure: what feeds others comes first."""
    from clickwise.archive import Names, is_remote, open_archive
    from clickwise.privacy.archive import ArchiveFiles
    from clickwise.privacy.copies import ArchiveCopies
    from clickwise.privacy.tables import AliasTable, embedded_tables, shared_tables

    stores: list[PersonalStore] = []
    if settings.embedded:
        stores += embedded_tables(state)
    else:
        with kafka_extra():
            from streams.personal_topics import topic_stores
        stores += shared_tables(state, ids_kept=timedelta(days=settings.dedupe_days))
        stores += topic_stores(settings)
    archive = open_archive(settings.archive_url, home=settings.folder)
    stores.append(ArchiveFiles(archive, clock, Names.by(state.people.name_of)))
    elsewhere = is_remote(settings.archive_url)
    stores.append(ArchiveCopies(homes.archive_copies(settings), elsewhere=elsewhere))
    # The last: as long as something of a person is left, it is known which ids are one's.
    stores.append(AliasTable(state))
    return People(state, stores, clock=clock)


class SitePeople:
    """What a serving process does for a person: the stores are opened when they are needed."""

    def __init__(self, settings: Settings, state: State, clock: Clock) -> None:
        self._settings = settings
        self._state = state
        self._clock = clock

    def pair(self, alias: Alias) -> Alias:
        """See `serving.parts.People`."""
        return self._state.aliases.pair(alias)

    def forget(self, user: UserId) -> Receipt:
        """See People."""
        return people_of(self._settings, self._state, clock=self._clock).forget(user)

    def export(self, user: UserId) -> Iterator[bytes]:
        """See People."""
        return people_of(self._settings, self._state, clock=self._clock).export(user)


def forget(settings: Settings, user: str, *, receipt: Path | None, json: bool) -> int:
    """Erase a user; the receipt goes to standard output, or to a file. Of whom nothing is known,
    that is told, since the id may be a wrong one.

    Raises:
        NotFoundError: there is no such home.
    """
    known = UserId(check_id(user, "user"))
    with ExitStack() as stack:
        people = _opened(settings, stack)
        with audited(settings, "forget"):
            given = people.forget(known)
    # On the topic of lists there is a tombstone for whoever is asked for.
    tombstones = RECOMMENDATIONS.full_name(settings.kafka_topic_prefix)
    if not any(one.records for one in given.stores if one.store != tombstones):
        complain(f"nothing was known of user {user!a}: no store had anything to erase")
    if receipt is not None:
        _write(receipt, given)
    if json or receipt is None:
        print_json(given)
        return Exit.DONE
    for one in given.stores:
        console().print(Text(f"{one.store}: {one.records} erased{_left(one.left, one.left_until)}"))
    return Exit.DONE


def verify(settings: Settings, receipt: Path, *, json: bool) -> int:
    """Search every store again for whom a receipt is about; 1 if something is found.

    Raises:
        InvalidInputError: it cannot be read, or is no receipt of this site.
    """
    data = _content(receipt)
    with ExitStack() as stack:
        found = _opened(settings, stack).verify(data)
    if json:
        print_json(found)
    else:
        _show(found)
    return Exit.FAILED if found.found else Exit.DONE


def again(settings: Settings, receipts: Sequence[Path], *, json: bool) -> int:
    """Erase once more whom these receipts are about: after a backup was put back.

    Raises:
        InvalidInputError: one cannot be read, or is no receipt of this site; nobody was erased.
    """
    contents = [_content(path) for path in receipts]
    with ExitStack() as stack:
        people = _opened(settings, stack)
        notes = newest_of(people.read(data) for data in contents)
        with audited(settings, "forget --again"):
            given = people.again(notes)
    if json:
        print_json(given)
    else:
        records = sum(store.records for one in given for store in one.stores)
        console().print(Text(f"{len(given)} looked for again, {records} records erased"))
    return Exit.DONE


def newest_of(receipts: Iterable[Receipt]) -> dict[str, datetime]:
    """Up to when each of those whom these receipts are about is forgotten, under every id."""
    notes: dict[str, datetime] = {}
    for one in receipts:
        for name in (one.user, *one.also):
            notes[name] = max(one.forgotten, notes.get(name, one.forgotten))
    return notes


def receipts_in(folder: Path) -> list[Path]:
    """The receipts that a folder holds, or the one that is a file.

    Raises:
        InvalidInputError: there is none.
    """
    found = sorted(folder.glob("*.json")) if folder.is_dir() else [folder]
    if not found:
        raise InvalidInputError(f"{folder} holds no receipt (*.json)")
    return found


def export(settings: Settings, user: str) -> int:
    """Everything that is known of a user, as JSON lines.

    Raises:
        NotFoundError: nothing is, or there is no such home.
    """
    known = UserId(check_id(user, "user"))
    with ExitStack() as stack:
        people = _opened(settings, stack)
        with audited(settings, "export"):
            for line in people.export(known):
                sys.stdout.write(line.decode())
    return Exit.DONE


def _content(receipt: Path) -> bytes:
    try:
        with receipt.open("rb") as file:
            return file.read(LARGEST_RECEIPT_BYTES)
    except OSError as error:
        raise InvalidInputError(f"{receipt} cannot be read: {error.strerror}") from error


def _opened(settings: Settings, stack: ExitStack) -> People:
    homes.need_home(settings)
    state = state_of(settings, stack)
    state.migrate()
    return people_of(settings, state, clock=SystemClock())


def _write(path: Path, receipt: Receipt) -> None:
    import msgspec

    content = msgspec.json.format(msgspec.json.encode(receipt), indent=2) + b"\n"
    try:
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(handle, "wb") as file:
            file.write(content)
    except OSError as error:
        # What was erased is; the same command gives another receipt.
        raise ConfigurationError(
            f"{path} cannot be written: {error.strerror}; forget again for a receipt"
        ) from error


def _show(found: Verification) -> None:
    receipt = found.receipt
    if not found.found:
        console().print(Text(f"nothing found from before {receipt.forgotten.isoformat()}"))
    for name, number in found.found.items():
        console().print(Text(f"{name}: {number} found"))
    for one in receipt.stores:
        if one.left:
            console().print(Text(f"{one.store}{_left(one.left, one.left_until)}"))


def _left(what: str, until: object) -> str:
    if not what:
        return ""
    return f"; left: {what}" + (f" ({until} at the latest)" if until else "")
