"""Text vectors of a data set's items, each text encoded once and kept in a file.

A file is of one encoder and one data set by name, its rows are found by their texts: of a catalog
that has grown only the new texts are encoded, and another encoder never meets the wrong vectors.
"""

import re
import tempfile
import zipfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from hashlib import blake2b
from pathlib import Path

import numpy as np

from clickwise.encoder.port import TextEncoder
from clickwise.vectors.port import Float32Array
from training.data import Dataset, Items

BATCH = 64
_KEY_BYTES = 16
_FORMER = "*-" + "[0-9a-f]" * 16 + ".npy"  # a file for each catalog that there ever was


def with_text_vectors(
    dataset: Dataset,
    encoder: TextEncoder,
    cache: Path,
    *,
    progress: Callable[[int, int], None] | None = None,
) -> Dataset:
    """`dataset` with `items.text_ID` of `encoder`: unit vectors, zero rows where there is no text.

    Vectors of this encoder that the items have stay. The others come out of `cache`, a folder that
    is made if need be, or are encoded, equal texts once. `progress(done, total)` counts the texts
    that are encoded; it is not called when there are none.
    """
    items = dataset.items
    text_ID = _own(items, encoder)
    lacking = [p for p, text in enumerate(items.texts) if text and not text_ID[p].any()]
    distinct = sorted({items.texts[p] for p in lacking}, key=lambda text: (len(text), text))
    if distinct:
        file = cache / _name(encoder.version, dataset.name)
        vectors_ND = _vectors(distinct, encoder, file, progress)
        rows = {text: row for row, text in enumerate(distinct)}
        text_ID[lacking] = vectors_ND[[rows[items.texts[p]] for p in lacking]]
    return replace(dataset, items=replace(items, text_ID=text_ID, text_model=encoder.version))


def _own(items: Items, encoder: TextEncoder) -> Float32Array:
    """The vectors (I, D) that the items have of this encoder, zero rows for all others."""
    if items.text_ID is not None and items.text_model == encoder.version:
        return items.text_ID.copy()
    return np.zeros((len(items), encoder.dimension), np.float32)


def _vectors(
    texts: Sequence[str],
    encoder: TextEncoder,
    file: Path,
    progress: Callable[[int, int], None] | None,
) -> Float32Array:
    """Vectors (N, D) by `file`, which has them all afterwards, and no others if any was missing:
    texts that the catalog has no more go.
    """
    kept = _kept(file)
    keys = [_key(text) for text in texts]
    vectors_ND = np.zeros((len(texts), encoder.dimension), np.float32)
    new = [row for row, key in enumerate(keys) if key not in kept]
    for row, key in enumerate(keys):
        if key in kept:
            vectors_ND[row] = kept[key]
    if new:
        vectors_ND[new] = _encoded([texts[row] for row in new], encoder, progress)
        _save(file, keys, vectors_ND)
    return vectors_ND


def _encoded(
    texts: Sequence[str], encoder: TextEncoder, progress: Callable[[int, int], None] | None
) -> Float32Array:
    """Vectors (N, D); texts of like length are encoded together, which wastes no padding."""
    vectors_ND = np.zeros((len(texts), encoder.dimension), np.float32)
    for begin in range(0, len(texts), BATCH):
        part = texts[begin : begin + BATCH]
        vectors_ND[begin : begin + len(part)] = encoder.encode(part)
        if progress is not None:
            progress(begin + len(part), len(texts))
    return vectors_ND


def _kept(file: Path) -> Mapping[bytes, Float32Array]:
    """The vectors of a file by the keys of their texts; none where it cannot be read."""
    try:
        with file.open("rb") as source, np.load(source, allow_pickle=False) as stored:
            keys, vectors_ND = stored["keys"], stored["vectors"]
    except (OSError, EOFError, KeyError, ValueError, zipfile.BadZipFile):
        return {}
    return {key.tobytes(): vector_D for key, vector_D in zip(keys, vectors_ND, strict=True)}


def _save(file: Path, keys: Sequence[bytes], vectors_ND: Float32Array) -> None:
    """Under its name only when whole."""
    file.parent.mkdir(parents=True, exist_ok=True)
    keys_NK = np.frombuffer(b"".join(keys), np.uint8).reshape(len(keys), _KEY_BYTES)
    with tempfile.NamedTemporaryFile(dir=file.parent, suffix=".part", delete=False) as part:
        np.savez(part, keys=keys_NK, vectors=vectors_ND)
    Path(part.name).replace(file)
    for former in file.parent.glob(_FORMER):
        former.unlink(missing_ok=True)


def _name(version: str, dataset: str) -> str:
    """A file's name: the encoder's, and a hash of it and the data set's that tells all apart."""
    digest = blake2b(f"{version}\0{dataset}".encode("utf-8", "surrogatepass"), digest_size=8)
    plain = re.sub(r"[^\w.-]+", "-", version)
    return f"{plain}-{digest.hexdigest()}.npz"


def _key(text: str) -> bytes:
    return blake2b(text.encode("utf-8", "surrogatepass"), digest_size=_KEY_BYTES).digest()
