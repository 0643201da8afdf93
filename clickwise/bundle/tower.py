"""From an item's text vector to its vector in a model's space.

Day 0 ranks by text alone, so its items are their text vectors. A learned model projects the text
and adds what it has learnt of each item that it knows; an item that it has never met works on its
text. The database keeps text vectors only: every index derives its own, so that a new model needs
no item encoded again, and items that arrive while it is released are in both.

Shape suffixes: N = items, C = dimension of the text vectors, D = embedding dimension.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

import numpy as np

from clickwise.errors import BundleError
from clickwise.onnx_runtime import Array, open_session
from clickwise.vectors.port import Float32Array, Int64Array


class Tower(Protocol):
    """Item vectors of one model; thread-safe."""

    @property
    def dimension(self) -> int:
        """D."""
        ...

    def vectors(self, keys: Sequence[int], text_NC: Float32Array) -> Float32Array:
        """Unit vectors (N, D) of the items with these keys and unit text vectors."""
        ...

    def directions(self, vectors_ND: Float32Array) -> Float32Array:
        """The same items for comparing them with each other: cosines of rows are meaningful."""
        ...


class TextTower:
    """Day 0: the text vector itself."""

    def __init__(self, dimension: int) -> None:
        self._dimension = dimension

    @property
    def dimension(self) -> int:
        """See Tower."""
        return self._dimension

    def vectors(self, keys: Sequence[int], text_NC: Float32Array) -> Float32Array:
        """See Tower."""
        del keys
        return text_NC

    def directions(self, vectors_ND: Float32Array) -> Float32Array:
        """See Tower."""
        return vectors_ND


class LearnedTower:
    """`items.onnx` (text, place -> vector) and the sorted keys of the items that it knows.

    Its last coordinate makes every length 1 without changing a score (see training.model), so it
    says nothing of what an item is like.
    """

    def __init__(self, model: Path | bytes, keys_I: Int64Array, *, dimension: int) -> None:
        self._session = open_session(model, device="cpu", threads=1)
        self._keys_I = keys_I
        self._dimension = dimension
        if len(keys_I) > 1 and not bool((np.diff(keys_I) > 0).all()):
            raise BundleError("the item keys of the tower are not in ascending order")

    @property
    def dimension(self) -> int:
        """See Tower."""
        return self._dimension

    def vectors(self, keys: Sequence[int], text_NC: Float32Array) -> Float32Array:
        """See Tower.

        Raises:
            BundleError: the graph cannot be run on these.
        """
        if not len(keys):
            return np.zeros((0, self._dimension), np.float32)
        keys_N = np.asarray(keys, np.int64)
        places_N = np.searchsorted(self._keys_I, keys_N)
        if len(self._keys_I):
            found_N = self._keys_I[np.minimum(places_N, len(self._keys_I) - 1)] == keys_N
        else:
            found_N = np.zeros(len(keys_N), np.bool_)
        feeds: dict[str, Array] = {
            "text": np.ascontiguousarray(text_NC, np.float32),
            "places": np.where(found_N, places_N + 1, 0).astype(np.int64),
        }
        try:
            (vectors_ND,) = self._session.run(["vectors"], feeds)
        except Exception as error:  # its exceptions have no root of their own
            raise BundleError(f"the item tower failed: {type(error).__name__}") from error
        return np.asarray(vectors_ND, np.float32)

    def directions(self, vectors_ND: Float32Array) -> Float32Array:
        """See Tower."""
        rows_ND = vectors_ND[:, :-1]
        lengths_N = np.sqrt(np.einsum("nd,nd->n", rows_ND, rows_ND))[:, None]
        directions: Float32Array = rows_ND / np.maximum(lengths_N, np.float32(1e-6))
        return directions
