"""Numbers as texts write them, to values: separators, scales, words, Chinese numerals.

A quantity keeps what changes its meaning: percent, currency, unit. Digits of any script and
full width count as digits (the text is in compatibility form).
"""

import re
from dataclasses import dataclass
from decimal import Decimal

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
_NEXT_WORD = re.compile(r"[\s-]{0,2}([^\W\d_]{1,20})(?:[\s-]([^\W\d_]{1,20}))?")
_COMMA_DECIMAL = frozenset({"pt", "es", "de", "it", "fr", "nl", "ru", "pl", "tr", "id"})
_MAX_DIGITS = 24
_HAN_DIGITS = "\u96f6\u3007\u4e00\u4e8c\u4e09\u56db\u4e94\u516d\u4e03\u516b\u4e5d"
_HAN_VALUE = {c: max(0, at - 1) for at, c in enumerate(_HAN_DIGITS)} | {"\u4e24": 2}
_HAN_SMALL = {"\u5341": 10, "\u767e": 100, "\u5343": 1000}
_HAN_LARGE = {"\u4e07": 10**4, "\u4ebf": 10**8}
_HAN_NUMBER = re.compile(rf"[{_HAN_DIGITS}\u4e24\u5341\u767e\u5343\u4e07\u4ebf]+")
# What a lone numeral counts; without one of these it is part of a word.
_HAN_MEASURES = frozenset(
    "\u4eba\u540d\u4e2a\u4f4d\u5e74\u6708\u65e5\u5929\u65f6\u5206\u79d2\u5468\u5c81\u500d\u6b21"
    "\u5bb6\u6240\u6761\u5ea7\u8f86\u516c\u5143\u5c42\u697c\u5c4a\u7ae0\u8282\u8bfe\u671f\u79cd"
    "\u7c7b\u9879\u4ef6\u672c\u90e8\u53f0\u5957\u95f4\u573a\u7ea7\u5757\u7247\u5428\u5ea6\u6210"
    "\u6298\u70b9\u53f7\u53ea\u5934\u68f5\u8258\u67b6\u652f\u6bb5\u6b65\u5206\u5bf9\u8f6e\u7403"
    "\u6839\u628a\u5f20\u9876\u53cc\u526f\u7bb1\u74f6\u676f\u76d2\u5305\u888b\u7897"
    "\u76d8\u9897\u7c92\u80a1\u680b\u5e62\u6237\u6751\u7701\u53bf\u5e02\u56fd\u961f\u7ec4"
    "\u73ed\u95e8\u679a\u518c\u7bc7\u9996\u96c6\u8d9f\u904d\u987f\u7b14\u5339\u6735\u675f"
    "\u6392\u5217\u9762\u4ee3\u8fde\u7c73\u65a4\u514b\u5428\u5347\u682a\u7fa4\u6d3e\u62e8\u7ad9\u7a0b"
    "\u5c0f\u661f\u767b\u53e5\u9053\u5f20\u5e45\u6279"
)
_HAN_BETWEEN = "\u591a\u4f59\u51e0"
_HAN_SCALE = re.compile(
    rf"\s?[{_HAN_BETWEEN}]?((?:[\u5341\u767e\u5343](?![\u7c73\u514b])|[\u4e07\u4ebf])+)"
)
_HAN_TENTH = "\u6210"  # a tenth, in percent
_HAN_FULL = "\u4e00"


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
    return sorted(found, key=lambda q: q.start)


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
    if scale := _HAN_SCALE.match(text, end):
        for character in scale.group(1):
            factor *= (_HAN_SMALL | _HAN_LARGE)[character]
        end = scale.end()
    if not percent:
        factor_word, end = _scale_word(text, end, known)
        factor *= factor_word
        percent, unit, named = _kind(text, end, known)
        currency = currency or named
        percent = percent or before == "\u767e\u5206\u4e4b"
    scaled = frozenset(value * factor for value in values)
    if text.startswith(_HAN_TENTH, end) and factor == 1:
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
    for m in _HAN_NUMBER.finditer(text):
        if any(a <= m.start() < b for a, b in taken):
            continue
        raw = m.group()[:_MAX_DIGITS]
        value = _han_value(raw, text[m.end() : m.end() + 1])
        if value is None:
            continue
        percent, unit, currency = _kind(text, m.end(), zh)
        percent = percent or text[max(0, m.start() - 3) : m.start()] == "\u767e\u5206\u4e4b"
        exact = Decimal(value)
        if text.startswith(_HAN_TENTH, m.end()) and value < 10:
            percent, exact = True, exact * 10
        found.append(Quantity(raw, frozenset({exact}), percent, currency, unit, m.start(), m.end()))
    return found


def _han_value(raw: str, follows: str) -> int | None:
    """The value of a run of Chinese numerals; None where it is no number, or just one."""
    if all(c in _HAN_VALUE for c in raw):
        if len(raw) == 1:
            counted = raw != _HAN_FULL and follows in _HAN_MEASURES and follows
            return _HAN_VALUE[raw] if counted else None
        return int("".join(str(_HAN_VALUE[c]) for c in raw)) if len(raw) >= 4 else None
    if len(raw) == 1:
        return 10 if raw in _HAN_SMALL and raw == "\u5341" and follows in _HAN_MEASURES else None
    if not any(c in _HAN_VALUE for c in raw) and not raw.startswith("\u5341"):
        return None
    total = section = digit = 0
    for c in raw:
        if c in _HAN_VALUE:
            digit = _HAN_VALUE[c]
        elif c in _HAN_SMALL:
            section += (digit or 1) * _HAN_SMALL[c]
            digit = 0
        else:
            total = (total + section + digit) * _HAN_LARGE[c]
            section = digit = 0
    return total + section + digit
