"""What a Chinese text says of a thing must be the item's: adjectives, as a dictionary marks them.

Two characters that the item lacks are let through as a paraphrase, and without a "de" between them
and a noun nothing in their place tells "luxurious" from "become"; their kind does.
"""

import rjieba

from clickwise.writing.gate.evidence import Evidence
from clickwise.writing.gate.judgement import Finding, Reason
from clickwise.writing.gate.reading import Sentence
from clickwise.writing.gate.support import han_states

_ADJECTIVES = frozenset({"a", "ad", "an", "z"})  # jieba's marks: plain, as adverb or noun, of state
_LEAST = 2  # characters: one alone is often half of another word


def check(sentence: Sentence, evidence: Evidence) -> Finding | None:
    """An adjective of `sentence` of which the item has no character pair and no word like it."""
    if evidence.lexicon.language != "zh":
        return None
    states = han_states(sentence.folded, evidence)
    at = 0
    for word, mark in rjieba.tag(sentence.folded):
        at = sentence.folded.index(word, at)
        end = at + len(word)
        if mark in _ADJECTIVES and len(word) >= _LEAST and set(states[at:end]) == {"n"}:
            return Finding(Reason.SUPPORT, f"{word}: not in the item")
        at = end
    return None
