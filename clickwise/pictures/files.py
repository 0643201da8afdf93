"""Picture files as feeds send them: what is taken, and their pixels.

A file is somebody else's data: its size is bounded before Pillow sees it, the number of its
pixels before they are decoded, and only three decoders are ever asked. `check_file` reads the
header and costs microseconds, so that a door may call it; `read_pixels` decodes.

Shape suffixes: S = side of the square that an encoder reads.
"""

import io
from typing import TYPE_CHECKING

import numpy as np

from clickwise.errors import InvalidInputError, TooLargeError
from clickwise.limits import MAX_IMAGE_BYTES, MAX_IMAGE_PIXELS, shown
from clickwise.vectors.port import Float32Array

if TYPE_CHECKING:
    from PIL.Image import Image

FIELD = "image_data"
_EXPECTED = "expected a JPEG, PNG or WebP file"


def check_file(data: bytes) -> None:
    """Refuse what is no picture or has too many pixels, by its header alone.

    Raises:
        TooLargeError: more than MAX_IMAGE_BYTES or MAX_IMAGE_PIXELS.
        InvalidInputError: none of the three formats.
    """
    _opened(data).close()


def read_pixels(data: bytes, *, side: int) -> Float32Array:
    """Red, green and blue (S, S, 3) from 0 to 1: the middle square of the picture, upright as its
    camera says, on white where it is transparent.

    Raises:
        InvalidInputError: see `check_file`; and what cannot be decoded to the end.
    """
    from PIL import Image, ImageOps

    image = _opened(data)
    try:
        image.draft("RGB", (side, side))  # JPEG: decodes no finer than is needed
        clear = "A" in image.getbands() or "transparency" in image.info
        whole = image.convert("RGBA" if clear else "RGB")
        square = ImageOps.fit(whole, (side, side), Image.Resampling.BICUBIC)
        upright = _on_white(ImageOps.exif_transpose(square))
    except Exception as error:  # its decoders raise whatever they meet
        raise InvalidInputError(
            f"{_EXPECTED} that is whole, got {len(data)} bytes that cannot be decoded:"
            f" {shown(str(error), 80)}",
            field=FIELD,
        ) from error
    return np.asarray(upright, np.float32) / np.float32(255.0)


def _opened(data: bytes) -> "Image":
    """A picture whose header has been read, and nothing else."""
    if len(data) > MAX_IMAGE_BYTES:
        raise TooLargeError(
            f"expected a file of at most {MAX_IMAGE_BYTES} bytes, got {len(data)}", field=FIELD
        )
    from PIL import Image, JpegImagePlugin, PngImagePlugin, WebPImagePlugin

    del JpegImagePlugin, PngImagePlugin, WebPImagePlugin  # imported, they are registered
    try:
        image = Image.open(io.BytesIO(data), formats=("JPEG", "PNG", "WEBP"))
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise TooLargeError(
            f"expected at most {MAX_IMAGE_PIXELS} pixels, got far more", field=FIELD
        ) from error
    except Exception as error:  # its plugins raise whatever they meet
        raise InvalidInputError(
            f"{_EXPECTED}, got {len(data)} bytes that begin with {shown(data[:8])}", field=FIELD
        ) from error
    width, height = image.size
    if width * height > MAX_IMAGE_PIXELS:
        image.close()
        raise TooLargeError(
            f"expected at most {MAX_IMAGE_PIXELS} pixels, got {width} x {height}", field=FIELD
        )
    return image


def _on_white(image: "Image") -> "Image":
    from PIL import Image

    if image.mode != "RGBA":
        return image
    white = Image.new("RGBA", image.size, "white")
    white.alpha_composite(image)
    return white.convert("RGB")
