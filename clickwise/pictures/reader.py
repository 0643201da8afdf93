"""From what an item brings to what is stored of its picture: a unit vector, and whose it is.

A site has one picture space, named by the setting `image_encoder`. Vectors of another never meet
it: a bundle names the space that it was trained on, and takes items of others as without picture.
The file is not kept; a site that changes its encoder is sent its pictures again.

Shape suffixes: P = dimension of the picture vectors.
"""

from collections.abc import Sequence
from typing import Protocol

import msgspec
import numpy as np

from clickwise.errors import InvalidInputError
from clickwise.items import Item
from clickwise.limits import shown
from clickwise.types import ModelVersion
from clickwise.vectors.port import Float32Array

_DECIMALS = 6  # of a unit vector's numbers: half of JSON's length, and a cosine's seventh digit


class PictureReader(Protocol):
    """Readies the pictures of items; called by the one thread that writes items."""

    def read(self, item: Item) -> Item:
        """The item with its picture's unit vector and model in place of what it brought.

        Raises:
            InvalidInputError: names the field, what it held, and what was expected.
        """
        ...


class NoPictures:
    """A site where none are read: an item that brings one is refused, and nothing is lost."""

    def read(self, item: Item) -> Item:
        """See PictureReader."""
        for field in ("image_data", "image_vector"):
            if getattr(item, field) is not None:
                raise InvalidInputError(
                    "this site reads no pictures: expected CLICKWISE_IMAGE_ENCODER to be set",
                    field=field,
                )
        return item


NO_PICTURES = NoPictures()


class SentVectors:
    """A site whose feed brings vectors (P,) of its own."""

    def __init__(self, model: ModelVersion, dimension: int) -> None:
        self._model = model
        self._dimension = dimension

    def read(self, item: Item) -> Item:
        """See PictureReader."""
        if item.image_data is not None:
            raise InvalidInputError(
                f"this site reads vectors: expected image_vector of {self._dimension} numbers",
                field="image_data",
            )
        return checked(item, self._model, self._dimension)


def checked(item: Item, model: ModelVersion, dimension: int) -> Item:
    """The item with the vector that it brings, if any, as one of `model`.

    Raises:
        InvalidInputError: it is of another length or model, or zero.
    """
    brought = item.image_vector
    if brought is None:
        return item
    if item.image_model not in {None, model}:
        raise InvalidInputError(
            f"expected {model}, this site's, got {shown(item.image_model, 80)}",
            field="image_model",
        )
    if len(brought) != dimension:
        raise InvalidInputError(
            f"expected {dimension} numbers, those of {model}, got {len(brought)}",
            field="image_vector",
        )
    return with_vector(item, np.array(brought, np.float64), model, field="image_vector")


def with_vector(
    item: Item, vector_P: Sequence[float] | Float32Array, model: ModelVersion, *, field: str
) -> Item:
    """The item with this vector, scaled to length 1, and no file.

    Raises:
        InvalidInputError: the vector has no direction; `field` is where it came from.
    """
    numbers_P = np.asarray(vector_P, np.float64)
    length = float(np.linalg.norm(numbers_P))
    if not 1e-9 < length < 1e30:
        raise InvalidInputError(
            f"expected a vector that has a direction, got one of length {length:g}", field=field
        )
    unit = tuple(round(number, _DECIMALS) for number in (numbers_P / length).tolist())
    return msgspec.structs.replace(item, image_data=None, image_vector=unit, image_model=model)
