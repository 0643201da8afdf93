"""A site's own image encoder: an ONNX graph in a folder, with a note of how it wants its input.

    encoder.json   what `EncoderNote` says
    model.onnx     pixels (1, 3, S, S), float32 -> vectors (1, P); weights beside it in
                   files whose names begin with its name

It runs in the thread that writes items. Pictures are encoded one by one, so that a vector does
not depend on its neighbors and a graph with a fixed batch of 1 works.

Shape suffixes: S = side in pixels, P = dimension of the vectors.
"""

import time
from hashlib import file_digest, sha256
from pathlib import Path
from typing import Annotated

import msgspec
import numpy as np
from msgspec import Meta

from clickwise import metrics
from clickwise.errors import BundleError, ConfigurationError, InvalidInputError
from clickwise.items import Item
from clickwise.limits import MAX_IMAGE_NUMBERS
from clickwise.onnx_runtime import Session, open_session
from clickwise.pictures.files import FIELD, read_pixels
from clickwise.pictures.reader import checked, with_vector
from clickwise.types import ModelVersion
from clickwise.vectors.port import Float32Array

NOTE, MODEL = "encoder.json", "model.onnx"

Channels = tuple[float, float, float]
Deviation = Annotated[float, Meta(gt=0)]


class EncoderNote(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`encoder.json`. Pixels from 0 to 1 have `mean` taken off and are divided by `std`, by
    channel; `output` names the graph's output of `dimension` numbers.
    """

    name: Annotated[str, Meta(pattern=r"^[A-Za-z0-9._-]{1,64}\Z")]
    size: Annotated[int, Meta(ge=8, le=1_024)]
    mean: Channels
    std: tuple[Deviation, Deviation, Deviation]
    output: Annotated[str, Meta(min_length=1)]
    dimension: Annotated[int, Meta(ge=1, le=MAX_IMAGE_NUMBERS)]


class OnnxPictures:
    """See `clickwise.pictures.reader.PictureReader`; also takes vectors of its own space."""

    def __init__(self, note: EncoderNote, session: Session, *, mark: str) -> None:
        """`mark` tells this graph and note from all others."""
        self.version = ModelVersion(f"{note.name}-{mark}")
        self.dimension = note.dimension
        self._note = note
        self._session = session
        self._input = session.get_inputs()[0].name

    def read(self, item: Item) -> Item:
        """See PictureReader."""
        if item.image_data is None:
            return checked(item, self.version, self.dimension)
        started = time.perf_counter()
        vector_P = self.encode(read_pixels(item.image_data, side=self._note.size))
        read = with_vector(item, vector_P, self.version, field=FIELD)
        metrics.encoder_seconds.labels("picture").observe(time.perf_counter() - started)
        return read

    def encode(self, pixels_SS3: Float32Array) -> Float32Array:
        """The graph's vector (P,) of pixels from 0 to 1.

        Raises:
            BundleError: the graph cannot be run.
            InvalidInputError: it gives no finite numbers for this picture.
        """
        mean, std = np.array(self._note.mean, np.float32), np.array(self._note.std, np.float32)
        x_13SS = np.ascontiguousarray(((pixels_SS3 - mean) / std).transpose(2, 0, 1)[None])
        try:
            (found,) = self._session.run([self._note.output], {self._input: x_13SS})
        except Exception as error:  # its exceptions have no root of their own
            reason = str(error)[:200]
            raise BundleError(f"the image encoder {self.version} failed: {reason}") from error
        vector_P = np.asarray(found, np.float32).reshape(-1)
        if not np.isfinite(vector_P).all():
            raise InvalidInputError(
                f"{self.version} finds no finite vector for this picture", field=FIELD
            )
        return vector_P


def open_pictures(folder: Path, *, device: str, threads: int) -> OnnxPictures:
    """The image encoder in `folder`, tried on a gray picture.

    Raises:
        ConfigurationError: a file is missing, or does not say or give what is expected.
    """
    try:
        note = msgspec.json.decode((folder / NOTE).read_bytes(), type=EncoderNote)
        mark = _mark(folder)
    except OSError as error:
        raise ConfigurationError(
            f"CLICKWISE_IMAGE_ENCODER={folder}: expected a folder with {NOTE} and {MODEL}: {error}"
        ) from error
    except msgspec.DecodeError as error:
        raise ConfigurationError(f"CLICKWISE_IMAGE_ENCODER: {folder / NOTE}: {error}") from error
    try:
        session = open_session(folder / MODEL, device=device, threads=threads)
        opened = OnnxPictures(note, session, mark=mark)
        vector_P = opened.encode(np.full((note.size, note.size, 3), 0.5, np.float32))
    except (BundleError, InvalidInputError) as error:
        raise ConfigurationError(f"CLICKWISE_IMAGE_ENCODER={folder}: {error}") from error
    if vector_P.shape != (note.dimension,):
        raise ConfigurationError(
            f"CLICKWISE_IMAGE_ENCODER={folder}: {NOTE} says {note.dimension} numbers, and"
            f" {note.output} of {MODEL} has {vector_P.size}"
        )
    return opened


def _mark(folder: Path) -> str:
    """Eight hex digits that change with the note, the graph and its weights."""
    total = sha256()
    for path in (folder / NOTE, folder / MODEL, *sorted(folder.glob(f"{MODEL}?*"))):
        with path.open("rb") as file:
            total.update(file_digest(file, "sha256").digest())
    return total.hexdigest()[:8]
