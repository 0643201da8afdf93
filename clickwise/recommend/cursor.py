"""Page cursors: which items were delivered already, as text that the client hands back.

A cursor holds 32 bits of each delivered item's key. The next page leaves those out, so pages
never repeat an item and never skip one, even when events or items come in between, and any
process can answer. One unseen item in 4 million is wrongly taken for delivered.
"""

import base64
import binascii

import numpy as np
from numpy.typing import NDArray

from clickwise.errors import InvalidInputError
from clickwise.recommend.answers import MAX_CURSOR_CHARACTERS
from clickwise.vectors.port import BoolArray, Int64Array

# Most items that a cursor can list; a list ends there.
MAX_DELIVERED = (MAX_CURSOR_CHARACTERS * 3 // 4 - 4) // 4
_VERSION = b"\x01"


def encode_cursor(delivered: NDArray[np.uint32], keys_N: Int64Array) -> str | None:
    """Cursor after a page that delivered `keys_N`; None when it could list no more."""
    tails = np.concatenate([delivered, _tails(keys_N)])
    if len(tails) > MAX_DELIVERED:
        return None
    return base64.urlsafe_b64encode(_VERSION + tails.astype("<u4").tobytes()).decode().rstrip("=")


def decode_cursor(text: str | None) -> NDArray[np.uint32]:
    """What the cursor says was delivered; nothing for None.

    Raises:
        InvalidInputError: not a cursor of ours.
    """
    if text is None:
        return np.zeros(0, np.uint32)
    try:
        raw = base64.b64decode(
            text.encode() + b"=" * (-len(text) % 4), altchars=b"-_", validate=True
        )
    except (binascii.Error, ValueError) as error:
        raise InvalidInputError("not a cursor that an answer gave", field="cursor") from error
    if raw[:1] != _VERSION or (len(raw) - 1) % 4 or len(raw) > 1 + 4 * MAX_DELIVERED:
        raise InvalidInputError("not a cursor that an answer gave", field="cursor")
    return np.frombuffer(raw, "<u4", offset=1)


def was_delivered(delivered: NDArray[np.uint32], keys_N: Int64Array) -> BoolArray:
    """Which of `keys_N` the cursor lists."""
    if not len(delivered):
        return np.zeros(len(keys_N), np.bool_)
    return np.isin(_tails(keys_N), delivered)


def _tails(keys_N: Int64Array) -> NDArray[np.uint32]:
    return (keys_N & np.int64(0xFFFFFFFF)).astype(np.uint32)
