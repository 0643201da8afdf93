"""Numbers that an item says without the same digits: "one lesson" for 1, two days for 48 hours."""

import re
from decimal import Decimal

from clickwise.writing.gate.evidence import Evidence
from clickwise.writing.gate.numerals import Quantity
from clickwise.writing.gate.reading import HAN, Sentence

_BASE = {
    "second": ("second", 1),
    "minute": ("second", 60),
    "hour": ("second", 3_600),
    "day": ("second", 86_400),
    "week": ("second", 604_800),
    "month": ("month", 1),
    "year": ("month", 12),
    "decade": ("month", 120),
    "g": ("g", 1),
    "kg": ("g", 1_000),
    "ton": ("g", 1_000_000),
    "cm": ("cm", 1),
    "meter": ("cm", 100),
    "km": ("cm", 100_000),
}
_NEAR = 2  # words between "one" and what there is one of
_HAN_ONE = "\u4e00"
_NEXT_HAN = re.compile(f"[{HAN}]{{1,2}}")


def says_one(sentence: Sentence, quantity: Quantity, evidence: Evidence) -> bool:
    """Whether the item has one of what `quantity`, a 1, counts: "one", or an article."""
    if quantity.values != {Decimal(1)} or quantity.percent or quantity.currency:
        return False
    known = evidence.lexicon
    if known.language == "zh":
        counted = _NEXT_HAN.match(sentence.folded, quantity.end)
        return counted is not None and f"{_HAN_ONE}{counted.group()}" in evidence.folded
    after = [word.stem for word in sentence.words if word.start >= quantity.end][:1]
    ones = known.words("one")
    for told in evidence.sentences if after else ():
        for at, word in enumerate(told.words):
            near = told.words[at + 1 : at + 2 + _NEAR]
            if word.folded in ones and any(other.stem == after[0] for other in near):
                return True
    return False


def in_another_unit(quantity: Quantity, evidence: Evidence) -> bool:
    """Whether the item has as much, measured in another unit."""
    mine = _in_base(quantity)
    return bool(mine) and any(mine & _in_base(other) for _, other in evidence.quantities)


def _in_base(quantity: Quantity) -> frozenset[tuple[str, Decimal]]:
    base, factor = _BASE.get(quantity.unit, ("", 0))
    return frozenset((base, value * factor) for value in quantity.values if base)
