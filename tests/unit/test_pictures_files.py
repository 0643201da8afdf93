"""Picture files: three formats are read, and what is no whole picture is refused and why."""

import io
import struct
import zlib

import numpy as np
import pytest
from PIL import Image

from clickwise.errors import InvalidInputError, TooLargeError
from clickwise.limits import MAX_IMAGE_BYTES
from clickwise.pictures.files import check_file, read_pixels
from tests.pictures import file_of

RED = np.full((40, 40, 3), (255, 0, 0), np.uint8)


def header_only_png(width, height):
    """A PNG that says how large it is, and then nothing."""

    def chunk(name, body):
        checksum = struct.pack(">I", zlib.crc32(name + body))
        return struct.pack(">I", len(body)) + name + body + checksum

    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", b"")


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP"])
def test_each_format_is_read_as_pixels_from_0_to_1(kind):
    pixels = read_pixels(file_of(RED, kind), side=8)

    assert (pixels.shape, pixels.dtype) == ((8, 8, 3), np.float32)
    assert np.abs(pixels - np.array([1.0, 0.0, 0.0])).max() < 0.02


def test_of_a_wide_picture_the_middle_is_read():
    wide = np.zeros((10, 30, 3), np.uint8)
    wide[:, 10:20] = 255

    assert read_pixels(file_of(wide), side=10).min() > 0.9


def test_what_is_transparent_is_white():
    clear, palette = io.BytesIO(), io.BytesIO()
    Image.new("RGBA", (20, 20), (0, 0, 0, 0)).save(clear, "PNG")
    Image.new("P", (20, 20), 0).save(palette, "PNG", transparency=0)

    assert read_pixels(clear.getvalue(), side=8).min() == 1.0
    assert read_pixels(palette.getvalue(), side=8).min() == 1.0


def test_a_picture_is_read_upright_as_its_camera_says():
    half = np.zeros((40, 40, 3), np.uint8)
    half[:20] = 255  # the upper half is light; turned by 180 degrees it is the lower one
    turned = Image.Exif()
    turned[0x0112] = 3

    pixels = read_pixels(file_of(half, "JPEG", exif=turned), side=8)

    assert pixels[:3].mean() < 0.1
    assert pixels[5:].mean() > 0.9


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP"])
def test_half_a_file_passes_its_header_and_is_refused_when_it_is_decoded(kind):
    noise = np.random.default_rng(0).integers(0, 256, (64, 64, 3)).astype(np.uint8)
    whole = file_of(noise, kind)
    half = whole[: len(whole) // 2]

    with pytest.raises(InvalidInputError, match="expected a JPEG, PNG or WebP file") as refused:
        read_pixels(half, side=8)

    assert refused.value.field == "image_data"


@pytest.mark.parametrize(
    "data", [b"", b"no picture", b"<svg/>", file_of(RED, "GIF"), file_of(RED, "TIFF")]
)
def test_what_is_none_of_the_three_is_refused_by_its_header(data):
    with pytest.raises(
        InvalidInputError, match="expected a JPEG, PNG or WebP file, got"
    ) as refused:
        check_file(data)

    assert refused.value.field == "image_data"


@pytest.mark.parametrize(("width", "height"), [(2_000, 2_000), (10_000, 10_000), (60_000, 60_000)])
def test_a_picture_of_too_many_pixels_is_refused_before_one_is_decoded(width, height):
    bomb = header_only_png(width, height)

    with pytest.raises(TooLargeError, match="expected at most 2100000 pixels"):
        check_file(bomb)


def test_a_file_over_the_limit_is_not_looked_at():
    with pytest.raises(TooLargeError, match=f"at most {MAX_IMAGE_BYTES} bytes, got 262145"):
        check_file(b"x" * (MAX_IMAGE_BYTES + 1))
