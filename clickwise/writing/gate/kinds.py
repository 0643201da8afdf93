"""What a name is of: a district does not become a city, nor a baker a professor.

A word such as "city", "river" or "doctor" at a name must stand at that name in the item. Where the
item has it elsewhere, it may mean the same ("Arden ... the town"), unless there it belongs to
another name, or this name has another of its class.
"""

from clickwise.writing.gate.called import WITHIN, at_names
from clickwise.writing.gate.evidence import Evidence
from clickwise.writing.gate.judgement import Finding, Reason
from clickwise.writing.gate.reading import Sentence, Word


def check(sentence: Sentence, evidence: Evidence) -> Finding | None:
    """A name of `sentence` with a kind that the item does not give it."""
    if evidence.lexicon.language == "zh":
        return _han(sentence, evidence)
    for at, name in at_names(sentence, evidence.lexicon, evidence.is_name):
        kind = sentence.words[at]
        if not _given(kind, name, evidence):
            return Finding(Reason.NAME, f"{kind.text}: not what the item calls {name.text}")
    return None


def _given(kind: Word, name: Word, evidence: Evidence) -> bool:
    """Whether the item calls `name` so, or may mean it where it says `kind`."""
    called = evidence.called
    kinds = _alike(kind, evidence)
    if _are_near(kinds, called.spots.get(name.stem, frozenset())):
        return True
    number = evidence.lexicon.kinds[kind.folded]
    return not kinds <= called.owned and number not in called.classes.get(name.stem, ())


def _alike(kind: Word, evidence: Evidence) -> frozenset[int]:
    """Where the item has `kind`, or a kind of the same meaning (town, city)."""
    kin, called = evidence.lexicon.kin, evidence.called
    groups = kin.get(kind.stem, frozenset()) - evidence.lexicon.likes
    same = [places for one, places in called.kinds.items() if groups & kin.get(one, frozenset())]
    return called.spots.get(kind.stem, frozenset()).union(*same)


def _are_near(one: frozenset[int], two: frozenset[int]) -> bool:
    few, many = sorted((one, two), key=len)
    return any(at + step in many for at in few for step in range(-WITHIN, WITHIN + 1))


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
    named = text[at - 2 : at]
    within = text[at : at + 2] if len(kind) == 1 else ""
    told = (named not in evidence.places, f"{named[1]}{kind}" in evidence.folded)
    if any(told) or within in evidence.places:
        return True
    known = evidence.lexicon
    if named in known.known or any(word in named for word in known.measures):
        return True
    return kind in evidence.called.this or named in evidence.called.near[kind]
