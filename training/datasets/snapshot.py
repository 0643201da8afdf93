"""The pickle of the LRURec repository, read without trusting it.

A pickle can name any function to call. This one needs none: it is made of dictionaries, lists,
numbers and text, so the reader refuses whatever names a global (Python's documentation:
https://docs.python.org/3/library/pickle.html#restricting-globals).
"""

import io
import pickle  # read by a subclass that refuses every global
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from clickwise.errors import ConfigurationError

_PARTS = ("train", "val", "test")


@dataclass(frozen=True, slots=True)
class Snapshot:
    """Each user's items, oldest first: all of train, then validation, then test.

    Items are places in `item_ids`, which are the original ones; so are `user_ids`.
    """

    histories: tuple[tuple[int, ...], ...]
    item_ids: tuple[str, ...]
    user_ids: tuple[str, ...]


def read_snapshot(path: Path) -> Snapshot:
    """The snapshot in a file.

    Raises:
        ConfigurationError: it cannot be read, names a global, or is made otherwise.
    """
    try:
        content = path.read_bytes()
    except OSError as error:
        raise ConfigurationError(f"{path} cannot be read: {error.strerror}") from error
    try:
        data = _Plain(io.BytesIO(content)).load()
        return _checked(data)
    # Damaged pickles end in almost any of these.
    except (
        pickle.UnpicklingError, EOFError, KeyError, IndexError, TypeError, ValueError,
        AttributeError, MemoryError, OverflowError,
    ) as error:  # fmt: skip
        raise ConfigurationError(f"{path} is no snapshot of LRURec: {error}") from error


class _Plain(pickle.Unpickler):
    """Builds numbers, text, lists and dictionaries, and nothing else."""

    def find_class(self, module: str, name: str) -> object:
        raise pickle.UnpicklingError(f"it names {module}.{name}; only plain values are read")


def _checked(data: object) -> Snapshot:
    if not isinstance(data, dict):
        raise TypeError("expected a dictionary")
    parts = [_mapping(data, name) for name in _PARTS]
    item_ids = _ids(_mapping(data, "smap"))
    user_ids = _ids(_mapping(data, "umap"))
    histories = []
    for user in range(1, len(user_ids) + 1):
        items = [_number(item) - 1 for part in parts for item in _list(part.get(user, []))]
        if items and not 0 <= min(items) <= max(items) < len(item_ids):
            raise ValueError(f"user {user} has items that smap does not know")
        histories.append(tuple(items))
    return Snapshot(tuple(histories), item_ids, user_ids)


def _mapping(data: Mapping[object, object], name: str) -> Mapping[object, object]:
    value = data[name]
    if not isinstance(value, dict):
        raise TypeError(f"{name} should be a dictionary")
    return value


def _ids(numbers: Mapping[object, object]) -> tuple[str, ...]:
    """Original ids in the order of their numbers, which are 1, 2, 3 ..."""
    ids = {_number(number): str(original) for original, number in numbers.items()}
    if sorted(ids) != list(range(1, len(numbers) + 1)):
        raise ValueError("numbers should run from 1 without a gap")
    return tuple(ids[number] for number in sorted(ids))


def _list(value: object) -> list[object]:
    if not isinstance(value, list):
        raise TypeError("a user should have a list of items")
    return value


def _number(value: object) -> int:
    if not isinstance(value, int):
        raise TypeError(f"expected a whole number, got {type(value).__name__}")
    return value
