"""Superlatives are claims: a text may hold one only if its item does."""

import re

from clickwise.writing.gate.evidence import Evidence
from clickwise.writing.gate.judgement import Finding, Reason
from clickwise.writing.gate.reading import HAN, Sentence

_HAN_SUPERLATIVE = re.compile(rf"\u6700[{HAN}]")


def check(sentence: Sentence, evidence: Evidence) -> Finding | None:
    """A superlative of `sentence` that the item does not have."""
    listed = evidence.lexicon.words("superlative")
    if evidence.lexicon.language == "zh":
        for found in _HAN_SUPERLATIVE.finditer(sentence.folded):
            if found.group() not in evidence.places and found.group() not in listed:
                return Finding(Reason.SUPPORT, found.group())
        return None
    for word in sentence.words:
        if word.folded in listed and not evidence.where(word):
            return Finding(Reason.SUPPORT, word.text)
    return None
