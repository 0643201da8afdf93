"""What the indexes of the models in use hear of items that were written."""

from collections.abc import Collection, Sequence

from clickwise import logs, metrics
from clickwise.catalog import PULL_ROWS
from clickwise.errors import BundleError, ConflictError
from clickwise.releases import Release, Releases
from clickwise.state.port import ItemRow, State
from clickwise.types import ItemId, ModelVersion, item_key
from clickwise.vectors.port import IndexedItem, Removed
from clickwise.vectors.rows import indexed

# Each one says that somebody else wrote an item between a read and a push.
_MAX_PUSHES = 8

_log = logs.get(__name__)


def push(releases: Releases, release: Release, entries: Sequence[IndexedItem | Removed]) -> None:
    """Have a model's searches see them. One beside the live one whose own files are at fault
    is left behind: nobody's items wait for it.

    Raises:
        UnavailableError: the vector store does not answer.
        BundleError: the live model's files are at fault.
    """
    try:
        release.catalog.push(entries)
    except BundleError as error:
        if release is releases.live:
            raise
        metrics.errors.labels(error.kind, "items").inc()
        _log.warning("model_left_behind", model=release.version, reason=str(error))


def as_stored(state: State, name: ItemId, text: ModelVersion) -> IndexedItem | Removed:
    """What an index over the text vectors `text` holds of an item as it is stored now.

    Raises:
        UnavailableError: the database does not answer.
    """
    return _entry(name, state.item(name, text), text)


def overtaken(state: State, names: Collection[ItemId], *, since: int) -> set[ItemId]:
    """Those of `names` that were written after the change `since`, by whomever.

    Raises:
        UnavailableError: the database does not answer.
    """
    found: set[ItemId] = set()
    while rows := state.items_changed(after=since, limit=PULL_ROWS):
        found.update(row.id for row in rows if row.id in names)
        since = rows[-1].change
    return found


def push_as_stored(
    state: State, releases: Releases, release: Release, names: Collection[ItemId]
) -> None:
    """Have a model's searches see items as they are stored, whoever else writes them meanwhile.

    What was pushed is read again: who stores an item later than that, pushes it later too.

    Raises:
        UnavailableError: the database or the vector store does not answer.
        ConflictError: they go on changing.
        BundleError: the live model's files are at fault.
    """
    text = release.catalog.text
    rows = {name: state.item(name, text) for name in names}
    for _ in range(_MAX_PUSHES):
        if not rows:
            return
        push(releases, release, [_entry(name, row, text) for name, row in rows.items()])
        stored = {name: state.item(name, text) for name in rows}
        rows = {name: row for name, row in stored.items() if row != rows[name]}
    if rows:
        raise ConflictError(f"{len(rows)} items go on changing while they are indexed")


def _entry(name: ItemId, row: ItemRow | None, text: ModelVersion) -> IndexedItem | Removed:
    return Removed(item_key(name)) if row is None else indexed(row, text)
