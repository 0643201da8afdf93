"""Texts with the class of each, from a file: what a classifier learns from and is asked about.

Two forms, by the file's name: `.jsonl` has an object with `text` and `label` on each line, all
else is `text<TAB>label`. Either may be compressed (`.gz`). A label is any short text.

Shape suffixes: N = texts.
"""

import gzip
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import msgspec
import numpy as np

from clickwise.errors import ConfigurationError
from clickwise.vectors.port import Int64Array


@dataclass(frozen=True, slots=True)
class Labelled:
    """Texts and the places of their classes in `classes`."""

    texts: tuple[str, ...]
    labels_N: Int64Array
    classes: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.texts)

    def take(self, rows: Int64Array) -> "Labelled":
        """Some of them, in the order of `rows`."""
        return Labelled(
            tuple(self.texts[row] for row in rows.tolist()), self.labels_N[rows], self.classes
        )


class _Line(msgspec.Struct, frozen=True):
    text: str
    label: str | int


def read_labelled(path: Path, *, classes: Sequence[str] = ()) -> Labelled:
    """All texts of a file. `classes` fixes their order; without it they are those of the file,
    sorted, numbers by value.

    Raises:
        ConfigurationError: it cannot be read, has another form, or names an unknown class.
    """
    lines = list(_lines(path))
    if not lines:
        raise ConfigurationError(f"{path} has no text in it")
    known = tuple(classes) or tuple(sorted({label for _, label in lines}, key=_order))
    if len(known) < 2:
        raise ConfigurationError(f"{path} has one class only: there is nothing to tell apart")
    places = {label: place for place, label in enumerate(known)}
    strange = next((label for _, label in lines if label not in places), None)
    if strange is not None:
        raise ConfigurationError(
            f"{path} has the class {strange[:40]!r}, which what is learned from does not have"
        )
    labels_N = np.array([places[label] for _, label in lines], np.int64)
    return Labelled(tuple(text for text, _ in lines), labels_N, known)


def read_texts(path: Path) -> tuple[str, ...]:
    """The texts of a file with or without labels: a text a line, `text<TAB>label`, or `.jsonl`.

    Raises:
        ConfigurationError: it cannot be read, or is empty.
    """
    if _is_jsonl(path):
        texts = tuple(text for text, _ in _lines(path))
    else:
        texts = tuple(line.partition("\t")[0].strip() for line in _content(path).splitlines())
    texts = tuple(text for text in texts if text)
    if not texts:
        raise ConfigurationError(f"{path} has no text in it")
    return texts


def without(train: Labelled, others: Iterable[Labelled]) -> tuple[Labelled, int]:
    """`train` without texts that `others` hold too, and how many those were.

    Equal is what is equal but for case, width and white space: a classifier must not be asked
    about what it has learned by heart.
    """
    barred = {text_key(text) for other in others for text in other.texts}
    kept = [row for row, text in enumerate(train.texts) if text_key(text) not in barred]
    return train.take(np.array(kept, np.int64)), len(train) - len(kept)


def text_key(text: str) -> str:
    """Equal for texts that differ in case, width and white space only."""
    return " ".join(unicodedata.normalize("NFKC", text).casefold().split())


def split_off(data: Labelled, number: int, *, seed: int) -> tuple[Labelled, Labelled]:
    """All but `number`, and these: drawn at random, each class in proportion.

    Raises:
        ConfigurationError: too few are left to learn from.
    """
    if not 0 < number < len(data):
        raise ConfigurationError(f"{number} of {len(data)} texts cannot be held back")
    rng = np.random.default_rng((seed, 11))
    shuffled = rng.permutation(len(data))
    # Shuffled, then class by class: every n-th of that order has each class in proportion.
    order = shuffled[np.argsort(data.labels_N[shuffled], kind="stable")]
    held = np.zeros(len(data), np.bool_)
    held[order[np.linspace(0, len(data) - 1, number).round().astype(np.int64)]] = True
    return data.take(np.flatnonzero(~held)), data.take(np.flatnonzero(held))


def _order(label: str) -> tuple[int, int, str]:
    return (0, int(label), "") if label.isdecimal() else (1, 0, label)


def _is_jsonl(path: Path) -> bool:
    return path.name.removesuffix(".gz").endswith(".jsonl")


def _content(path: Path) -> str:
    try:
        raw = path.read_bytes()
        return (gzip.decompress(raw) if path.suffix == ".gz" else raw).decode("utf-8-sig")
    except OSError as error:
        reason = error.strerror or str(error)  # gzip's own faults have no number
        raise ConfigurationError(f"{path} cannot be read: {reason}") from error
    except (EOFError, UnicodeDecodeError) as error:
        raise ConfigurationError(f"{path} cannot be read: {error}") from error


def _lines(path: Path) -> Iterator[tuple[str, str]]:
    decoder = msgspec.json.Decoder(_Line)
    for number, line in enumerate(_content(path).split("\n"), 1):
        if not line.strip():
            continue
        if _is_jsonl(path):
            try:
                found = decoder.decode(line)
            except msgspec.DecodeError as error:
                raise ConfigurationError(f"{path}, line {number}: {error}") from error
            text, label = found.text, str(found.label)
        else:
            text, tab, label = line.rpartition("\t")
            if not tab:
                raise ConfigurationError(f"{path}, line {number}: expected text<TAB>label")
        if not text.strip() or not label.strip():
            raise ConfigurationError(f"{path}, line {number}: text or label is empty")
        yield text.strip(), label.strip()
