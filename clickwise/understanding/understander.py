"""One item, understood: every part made by its method (F_c).

Pure but for the encoder: the same item and methods give the same parts.
"""

import hashlib
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from clickwise.clock import Clock
from clickwise.encoder.port import TextEncoder
from clickwise.errors import ClickwiseError
from clickwise.items import Item
from clickwise.masking import without_masks
from clickwise.text import item_text
from clickwise.understanding import duplicates, languages, retelling, sentences, words
from clickwise.understanding.reading import read
from clickwise.understanding.topics import TopicModel, own_topics
from clickwise.understanding.understanding import TopicWeight, Understanding
from clickwise.vectors.port import Float32Array

_READING = "plain-2"


class NothingToReadError(ClickwiseError):
    """An item has no word in any script: markup, emoji or white space alone."""

    kind = "no_text"


@runtime_checkable
class CountsTokens(Protocol):
    """What encoders with a tokenizer add to TextEncoder."""

    def count_tokens(self, text: str) -> int:
        """How many tokens all of `text` has."""
        ...


@dataclass(frozen=True, slots=True)
class Understood:
    """What was understood, and the signature of the text for those that are nearly the same."""

    understanding: Understanding
    signature: bytes


class Understander:
    """Understands items; owned by one thread."""

    def __init__(self, *, encoder: TextEncoder, topics: TopicModel, clock: Clock) -> None:
        self.encoder = encoder
        self._topics = topics
        self._clock = clock
        counts = isinstance(encoder, CountsTokens)
        self.methods = {
            "text": _READING,
            "language": languages.VERSION,
            "tokens": encoder.version if counts else "words-1",
            "keywords": words.VERSION,
            "summary": f"{sentences.VERSION}+{encoder.version}",
            "topics": topics.version,
            "near": duplicates.VERSION,
        }

    @property
    def fingerprint(self) -> str:
        """Differs when any method does, or what follows of it for the item itself."""
        parts = {**self.methods, "retelling": retelling.VERSION}
        named = "\0".join(f"{part}={method}" for part, method in sorted(parts.items()))
        return hashlib.sha256(named.encode()).hexdigest()[:16]

    def understand(self, item: Item, vector_D: Float32Array | None = None) -> Understood:
        """Everything about `item`; `vector_D` is that of its text where it is known already.

        Raises:
            NothingToReadError: it has no words.
        """
        reading = read(item)
        whole = reading.whole
        words_alone = without_masks(whole, instead="; ")  # which no phrase goes across
        if not any(map(str.isalnum, words_alone)):
            raise NothingToReadError("the item has no word: only markup, symbols or white space")
        language = languages.language_of(words_alone, given=item.language)
        topics = own_topics(item.topics) if item.topics else self._weighed(item, vector_D)
        signature = duplicates.signature_of(whole)
        return Understood(
            Understanding(
                language=language.tag,
                confidence=round(language.confidence, 4),
                tokens=self._num_tokens(whole),
                keywords=words.keywords_of(words_alone, language.tag),
                summary=sentences.summary_of(reading, language.tag, self.encoder),
                topics=topics,
                near=(),
                methods=self.methods,
                made=self._clock.now(),
            ),
            signature,
        )

    def _weighed(self, item: Item, vector_D: Float32Array | None) -> tuple[TopicWeight, ...]:
        text = item_text(item)
        if vector_D is None:
            (vector_D,) = self.encoder.encode([text])
        return self._topics.weigh(text, vector_D)

    def _num_tokens(self, text: str) -> int:
        encoder = self.encoder
        return (
            encoder.count_tokens(text) if isinstance(encoder, CountsTokens) else len(text.split())
        )
