"""A number stays with the words of its clause: what costs 5 and what costs 18 do not change places.

`numbers` weighs sentences of the item; this weighs the parts of one sentence between two marks.
"""

from dataclasses import dataclass
from decimal import Decimal

from clickwise.writing.gate.evidence import Evidence
from clickwise.writing.gate.judgement import Finding, Reason
from clickwise.writing.gate.numerals import Quantity, quantities
from clickwise.writing.gate.reading import Sentence, Word, clauses, stretches
from clickwise.writing.gate.support import content

_MOST = 20  # sentences of the item with the number that are compared
_MOST_PARTS = 40  # of a sentence

_Kind = tuple[bool, str, str]


@dataclass(frozen=True, slots=True)
class _Part:
    """A clause: what it says, as it is compared, and its numbers."""

    keys: frozenset[str]
    numbers: tuple[Quantity, ...]


def check(sentence: Sentence, evidence: Evidence) -> Finding | None:
    """A number of `sentence` that one sentence of the item has with other words."""
    read: dict[int, list[_Part]] = {}
    seen: set[tuple[frozenset[str], frozenset[Decimal], _Kind]] = set()
    for part in _parts(sentence, evidence) if evidence.quantities else ():
        for number in filter(_counts_something, part.numbers):
            asked = (part.keys, number.values, _kind(number))
            if asked in seen:
                continue
            seen.add(asked)
            places = dict.fromkeys(at for at, q in evidence.quantities if _same(q, number))
            told = list(places)[:_MOST]
            for at in told:
                if at not in read:
                    read[at] = _parts(evidence.sentences[at], evidence)[:_MOST_PARTS]
            if told and all(_of_another(part, number, read[at]) for at in told):
                return Finding(Reason.NUMBER, f"{number.raw}: of something else in the item")
    return None


def _of_another(part: _Part, number: Quantity, told: list[_Part]) -> bool:
    """Whether `part` says more of a part with another such number than of one with `number`."""
    own = [one for one in told if any(_same(q, number) for q in one.numbers)]
    rivals = [
        one
        for one in told
        if one not in own and any(_kind(q) == _kind(number) for q in one.numbers)
    ]
    return bool(own) and any(
        all(len(part.keys & (rival.keys - one.keys)) > len(part.keys & one.keys) for one in own)
        for rival in rivals
    )


def _same(one: Quantity, two: Quantity) -> bool:
    return bool(one.values & two.values) and _kind(one) == _kind(two)


def _counts_something(quantity: Quantity) -> bool:
    return any(_kind(quantity))


def _kind(quantity: Quantity) -> _Kind:
    return quantity.percent, quantity.currency, quantity.unit


def _parts(sentence: Sentence, evidence: Evidence) -> list[_Part]:
    known = evidence.lexicon
    found = quantities(sentence.text, known)
    if known.language == "zh":
        return _parts_han(sentence, evidence, found)
    parts: list[_Part] = []
    told = clauses(sentence, known)
    ends = [*(clause[0].start for clause in told[1:]), len(sentence.text)][: len(told)]
    start = 0
    for clause, end in zip(told, ends, strict=True):
        numbers = tuple(q for q in found if start <= q.start < end)
        parts.append(_Part(_keys(clause, evidence), numbers))
        start = end
    return parts


def _keys(clause: tuple[Word, ...], evidence: Evidence) -> frozenset[str]:
    words = content(clause, evidence)
    kin = evidence.lexicon.kin
    groups = {f"#{group}" for word in words for group in kin.get(word.stem, ())}
    return frozenset(word.stem for word in words if not kin.get(word.stem)) | frozenset(groups)


def _parts_han(sentence: Sentence, evidence: Evidence, found: list[Quantity]) -> list[_Part]:
    light = evidence.lexicon.stop
    parts: list[_Part] = []
    start = 0
    for _, folded in stretches(sentence):
        begin = sentence.folded.find(folded, start)
        start = begin + len(folded)
        pairs = (folded[at : at + 2] for at in range(len(folded) - 1))
        keys = frozenset(
            pair for pair in pairs if pair in evidence.places and light.isdisjoint((*pair, pair))
        )
        parts.append(_Part(keys, tuple(q for q in found if begin <= q.start < start)))
    return parts
