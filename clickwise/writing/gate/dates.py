"""Months, days of the month, weekdays and words such as "tomorrow" must be the item's."""

import re
from dataclasses import dataclass

from clickwise.writing.gate.judgement import Finding, Reason
from clickwise.writing.gate.lexicon import Lexicon, fold
from clickwise.writing.gate.numerals import quantities

_NUMERIC = re.compile(r"(?<!\d)(\d{1,4})([-/.])(\d{1,2})\2(\d{1,4})(?!\d)")
_HAN_MONTH = re.compile(
    "([\\d\u4e00\u4e8c\u4e09\u56db\u4e94\u516d\u4e03\u516b\u4e5d\u5341]{1,3})\u6708"
    "(?:([\\d\u4e00\u4e8c\u4e09\u56db\u4e94\u516d\u4e03\u516b\u4e5d\u5341]{1,3})[\u65e5\u53f7])?"
)
_PT_WEEKDAYS = {"segunda": 1, "terca": 2, "quarta": 3, "quinta": 4, "sexta": 5}
_PT_WEEKDAY = re.compile(
    r"\b(?:na|nesta|desta|da|a|de|proxima|ultima|toda|as|nas) "
    r"(segunda|terca|quarta|quinta|sexta)s?\b"
    r"(?!-feira| (?:edicao|vez|fase|etapa|parte|rodada|linha|temporada))"
)
_PT_FULL = re.compile(r"\b(segunda|terca|quarta|quinta|sexta)s?-feiras?\b")
_AMBIGUOUS = frozenset({"may", "march", "mar", "set", "dec", "sun", "jan", "out", "ago"})
_BEFORE_A_MONTH = frozenset(
    {"in", "of", "since", "until", "by", "last", "next", "early", "late", "mid", "this", "every"}
    | {"from", "before", "after", "through", "em", "de"}
)


@dataclass(frozen=True, slots=True)
class Dates:
    """The dates that a text names."""

    months: frozenset[int]
    days: frozenset[tuple[int, int]]  # month, day
    weekdays: frozenset[int]
    relative: frozenset[str]


def check(text: str, dates: Dates, known: Lexicon) -> Finding | None:
    """A date of `text` that is not among the item's."""
    said = dates_in(text, known)
    if missing := said.months - dates.months:
        return Finding(Reason.DATE, f"month {min(missing)}")
    if missing_days := said.days - dates.days:
        month, day = min(missing_days)
        return Finding(Reason.DATE, f"day {day} of month {month}")
    if missing := said.weekdays - dates.weekdays:
        return Finding(Reason.DATE, f"weekday {min(missing)}")
    if absent := said.relative - dates.relative:
        return Finding(Reason.DATE, min(absent))
    return None


def dates_in(text: str, known: Lexicon) -> Dates:
    """The dates of `text`, in compatibility form."""
    months: set[int] = set()
    days: set[tuple[int, int]] = set()
    folded = fold(text)
    for m in _NUMERIC.finditer(text):
        one, two, three = int(m[1]), int(m[3]), int(m[4])
        pairs = [(two, three)] if len(m[1]) == 4 else [(two, one), (one, two)]
        for month, day in pairs:
            if 1 <= month <= 12 and 1 <= day <= 31:
                months.add(month)
                days.add((month, day))
    if known.language == "zh":
        _han(text, known, months, days)
        weekdays = {number for name, number in known.weekdays.items() if name in text}
        relative = {name for name in known.relative_days if name in text}
        same = {
            "\u4eca\u65e5": "\u4eca\u5929",
            "\u660e\u65e5": "\u660e\u5929",
            "\u6628\u65e5": "\u6628\u5929",
        }
        relative = {same.get(name, name) for name in relative}
        return Dates(frozenset(months), frozenset(days), frozenset(weekdays), frozenset(relative))
    _named(text, known, months, days)
    words = frozenset(re.findall(r"[^\W\d_]+", folded))
    weekdays = {
        number for name, number in known.weekdays.items() if name in words or f"{name}s" in words
    }
    if known.language == "pt":
        weekdays |= {_PT_WEEKDAYS[m[1]] for m in _PT_FULL.finditer(folded)}
        weekdays |= {_PT_WEEKDAYS[m[1]] for m in _PT_WEEKDAY.finditer(folded)}
    relative = set(known.relative_days & words)
    return Dates(frozenset(months), frozenset(days), frozenset(weekdays), frozenset(relative))


def _named(text: str, known: Lexicon, months: set[int], days: set[tuple[int, int]]) -> None:
    tokens = re.findall(r"\d+|[^\W\d_]+", text)
    for at, token in enumerate(tokens):
        month = known.months.get(fold(token))
        if month is None:
            continue
        beside = [t for t in (*_before(tokens, at), *tokens[at + 1 : at + 2]) if t.isdigit()]
        if fold(token) in _AMBIGUOUS:
            before = tokens[at - 1].casefold() if at else ""
            if not (token[0].isupper() and (beside or before in _BEFORE_A_MONTH)):
                continue
        months.add(month)
        days.update((month, int(t)) for t in beside if len(t) <= 2 and 1 <= int(t) <= 31)


def _before(tokens: list[str], at: int) -> list[str]:
    """The number before a month: 12 March, 12th of March, 12 de marco."""
    near = tokens[max(0, at - 3) : at]
    while near and near[-1].casefold() in ("de", "of", "th", "st", "nd", "rd"):
        near.pop()
    return near[-1:]


def _han(text: str, known: Lexicon, months: set[int], days: set[tuple[int, int]]) -> None:
    for m in _HAN_MONTH.finditer(text):
        month = _small(m[1], known)
        if month is None or not 1 <= month <= 12:
            continue
        months.add(month)
        if m[2] and (day := _small(m[2], known)):
            days.add((month, day))


def _small(raw: str, known: Lexicon) -> int | None:
    if raw == "\u4e00":
        return 1
    found = quantities(f"{raw}\u6708", known)
    return int(min(found[0].values)) if found else None
