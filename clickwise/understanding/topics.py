"""Topics of an item: its own, or those of the site's taxonomy that its vector is nearest to.

A tuned classifier takes the place of nearest descriptions by being another `TopicModel`.

Shape suffixes: T = topics, X = texts that tell topics, D = embedding dimension.
"""

import hashlib
from collections.abc import Sequence
from typing import Protocol

import msgspec
import numpy as np

from clickwise.encoder.port import TextEncoder
from clickwise.understanding.taxonomy import Taxonomy
from clickwise.understanding.understanding import TopicWeight
from clickwise.vectors.port import Float32Array

MAX_TOPICS = 3
# E5's cosines of a text with topics that fit and that do not differ by hundredths. Of headlines in
# ten topics the right one was given the most probability at this (docs/lab.md).
TEMPERATURE = 0.04
# A second topic has at least this share of the first one's weight.
_LEAST_OF_FIRST = 0.4


class TopicModel(Protocol):
    """Weighs the topics of a text; `version` changes whenever it would answer otherwise."""

    @property
    def version(self) -> str:
        """Names the model and what it was made of."""
        ...

    def weigh(self, text: str, vector_D: Float32Array) -> tuple[TopicWeight, ...]:
        """Topics of an item by its text and that text's vector, heaviest first; () if none."""
        ...


class NoTaxonomy:
    """For sites that name none: only items that bring their own topics have some."""

    version = "own-1"

    def weigh(self, text: str, vector_D: Float32Array) -> tuple[TopicWeight, ...]:
        """See TopicModel."""
        del text, vector_D
        return ()


NO_TAXONOMY: TopicModel = NoTaxonomy()


class NearestDescriptions:
    """Topics whose descriptions (and example titles) are nearest in the encoder's space.

    A topic is the mean of all that tells it, in every language: that was better than the item's
    own language alone.
    """

    def __init__(self, taxonomy: Taxonomy, encoder: TextEncoder) -> None:
        digest = hashlib.sha256(msgspec.json.encode(taxonomy)).hexdigest()[:12]
        self.version = f"nearest-1+{digest}+{encoder.version}"
        self._ids = [topic.id for topic in taxonomy.topic]
        self._topics_TD = _told(taxonomy, encoder)

    def weigh(self, text: str, vector_D: Float32Array) -> tuple[TopicWeight, ...]:
        """See TopicModel."""
        del text
        return heaviest(self._ids, self._topics_TD @ vector_D / np.float32(TEMPERATURE))


def heaviest(topics: Sequence[str], logits_T: Float32Array) -> tuple[TopicWeight, ...]:
    """The topics with the greatest share of the softmax, those that come near the first."""
    shares_T = np.exp(logits_T - logits_T.max())
    shares_T /= shares_T.sum()
    order = np.argsort(-shares_T, kind="stable")[:MAX_TOPICS].tolist()
    least = _LEAST_OF_FIRST * float(shares_T[order[0]])
    return tuple(
        TopicWeight(topic=topics[place], weight=round(float(shares_T[place]), 4))
        for place in order
        if shares_T[place] >= least
    )


def own_topics(topics: tuple[str, ...]) -> tuple[TopicWeight, ...]:
    """The topics that an item brings, main one first.

    The second weighs half as much, the third a third, and so on.
    """
    distinct = list(dict.fromkeys(topics))
    raw = [1.0 / (place + 1) for place in range(len(distinct))]
    return tuple(
        TopicWeight(topic=topic, weight=round(one / sum(raw), 4))
        for topic, one in zip(distinct, raw, strict=True)
    )


def _told(taxonomy: Taxonomy, encoder: TextEncoder) -> Float32Array:
    """One unit vector a topic (T, D)."""
    texts: list[str] = []
    owners: list[int] = []
    for place, topic in enumerate(taxonomy.topic):
        own = [*topic.texts(), *topic.examples]
        texts += own
        owners += [place] * len(own)
    vectors_XD = encoder.encode(texts)
    sums_TD = np.zeros((len(taxonomy.topic), encoder.dimension), np.float32)
    np.add.at(sums_TD, owners, vectors_XD)
    norms_T1 = np.linalg.norm(sums_TD, axis=1, keepdims=True)
    return np.asarray(sums_TD / np.maximum(norms_T1, 1e-9), np.float32)
