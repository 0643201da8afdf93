"""Text vectors of a data set's items, encoded once and kept in a file.

The file's name holds the encoder's version and a hash of the texts, so another encoder or
another catalogue never meets the wrong vectors.
"""

import re
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import replace
from hashlib import blake2b
from pathlib import Path

import numpy as np

from clickwise.encoder.port import TextEncoder
from clickwise.vectors.port import Float32Array
from training.data import Dataset

BATCH = 64


def with_text_vectors(
    dataset: Dataset,
    encoder: TextEncoder,
    cache: Path,
    *,
    progress: Callable[[int, int], None] | None = None,
) -> Dataset:
    """`dataset` with `items.text_ID`: unit vectors, zero rows where there is no text.

    Equal texts are encoded once. `progress(done, total)` counts texts; it is not called when
    the vectors lie in `cache`, a folder that is made if need be.
    """
    texts = dataset.items.texts
    distinct = sorted(set(texts) - {""}, key=lambda text: (len(text), text))
    file = cache / f"{_plain(encoder.version)}-{_digest(distinct)}.npy"
    if file.exists():
        vectors_ND = np.load(file, allow_pickle=False)
    else:
        vectors_ND = _encoded(distinct, encoder, progress)
        _save(file, vectors_ND)
    rows = {text: row for row, text in enumerate(distinct)}
    text_ID = np.zeros((len(texts), encoder.dimension), np.float32)
    for place, text in enumerate(texts):
        if text:
            text_ID[place] = vectors_ND[rows[text]]
    return replace(dataset, items=replace(dataset.items, text_ID=text_ID))


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


def _save(file: Path, vectors_ND: Float32Array) -> None:
    """Under its name only when whole."""
    file.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.NamedTemporaryFile(dir=file.parent, suffix=".part", delete=False) as part:
        np.save(part, vectors_ND)
    Path(part.name).replace(file)


def _plain(version: str) -> str:
    return re.sub(r"[^\w.-]+", "-", version)


def _digest(texts: Sequence[str]) -> str:
    digest = blake2b(digest_size=8)
    for text in texts:
        encoded = text.encode(errors="replace")
        digest.update(len(encoded).to_bytes(8) + encoded)
    return digest.hexdigest()
