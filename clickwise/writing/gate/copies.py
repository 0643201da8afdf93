"""Is a text another item's: the same, or made of its sentences. Or does it copy itself."""

import re
from collections.abc import Iterable, Sequence

from clickwise.writing.gate.judgement import Finding, Reason
from clickwise.writing.gate.lexicon import fold

MAX_OTHERS = 400  # titles and texts
MAX_OTHER_CHARACTERS = 20_000
_GRAM = 12  # characters, without white space and marks
_COPIED = 0.8  # share of its grams that another text has
_OWN = 0.5  # share from which on they are this item's as well
_REPEATED = 6  # characters: "No." may be said twice
_LOOSE = re.compile(r"[\W_]+")
# The same words, or Chinese characters, three times in a row: a model that has lost its thread.
_LOOP = re.compile(r"\b(\w[^\n]{1,60}?)(?:[\W_]+\1\b){2}|([\u3400-\u9fff]{2,12}?)(?:[\W_]*\2){2}")


def check(text: str, source: str, others: Sequence[str]) -> Finding | None:
    """Whether `text` (folded) stands in one of `others` and not in `source` (folded). One shorter
    than a gram must be all of the other: items about one story have a few characters in common.
    """
    if not others:
        return None
    bare = _LOOSE.sub("", text)
    if len(bare) < _GRAM:
        grams = {bare}
    else:
        grams = {bare[at : at + _GRAM] for at in range(len(bare) - _GRAM + 1)}
    own = _LOOSE.sub("", source)
    if _share(grams, own) >= _OWN:
        return None
    for other in others[:MAX_OTHERS]:
        theirs = _LOOSE.sub("", fold(other[:MAX_OTHER_CHARACTERS]))
        if bare == theirs or (len(bare) >= _GRAM and _share(grams, theirs) >= _COPIED):
            return Finding(Reason.COPY, "another item's title or text")
    return None


def repeated(sentences: Iterable[str]) -> Finding | None:
    """Whether a sentence (folded) stands there twice, but for marks and white space, or goes round
    in circles.
    """
    seen: set[str] = set()
    for sentence in sentences:
        bare = _LOOSE.sub("", sentence)
        if len(bare) >= _REPEATED and bare in seen:
            return Finding(Reason.REPETITION, sentence[:60])
        if loop := _LOOP.search(sentence):
            return Finding(Reason.REPETITION, loop.group()[:60])
        seen.add(bare)
    return None


def _share(grams: set[str], text: str) -> float:
    size = len(next(iter(grams)))
    known = {text[at : at + size] for at in range(len(text) - size + 1)}
    return len(grams & known) / len(grams)
