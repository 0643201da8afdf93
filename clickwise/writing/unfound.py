"""Numbers and names of a text that its item does not have: a second opinion beside the gate's.

It shares no code and no list with `clickwise.writing.gate` and knows much less, on purpose, so that
one error does not blind both. It does not read: digits are compared as they are written (but for
separators of thousands), and a capitalized word is looked for anywhere in the item's letters. It
finds fault with what is right (`5` for "five", a headline in capitals), and what it finds
is to be looked at by a person.
"""

import re
import unicodedata
from dataclasses import dataclass

# Spaces that stand between thousands, before NFKC makes them plain.
_THIN = str.maketrans(dict.fromkeys("\u00a0\u2009\u202f", "'"))
_NUMBER = re.compile(r"(\d{1,3}(?:[.,']\d{3})+(?!\d)|\d+)(?:[.,](\d+))?")
_WORD = re.compile(r"[^\W\d_](?:[^\W_]|[-'\u2019](?=[^\W_]))*")
_OWNED = re.compile(r"['\u2019]s?\Z")
_START = re.compile(r"(?:\A|[.!?\n])[\s\"'\u201c\u2018(\[-]*\Z")


@dataclass(frozen=True, slots=True)
class Unfound:
    """What of a text is not in its item. `openings`: capitalized words at the start of a sentence,
    which need not be names.
    """

    numbers: tuple[str, ...]
    names: tuple[str, ...]
    openings: tuple[str, ...]


def unfound(text: str, item: str) -> Unfound:
    """Of `text` in `item`, which is all that the item says."""
    letters = _normal(item).casefold()
    known = set(_numbers(_normal(item)))
    names: list[str] = []
    openings: list[str] = []
    said = _normal(text)
    for match in _WORD.finditer(said):
        word = _OWNED.sub("", match.group())
        if word[0].isupper() and word.casefold() not in letters:
            starts = _START.search(said[: match.start()]) is not None
            (openings if starts else names).append(word)
    return Unfound(
        numbers=tuple(number for number in _numbers(said) if number not in known),
        names=tuple(names),
        openings=tuple(openings),
    )


def _numbers(text: str) -> list[str]:
    """Digits as values: `1,200` and `1.200` are 1200, `2,50` and `2.5` are 2.5."""
    found: list[str] = []
    for whole, part in _NUMBER.findall(text):
        digits = re.sub(r"\D", "", whole).lstrip("0") or "0"
        decimals = part.rstrip("0")
        found.append(f"{digits}.{decimals}" if decimals else digits)
    return found


def _normal(text: str) -> str:
    return unicodedata.normalize("NFKC", text.translate(_THIN))
