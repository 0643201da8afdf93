"""Whom a text is for: readers of one language with one main topic, never one user.

A segment is `<language>:<topic code>`, `pt:5f3a0c11`; code 0 is everybody who reads that language,
and the language `own` is the item's, whichever that is. A model writes for `own` alone: a text in
another language than its item's cannot be checked. A person's words may be for any. Keys are
stable: they hang on the topic's name alone. Their number is bounded: per item by `most`, on the
site by its topics.

Which segments an item is worth writing for follows from who reads: its readers' main topics, with
the share of readers in each.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Self

from clickwise.limits import shown
from clickwise.types import topic_code

EVERYBODY = 0
OWN = "own"  # as a language: the item's
# Weight of the main topic, to all that is positive, from which on a reader is said to have one.
MAIN_SHARE = 0.2
_KEY = re.compile("[a-z]{2,8}:[0-7][0-9a-f]{7}")  # a topic's code has 31 bits


@dataclass(frozen=True, slots=True)
class Segment:
    """A language and a topic code (0: everybody)."""

    language: str
    topic: int = EVERYBODY

    @property
    def key(self) -> str:
        """As it is stored, logged and counted."""
        return f"{self.language}:{self.topic:08x}"

    @classmethod
    def parse(cls, key: str) -> Self:
        """The segment of a key.

        Raises:
            ValueError: it is none, or one that no reader is ever in.
        """
        if not _KEY.fullmatch(key):
            raise ValueError(f"expected a segment such as own:00000000, got {shown(key)}")
        language, _, topic = key.partition(":")
        return cls(language, int(topic, 16))


@dataclass(frozen=True, slots=True)
class Shares:
    """Share of readers whose main topic has a code; what is missing to 1 has none."""

    topics: Mapping[int, float]
    readers: int


@dataclass(frozen=True, slots=True)
class Chosen:
    """A segment that an item is written for, its topic's name, and the share of readers in it."""

    segment: Segment
    topic: str
    share: float


FOR_ALL = Chosen(Segment(OWN), "", 1.0)


def language_part(tag: str) -> str:
    """The language of a BCP 47 tag: `pt` of `pt-BR`."""
    return tag.partition("-")[0].lower()


def main_topic(topics: Mapping[int, float]) -> int:
    """The topic that weighs most in a profile's u; 0 where none stands out."""
    positive = {code: weight for code, weight in topics.items() if weight > 0.0}
    if not positive:
        return EVERYBODY
    # Of equal weights the smallest code, so that the answer does not hang on the order of folding.
    code, weight = min(positive.items(), key=lambda pair: (-pair[1], pair[0]))
    return code if weight >= MAIN_SHARE * sum(positive.values()) else EVERYBODY


def segments_of(topics: Sequence[str], *, shares: Shares, most: int) -> list[Chosen]:
    """For whom to write an item with these topics, at most `most` segments: everybody first, then
    the readers of its topics, the most numerous first.
    """
    own = {topic_code(topic): topic for topic in topics}
    ranked = sorted(
        ((shares.topics.get(code, 0.0), code) for code in own), key=lambda pair: (-pair[0], pair[1])
    )
    for_topics = [
        Chosen(Segment(OWN, code), own[code], share) for share, code in ranked if share > 0.0
    ]
    return [FOR_ALL, *for_topics][:most]


def looked_up(language: str, topic: int) -> tuple[str, ...]:
    """Keys of the segments whose texts suit a reader, the best first; empty language: unknown."""
    tongues = (language, OWN) if language else (OWN,)
    codes = (topic, EVERYBODY) if topic else (EVERYBODY,)
    return tuple(Segment(tongue, code).key for tongue in tongues for code in codes)
