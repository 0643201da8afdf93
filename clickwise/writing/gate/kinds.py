"""What a name is of: a district does not become a city, nor a baker a professor.

A word such as "city", "river" or "doctor" at a name must stand at that name in the item. Where the
item has it elsewhere, it may mean the same ("Arden ... the town"), unless there it belongs to
another name, or this name has another of its class.
"""

from collections.abc import Iterator

from clickwise.writing.gate.evidence import Evidence
from clickwise.writing.gate.judgement import Finding, Reason
from clickwise.writing.gate.lexicon import Lexicon
from clickwise.writing.gate.reading import Sentence, Word

_WITHIN = 5  # words between a name and its kind in the item
_LIGHT = 2  # function words between them in the text
_HAN_NEAR = 6  # characters
_HAN_THIS = "\u5168\u8be5\u672c\u8fd9\u6b64\u5f53"  # "this", of a city and the like


def check(sentence: Sentence, evidence: Evidence) -> Finding | None:
    """A name of `sentence` with a kind that the item does not give it."""
    if evidence.lexicon.language == "zh":
        return _han(sentence, evidence)
    for kind, name in _at_names(sentence, evidence):
        if not _given(kind, name, evidence):
            return Finding(Reason.NAME, f"{kind.text}: not what the item calls {name.text}")
    return None


def _at_names(sentence: Sentence, evidence: Evidence) -> Iterator[tuple[Word, Word]]:
    """Kinds and the names that they stand at, with at most a few function words between."""
    known = evidence.lexicon
    words = sentence.words
    for at, kind in enumerate(words):
        if kind.folded not in known.kinds:
            continue
        for step in (-1, 1):
            other = at + step
            while (
                0 <= other < len(words)
                and abs(other - at) <= _LIGHT
                and words[other].folded in known.stop
            ):
                other += step
            if not 0 <= other < len(words):
                continue
            word = words[other]
            one, two = sorted((at, other))
            apart = sentence.text[words[one].start : words[two].start]
            if any(mark in apart for mark in ";:()"):
                continue
            if word.folded not in known.kinds and _is_name(word, sentence, evidence):
                yield kind, word


def _is_name(word: Word, sentence: Sentence, evidence: Evidence) -> bool:
    if not word.capital or word.folded in evidence.lexicon.stop:
        return False
    sure = not word.first and not sentence.titled and evidence.says_exactly(word)
    return sure or word.stem in evidence.names


def _given(kind: Word, name: Word, evidence: Evidence) -> bool:
    """Whether the item calls `name` so, or may mean it where it says `kind`."""
    known = evidence.lexicon
    free = False
    for at in evidence.where(kind):
        words = evidence.sentences[at].words
        kinds = [place for place, word in enumerate(words) if _alike(word, kind, known)]
        names = [place for place, word in enumerate(words) if word.stem == name.stem]
        if any(abs(one - two) <= _WITHIN for one in kinds for two in names):
            return True
        owned = {id(found) for found, other in _at_names(evidence.sentences[at], evidence)}
        free = free or any(id(words[place]) not in owned for place in kinds)
    return free and not _called_otherwise(kind, name, evidence)


def _alike(one: Word, two: Word, known: Lexicon) -> bool:
    """Whether both are the same kind: one word, or two of one meaning (town, city)."""
    if one.stem == two.stem:
        return True
    groups = known.kin.get(two.stem, frozenset())
    return one.folded in known.kinds and bool(groups & known.kin.get(one.stem, frozenset()))


def _called_otherwise(kind: Word, name: Word, evidence: Evidence) -> bool:
    known = evidence.lexicon
    return any(
        other.stem == name.stem and known.kinds[found.folded] == known.kinds[kind.folded]
        for at in evidence.places.get(name.stem, ())
        for found, other in _at_names(evidence.sentences[at], evidence)
    )


def _han(sentence: Sentence, evidence: Evidence) -> Finding | None:
    text = sentence.folded
    known = evidence.lexicon
    longest = max(map(len, known.kinds))
    at = 2
    while at < len(text):
        sizes = range(min(longest, len(text) - at), 0, -1)
        kind = next((text[at : at + n] for n in sizes if text[at : at + n] in known.kinds), "")
        if kind and not _han_given(text, at, kind, evidence):
            return Finding(Reason.NAME, f"{text[at - 2 : at]}{kind}: not so in the item")
        at += len(kind) or 1
    return None


def _han_given(text: str, at: int, kind: str, evidence: Evidence) -> bool:
    """Whether the item calls what stands before text[at] a `kind`, or that is no name."""
    told = evidence.folded
    named = text[at - 2 : at]
    within = text[at : at + 2] if len(kind) == 1 else ""
    if named not in evidence.places or f"{named[1]}{kind}" in told or within in evidence.places:
        return True
    known = evidence.lexicon
    if named in known.known or any(word in named for word in known.measures):
        return True
    place = told.find(kind)
    while place >= 0:
        near = told[max(0, place - _HAN_NEAR) : place + len(kind) + _HAN_NEAR]
        if named in near or told[place - 1 : place] in _HAN_THIS:
            return True
        place = told.find(kind, place + 1)
    return False
