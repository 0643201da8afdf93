"""What the indexes of the models in use hear of items that were written."""

from collections.abc import Sequence

from clickwise import logs, metrics
from clickwise.errors import BundleError
from clickwise.releases import Release, Releases
from clickwise.state.port import State
from clickwise.types import ItemId, ModelVersion, item_key
from clickwise.vectors.port import IndexedItem, Removed
from clickwise.vectors.rows import indexed

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
    row = state.item(name, text)
    return Removed(item_key(name)) if row is None else indexed(row, text)
