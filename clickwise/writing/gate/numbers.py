"""Each number of a text must be in its item: value, percent, currency, unit, and neighbors."""

import re
from collections import Counter
from decimal import Decimal
from itertools import pairwise

from clickwise.writing.gate import equals
from clickwise.writing.gate.evidence import Evidence
from clickwise.writing.gate.judgement import Finding, Reason
from clickwise.writing.gate.numerals import INSTEAD, Quantity, quantities
from clickwise.writing.gate.reading import Sentence
from clickwise.writing.gate.support import content

_PAIR = re.compile(r"(?<![\d.,-])(\d{1,4})(?:\s?[-\u2013:\u6bd4]\s?| a )(\d{1,4})(?![\d.,-])")
_TO = re.compile(
    r"(?:\b(?:to|para|a|ate)|[\u5230\u81f3])[^\w]*(?:[^\W\d_]{2,3}|R)?\$?\s*$", re.IGNORECASE
)
_ROUGHLY = Decimal("0.06")  # how far a rounded number may be off, as a share
_REACH = 14  # characters before a number in which "about" is looked for
_CLEARLY = 2  # more words that another sentence must share to be what the clause is of
_BEFORE = 2  # words of content beside a number that say what it is of
_AFTER = 3
_CLAUSE_MARKS = ",;:\uff0c\uff1b\uff1a"


def check(sentence: Sentence, evidence: Evidence) -> Finding | None:
    """A number of `sentence` that the item does not have, or has of something else."""
    found = quantities(sentence.text, evidence.lexicon)
    for quantity in found:
        same = [(at, q) for at, q in evidence.quantities if q.values & quantity.values]
        if not same:
            if (
                _rounded(sentence.text, quantity, evidence)
                or equals.says_one(sentence, quantity, evidence)
                or equals.in_another_unit(quantity, evidence)
            ):
                continue
            return Finding(Reason.NUMBER, quantity.raw)
        places = [at for at, other in same if _of_the_same(quantity, other)]
        if not places and equals.in_another_unit(quantity, evidence):
            continue
        if not places:
            return Finding(Reason.NUMBER, f"{quantity.raw}: of something else in the item")
        if not _same_place(sentence, quantity, places, evidence):
            return Finding(Reason.NUMBER, f"{quantity.raw}: with other words in the item")
    return _pairs(sentence.text, evidence) or _from_to(sentence.text, found, evidence)


def _of_the_same(one: Quantity, other: Quantity) -> bool:
    return (
        one.percent == other.percent
        and (not one.currency or one.currency == other.currency)
        and (not one.unit or one.unit == other.unit)
    )


def _rounded(text: str, quantity: Quantity, evidence: Evidence) -> bool:
    """A round number with "about" before it, near one of the item's."""
    before = text[max(0, quantity.start - _REACH) : quantity.start].casefold()
    after = text[quantity.end : quantity.end + 2]
    said = evidence.lexicon.approximate
    near = (
        any(word in before or word in after or word in quantity.raw for word in said)
        if evidence.lexicon.language == "zh"
        else any(word in said for word in re.findall(r"[^\W\d_]+", before))
    )
    if not near:
        return False
    for value in quantity.values:
        digits = value.normalize().as_tuple().digits
        for _, other in evidence.quantities:
            for exact in other.values:
                close = exact and abs(value - exact) <= _ROUGHLY * abs(exact)
                shorter = len(digits) < len(exact.normalize().as_tuple().digits)
                if close and shorter and _of_the_same(quantity, other):
                    return True
    return False


def _same_place(
    sentence: Sentence, quantity: Quantity, places: list[int], evidence: Evidence
) -> bool:
    """Whether no sentence of the item with another such number fits the clause better."""
    if any(
        m.start() <= quantity.start < m.end() and m.group() in evidence.text
        for m in _PAIR.finditer(sentence.text)
    ):
        return True
    counts = Counter(at for where in beside(sentence, quantity, evidence) for at in where)
    # In the same words but, say, without the currency that it has there: half believed.
    own = max(
        counts[at] - (_kind(other) != _kind(quantity))
        for at, other in evidence.quantities
        if at in places and other.values & quantity.values
    )
    rivals = {
        at
        for at, other in evidence.quantities
        if at not in places and counts[at] >= own + _CLEARLY and _kind(quantity) == _kind(other)
    }
    return not rivals


def _kind(quantity: Quantity) -> tuple[bool, str, str]:
    return quantity.percent, quantity.currency, quantity.unit


def beside(sentence: Sentence, quantity: Quantity, evidence: Evidence) -> list[frozenset[int]]:
    """Where the item has the words of the number's clause, as far as it has them."""
    text = sentence.text
    start = max(text.rfind(mark, 0, quantity.start) for mark in _CLAUSE_MARKS) + 1
    ends = [at for mark in _CLAUSE_MARKS if (at := text.find(mark, quantity.end)) >= 0]
    end = min(ends, default=len(text))
    if evidence.lexicon.language == "zh":
        part = text[start : quantity.start] + "\n" + text[quantity.end : end]
        pairs = {part[at : at + 2] for at in range(len(part) - 1)}
        return [evidence.places[pair] for pair in sorted(pairs) if pair in evidence.places]
    words = [word for word in content(sentence.words, evidence) if start <= word.start < end]
    before = [word for word in words if word.start < quantity.start][-_BEFORE:]
    after = [word for word in words if word.start >= quantity.end][:_AFTER]
    return [found for word in (*before, *after) if (found := evidence.where(word))]


def _pairs(text: str, evidence: Evidence) -> Finding | None:
    """Scores and ranges keep their order: 3-2 is not 2-3."""
    known = {m.groups() for m in _PAIR.finditer(evidence.text)}
    for m in _PAIR.finditer(text):
        one, two = m.groups()
        if known and (one, two) not in known:
            return Finding(Reason.NUMBER, f"{m.group()}: not together in the item")
    return None


def _from_to(text: str, found: list[Quantity], evidence: Evidence) -> Finding | None:
    """A change from one number to another keeps its direction."""
    for one, two in pairwise(found):
        if not _TO.search(text[one.end : two.start]) or _kind(one) != _kind(two):
            continue
        straight = turned = False
        for (at, first), (also_at, second) in pairwise(evidence.quantities):
            if at == also_at:
                same = bool(first.values & one.values and second.values & two.values)
                other = bool(first.values & two.values and second.values & one.values)
                between = evidence.sentences[at].text[first.end : second.start]
                if (same or other) and INSTEAD.search(between):
                    same, other = other, same
                straight, turned = straight or same, turned or other
        if turned and not straight:
            return Finding(Reason.NUMBER, f"{one.raw}, {two.raw}: the other way round in the item")
    return None
