"""Near-duplicates: MinHash (Broder, 1997) of pieces of a text, met in bands.

Texts that share 80 % of their pieces are near-duplicates. With 16 bands of 8 hashes each, of two
such texts 95 % have a band in common, at 90 % all but one in ten thousand; what only meets by
chance is told by the signatures. Pieces are five letters or digits, so any script works.
"""

import unicodedata
from hashlib import blake2b

import numpy as np
from rensa import RMinHash

HASHES = 128
BANDS = 16
PIECE = 5
LEAST_SIMILAR = 0.8
# With fewer pieces than this any two short titles might be taken for one.
LEAST_PIECES = 8
_SEED = 1
VERSION = f"minhash-{HASHES}-{BANDS}-{PIECE}+rensa-{RMinHash.ALGORITHM_VERSION}"


def signature_of(text: str) -> bytes:
    """128 numbers of 32 bits that stand for a text; empty when it is too short to tell."""
    pieces = _pieces(text)
    if len(pieces) < LEAST_PIECES:
        return b""
    sketch = RMinHash(num_perm=HASHES, seed=_SEED)
    sketch.update(sorted(pieces))
    return np.array(sketch.digest(), "<u4").tobytes()


def bands_of(signature: bytes) -> tuple[int, ...]:
    """Sixteen 63-bit numbers; two texts that have one in common may be near-duplicates."""
    if not signature:
        return ()
    size = len(signature) // BANDS
    return tuple(
        _number(f"{VERSION}/{band}".encode(), signature[band * size : (band + 1) * size])
        for band in range(BANDS)
    )


def similarity(one: bytes, other: bytes) -> float:
    """The share of pieces that two texts have in common, as their signatures tell it."""
    if not one or len(one) != len(other):
        return 0.0
    return float(np.mean(np.frombuffer(one, "<u4") == np.frombuffer(other, "<u4")))


def _pieces(text: str) -> set[str]:
    folded = unicodedata.normalize("NFKC", text).casefold()
    letters = "".join(character for character in folded if character.isalnum())
    return {letters[at : at + PIECE] for at in range(len(letters) - PIECE + 1)}


def _number(name: bytes, rows: bytes) -> int:
    digest = blake2b(rows, digest_size=8, salt=blake2b(name, digest_size=16).digest()).digest()
    return int.from_bytes(digest) >> 1
