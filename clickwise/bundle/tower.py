"""From an item's text vector, and its picture's, to its vector in a model's space.

Day 0 ranks by text alone, so its items are their text vectors. A learned model projects the text,
the picture where it was trained on some, and adds what it has learnt of each item that it knows; an
item that it has never met works on its text and picture. The database keeps text and picture
vectors only: every index derives its own, so that a new model needs no item encoded again, and
items that arrive while it is released are in both.

Shape suffixes: N = items, C = dimension of the text vectors, P = of the picture vectors,
D = embedding dimension.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

import numpy as np

from clickwise.errors import BundleError
from clickwise.onnx_runtime import Array, open_session
from clickwise.types import ModelVersion
from clickwise.vectors.port import Float32Array, Int64Array, Picture


class Tower(Protocol):
    """Item vectors of one model; thread-safe."""

    @property
    def dimension(self) -> int:
        """D."""
        ...

    def vectors(
        self,
        keys: Sequence[int],
        text_NC: Float32Array,
        pictures: Sequence[Picture | None] = (),
    ) -> Float32Array:
        """Unit vectors (N, D) of the items with these keys, unit text vectors and pictures (empty:
        none has one).
        """
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

    def vectors(
        self,
        keys: Sequence[int],
        text_NC: Float32Array,
        pictures: Sequence[Picture | None] = (),
    ) -> Float32Array:
        """See Tower."""
        del keys, pictures
        return text_NC

    def directions(self, vectors_ND: Float32Array) -> Float32Array:
        """See Tower."""
        return vectors_ND


class LearnedTower:
    """`items.onnx` (text, place, perhaps picture -> vector) and the sorted keys of the items that
    it knows.

    Its last coordinate makes every length 1 without changing a score (see training.model), so it
    says nothing of what an item is like.
    """

    def __init__(
        self,
        model: Path | bytes,
        keys_I: Int64Array,
        *,
        dimension: int,
        pictures: ModelVersion | None = None,
        picture_dimension: int = 0,
    ) -> None:
        """`pictures` names the picture vectors that it reads, None where it reads none."""
        self._pictures = pictures
        self._picture_dimension = picture_dimension
        self._session = open_session(model, device="cpu", threads=1)
        self._keys_I = keys_I
        self._dimension = dimension
        if len(keys_I) > 1 and not bool((np.diff(keys_I) > 0).all()):
            raise BundleError("the item keys of the tower are not in ascending order")

    @property
    def dimension(self) -> int:
        """See Tower."""
        return self._dimension

    def vectors(
        self,
        keys: Sequence[int],
        text_NC: Float32Array,
        pictures: Sequence[Picture | None] = (),
    ) -> Float32Array:
        """See Tower. A picture of another model than it was trained on is as none.

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
        if self._pictures is not None:
            feeds["pictures"] = self._rows(pictures, len(keys))
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

    def _rows(self, pictures: Sequence[Picture | None], number: int) -> Float32Array:
        """Picture vectors (N, P), a zero row for an item without one."""
        rows_NP = np.zeros((number, self._picture_dimension), np.float32)
        for row, picture in enumerate(pictures):
            if picture is None or picture.model != self._pictures:
                continue
            if picture.vector_P.shape != rows_NP.shape[1:]:
                raise BundleError(
                    f"a picture of {picture.model} has {picture.vector_P.size} numbers, expected"
                    f" {self._picture_dimension}"
                )
            rows_NP[row] = picture.vector_P
        return rows_NP
