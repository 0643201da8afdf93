"""Topics by a classifier that was tuned on a site's own labelled texts (`clickwise tune`).

A folder that holds an encoder holds also `classifier.json` (classes, and the version of the
encoder whose vectors it reads) and `classifier.safetensors`: a linear layer, `weight` (C, D) and
`bias` (C). A class is the id of a topic.

Shape suffixes: D = embedding dimension, C = classes.
"""

import hashlib
from pathlib import Path
from typing import Annotated

import msgspec
from msgspec import Meta
from safetensors import SafetensorError
from safetensors.numpy import load_file, save_file

from clickwise.encoder.port import TextEncoder
from clickwise.errors import BundleError, ConfigurationError
from clickwise.understanding.topics import heaviest
from clickwise.understanding.understanding import TopicWeight
from clickwise.vectors.port import Float32Array

CARD, WEIGHTS = "classifier.json", "classifier.safetensors"


class ClassifierCard(msgspec.Struct, frozen=True, kw_only=True):
    """What the layer answers, and whose vectors it reads."""

    classes: Annotated[tuple[str, ...], Meta(min_length=2)]
    encoder: str
    dimension: int
    format: int = 1


class TunedTopics:
    """See `clickwise.understanding.topics.TopicModel`."""

    def __init__(
        self, card: ClassifierCard, weight_CD: Float32Array, bias_C: Float32Array, version: str
    ) -> None:
        self.card = card
        self.version = version
        self._weight_CD = weight_CD
        self._bias_C = bias_C

    def weigh(self, text: str, vector_D: Float32Array) -> tuple[TopicWeight, ...]:
        """See TopicModel."""
        del text
        return heaviest(self.card.classes, self._weight_CD @ vector_D + self._bias_C)


class WithOwnVectors:
    """A classifier that reads other vectors than items have here: it makes its own, one text at a
    time. See `clickwise.understanding.topics.TopicModel`.
    """

    def __init__(self, topics: TunedTopics, encoder: TextEncoder) -> None:
        self.version = topics.version
        self._topics = topics
        self._encoder = encoder

    def weigh(self, text: str, vector_D: Float32Array) -> tuple[TopicWeight, ...]:
        """See TopicModel."""
        del vector_D
        (own_D,) = self._encoder.encode([text])
        return self._topics.weigh(text, own_D)


def load_classifier(folder: Path, encoder: TextEncoder) -> TunedTopics:
    """The classifier in `folder`, for vectors of `encoder`.

    Raises:
        ConfigurationError: there is none, or it reads another encoder's vectors.
        BundleError: it is damaged.
    """
    card, weight_CD, bias_C, digest = _read(folder)
    if card.encoder != encoder.version:
        raise ConfigurationError(
            f"the classifier in {folder} reads vectors of {card.encoder}, and the encoder is"
            f" {encoder.version}: the two are of different tunings; `clickwise tune classify ..."
            f" --out {folder}` writes both anew"
        )
    return TunedTopics(card, weight_CD, bias_C, f"tuned-1+{digest}+{encoder.version}")


def check_classifier(folder: Path) -> int:
    """How many topics the classifier in `folder` knows.

    Raises:
        ConfigurationError: there is none.
        BundleError: it is damaged.
    """
    return len(_read(folder)[0].classes)


def _read(folder: Path) -> tuple[ClassifierCard, Float32Array, Float32Array, str]:
    """Card, weights (C, D), biases (C,), and twelve hex digits that change with them."""
    try:
        raw = (folder / CARD).read_bytes()
        weights = (folder / WEIGHTS).read_bytes()
    except OSError as error:
        raise ConfigurationError(f"{folder} holds no classifier: {error.strerror}") from error
    try:
        card = msgspec.json.decode(raw, type=ClassifierCard)
        tensors = load_file(folder / WEIGHTS)
        weight_CD, bias_C = tensors["weight"], tensors["bias"]
    except (msgspec.DecodeError, SafetensorError, KeyError) as error:
        raise BundleError(f"the classifier in {folder} cannot be read: {error}") from error
    expected = (len(card.classes), card.dimension)
    if card.format != 1 or weight_CD.shape != expected or bias_C.shape != expected[:1]:
        raise BundleError(f"the classifier in {folder} is not what its card says")
    return card, weight_CD, bias_C, hashlib.sha256(raw + weights).hexdigest()[:12]


def write_classifier(
    folder: Path, card: ClassifierCard, weight_CD: Float32Array, bias_C: Float32Array
) -> None:
    """Put it into `folder`; a crash half-way leaves the card for last, so none or a whole one."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / CARD).unlink(missing_ok=True)
    save_file({"weight": weight_CD, "bias": bias_C}, folder / WEIGHTS)
    encoded = msgspec.json.format(msgspec.json.encode(card), indent=2)
    part = folder / f"{CARD}.part"
    part.write_bytes(encoded + b"\n")
    part.replace(folder / CARD)
