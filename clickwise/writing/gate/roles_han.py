"""Who did it to whom in Chinese: three parts of a clause keep the order of the item's sentence."""

import re
from collections import Counter

from clickwise.writing.gate.evidence import Evidence
from clickwise.writing.gate.judgement import Finding, Reason
from clickwise.writing.gate.reading import Sentence

_SHARED = 3  # pairs of characters
_LEFT = 2  # characters of a clause that its sentence may lack
_HAN_COMMA = "[,;:\u3001\uff0c\uff1b\uff1a]"


def check(sentence: Sentence, evidence: Evidence) -> Finding | None:
    """Three parts of a Chinese clause in the opposite order of the item's sentence."""
    passive = any(word in sentence.folded for word in evidence.lexicon.passive)
    for clause in re.split(_HAN_COMMA, sentence.folded):
        pairs = (evidence.places.get(clause[at : at + 2], ()) for at in range(len(clause) - 1))
        for at, count in Counter(place for places in pairs for place in places).most_common(2):
            other = evidence.sentences[at].folded
            if count < _SHARED or passive != any(w in other for w in evidence.lexicon.passive):
                continue
            places = _parts_in(clause, other)
            if places and any(
                a > b > c for a, b, c in zip(places, places[1:], places[2:], strict=False)
            ):
                return Finding(Reason.NAME, f"{clause[:20]}: the other way round in the item")
    return None


def _parts_in(clause: str, other: str) -> list[int] | None:
    """Where the longest parts of `clause` stand in `other`; None when a part is left over."""
    places: list[int] = []
    at = left = 0
    while at < len(clause):
        size = 0
        while at + size < len(clause) and clause[at : at + size + 1] in other:
            size += 1
        if size >= 2:
            places.append(other.index(clause[at : at + size]))
            at += size
        else:
            left += 1
            at += 1
    return places if left <= _LEFT else None
