"""Numbers as texts write them, to values: separators, scales, words, Chinese numerals.

A quantity keeps what changes its meaning: percent, currency, unit. Digits of any script and
full width count as digits (the text is in compatibility form).
"""

import re
from dataclasses import dataclass, replace
from decimal import Decimal

from clickwise.writing.gate import numerals_han
from clickwise.writing.gate.lexicon import Lexicon, fold, lexicon

_DIGITS = re.compile(
    r"(R\$|US\$|[$\u20ac\u00a3\u00a5])?\s?((?<!\d)\d+(?:[.,'\u2019 ]\d{3}(?!\d)|[.,]\d+)*)"
)
_SIGNS = {
    "R$": "brl",
    "US$": "usd",
    "$": "usd",
    "\u20ac": "eur",
    "\u00a3": "gbp",
    "\u00a5": "cny",
}
_TO = re.compile(
    r"\s*(?:to|para|a|at\u00e9|-|\u2013|\u5230|\u81f3)\s*(?:R\$|US\$|[$\u20ac\u00a3\u00a5])?\s*"
)
# "4 instead of 11": from 11 to 4.
INSTEAD = re.compile(
    r"\b(?:instead of|rather than|compared (?:with|to)|(?:up|down) from|em vez de|no lugar de|ante"
    r"|em compara\w+o com)\b|\u800c\u4e0d\u662f|\u800c\u975e",
    re.IGNORECASE,
)
_NEAR = 40  # characters
_NEXT_WORD = re.compile(r"[\s-]{0,2}([^\W\d_]{1,20})(?:[\s-]([^\W\d_]{1,20}))?")
_COMMA_DECIMAL = frozenset({"pt", "es", "de", "it", "fr", "nl", "ru", "pl", "tr", "id"})
_MAX_DIGITS = 24


@dataclass(frozen=True, slots=True)
class Quantity:
    """A number in a text, and what it is of."""

    raw: str
    values: frozenset[Decimal]  # more than one where separators leave it open
    percent: bool
    currency: str  # code, or empty
    unit: str  # of the lexicon, or empty
    start: int
    end: int


def quantities(text: str, known: Lexicon, *, separators: str | None = None) -> list[Quantity]:
    """The numbers of `text` (in compatibility form), in order.

    `separators` is the language that says what points and commas mean, `known`'s if None; where it
    is empty, a number that could be read in two ways is taken in both.
    """
    tag = known.language if separators is None else separators
    found: list[Quantity] = []
    for m in _DIGITS.finditer(text):
        if _is_list(m.group(2)):
            found += _parts(m)
        elif len(m.group(2)) <= _MAX_DIGITS:
            found.append(_quantity(text, m, known, tag))
    spans = [(q.start, q.end) for q in found]
    if known.language == "zh":
        found += _han(text, spans)
    else:
        found += _words(text, known, spans)
    return _with_kinds(sorted(found, key=lambda q: q.start), text)


def _with_kinds(found: list[Quantity], text: str) -> list[Quantity]:
    """The same, both numbers of "from 84 to 79 euros" and "4 euros instead of 11" of euros."""
    for at in range(len(found) - 2, -1, -1):
        one, two = found[at], found[at + 1]
        between = text[one.end : two.start]
        if not any(_kind_of(one)) and _TO.fullmatch(between):
            found[at] = replace(one, percent=two.percent, currency=two.currency, unit=two.unit)
        elif not any(_kind_of(two)) and len(between) < _NEAR and INSTEAD.search(between):
            found[at + 1] = replace(two, percent=one.percent, currency=one.currency, unit=one.unit)
    return found


def _kind_of(quantity: Quantity) -> tuple[bool, str, str]:
    return quantity.percent, quantity.currency, quantity.unit


def _is_list(raw: str) -> bool:
    """Whether these are numbers with points between: a date, a version."""
    groups = re.split(r"[.,]", raw)
    marks = set(re.findall(r"[.,]", raw))
    return len(groups) > 2 and len(marks) == 1 and any(len(group) != 3 for group in groups[1:])


def _parts(m: re.Match[str]) -> list[Quantity]:
    start = m.start(2)
    return [
        Quantity(
            part.group(),
            frozenset({Decimal(part.group())}),
            percent=False,
            currency="",
            unit="",
            start=start + part.start(),
            end=start + part.end(),
        )
        for part in re.finditer(r"\d+", m.group(2))
        if len(part.group()) <= _MAX_DIGITS
    ]


def _quantity(text: str, m: re.Match[str], known: Lexicon, separators: str) -> Quantity:
    raw = m.group(2)
    values = readings(raw, separators)
    end = m.end()
    percent = text.startswith("%", end) or text.startswith(" %", end)
    before = text[max(0, m.start(2) - 3) : m.start(2)]
    if before == "\u767e\u5206\u4e4b":
        percent = True
    currency = _SIGNS.get(m.group(1) or "", "")
    unit = ""
    factor = 1
    if scale := numerals_han.SCALE.match(text, end):
        for character in scale.group(1):
            factor *= (numerals_han.SMALL | numerals_han.LARGE)[character]
        end = scale.end()
    if not percent:
        factor_word, end = _scale_word(text, end, known)
        factor *= factor_word
        percent, unit, named = _kind(text, end, known)
        currency = currency or named
        percent = percent or before == "\u767e\u5206\u4e4b"
    scaled = frozenset(value * factor for value in values)
    if text.startswith(numerals_han.TENTH, end) and factor == 1:
        percent, scaled = True, frozenset(value * 10 for value in values)
    return Quantity(text[m.start() : end].strip(), scaled, percent, currency, unit, m.start(2), end)


def readings(raw: str, language: str) -> frozenset[Decimal]:
    """The values that digits with separators can have in `language`; any, if it is empty."""
    compact = re.sub(r"['\u2019 ]", "", raw)
    separators = re.findall(r"[.,]", compact)
    if not separators:
        return frozenset({Decimal(compact)})
    groups = re.split(r"[.,]", compact)
    whole = Decimal("".join(groups))
    grouped = all(len(g) == 3 for g in groups[1:]) and len(groups[0]) <= 3 and groups[0] != "0"
    decimal = Decimal("".join(groups[:-1]) + "." + groups[-1])
    if len(set(separators)) == 2:
        return frozenset({decimal})
    if len(separators) > 1:
        return frozenset({whole})
    if not grouped:
        return frozenset({decimal})
    if not language:
        return frozenset({whole, decimal})
    decimal_mark = "," if language in _COMMA_DECIMAL else "."
    return frozenset({decimal if separators[0] == decimal_mark else whole})


def _scale_word(text: str, end: int, known: Lexicon) -> tuple[int, int]:
    follow = _NEXT_WORD.match(text, end)
    if follow is None:
        return 1, end
    word = follow.group(1).casefold()
    factor = known.scales.get(_bare(word), 0)
    if not factor or (len(word) == 1 and text[end : end + 1] in " -"):
        return 1, end
    return factor, follow.end(1)


def _kind(text: str, end: int, known: Lexicon) -> tuple[bool, str, str]:
    """Percent, unit and currency from what follows a number."""
    if known.language == "zh":
        rest = text[end : end + 5].lstrip(" \u4e2a\u591a\u4f59")
        if rest.startswith(tuple(known.weekdays)):
            return False, "", ""  # five Saturdays are no weeks
        for table, at in ((known.units, 0), (known.currencies, 1)):
            names = sorted((name for name in table if rest.startswith(name)), key=len)
            if names:
                named = table[names[-1]]
                return (False, named, "") if at == 0 else (False, "", named)
        return rest.startswith("%"), "", ""
    follow = _NEXT_WORD.match(text, end)
    if follow is None:
        return False, "", ""
    one, two = _bare(follow.group(1)), _bare(follow.group(2) or "")
    if f"{one} {two}" in ("per cent", "por cento") or one in known.words("percent"):
        return True, "", ""
    unit = known.units.get(one) or known.units.get(two, "")
    currency = known.currencies.get(one) or known.currencies.get(two, "")
    return False, unit or "", currency or ""


def _bare(word: str) -> str:
    return fold(word)


def _words(text: str, known: Lexicon, taken: list[tuple[int, int]]) -> list[Quantity]:
    """Number words; neighbors that add up (twenty-five, cento e vinte) count as one."""
    found: list[Quantity] = []
    joined: list[tuple[int, int, int]] = []  # start, end, value
    for m in re.finditer(r"[^\W\d_]+", text):
        value = known.numbers.get(_bare(m.group()))
        scale = known.scales.get(_bare(m.group()), 0) if len(m.group()) > 2 else 0
        if joined:
            start, end, before = joined[-1]
            between = text[end : m.start()].strip().casefold()
            near = m.start() - end <= 3 and between in ("", "-", "e")
            if near and scale:
                joined[-1] = (start, m.end(), before * scale)
                continue
            fits = value is not None and before % 10 == 0 and value < _room(before)
            if near and fits and value is not None:
                joined[-1] = (start, m.end(), before + value)
                continue
        if value is not None:
            joined.append((m.start(), m.end(), value))
    for start, end, value in joined:
        if any(a <= start < b for a, b in taken):
            continue
        percent, unit, currency = _kind(text, end, known)
        exact = frozenset({Decimal(value)})
        found.append(Quantity(text[start:end], exact, percent, currency, unit, start, end))
    return found


def _room(value: int) -> int:
    """The greatest number, exclusive, that can be added to a round `value` in words."""
    room = 1
    while value and value % (room * 10) == 0:
        room *= 10
    return room


def _han(text: str, taken: list[tuple[int, int]]) -> list[Quantity]:
    zh = lexicon("zh")
    found: list[Quantity] = []
    for m in numerals_han.NUMBER.finditer(text):
        if any(a <= m.start() < b for a, b in taken):
            continue
        raw = m.group()[:_MAX_DIGITS]
        value = numerals_han.value_of(raw, text[m.end() : m.end() + 1])
        if value is None:
            continue
        percent, unit, currency = _kind(text, m.end(), zh)
        percent = percent or text[max(0, m.start() - 3) : m.start()] == "\u767e\u5206\u4e4b"
        exact = Decimal(value)
        if text.startswith(numerals_han.TENTH, m.end()) and value < 10:
            percent, exact = True, exact * 10
        found.append(Quantity(raw, frozenset({exact}), percent, currency, unit, m.start(), m.end()))
    return found
