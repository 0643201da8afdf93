"""E-mail addresses, telephone numbers and payment cards in free text, masked where it comes in.

Own rules. `phonenumbers` (Google's, 30 MB with its tables) wants to know a region for each text to
see a national number, and with the right one takes most bare digits of that length for one, ids of
items among them; presidio brings a language model. These rules want a shape that people write
telephone numbers in, or a word before it, and leave prices, dates, ISBNs and ids alone. What is
masked is gone: nobody can tell what stood there.

Digits of every script, full-width forms, and dashes and spaces of all kinds are read as ASCII, a
character for a character, so that places in both texts are the same.
"""

import re
import unicodedata
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import msgspec

from clickwise import metrics
from clickwise.errors import ConfigurationError
from clickwise.items import Item
from clickwise.limits import MAX_BODY_CHARACTERS, MAX_TITLE_CHARACTERS

FIELDS = {"title": MAX_TITLE_CHARACTERS, "body": MAX_BODY_CHARACTERS}
MASKS = {"email": "[email]", "card": "[card]", "phone": "[phone]"}

_masks = re.compile("|".join(map(re.escape, MASKS.values())))
_HIDDEN = "\u200b"  # what no reader sees, all of it
# Letters of scripts that are written without spaces would join what they stand beside.
_JOINED = "\u0e00-\u0eff\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af"
_LETTER = rf"[^\W{_JOINED}]"
_LOCAL = rf"(?:{_LETTER}|[.!#$%&'*+/=?^`{{|}}~-])"
_DOMAIN = rf"(?:(?:{_LETTER}|-){{1,63}}\.){{1,8}}(?:{_LETTER}|-){{2,63}}"
# Begun where nothing of the kind stands before, and never given back: time grows with the text.
_emails = (
    re.compile(rf"(?<!{_LETTER})(?<![.!#$%&'*+/=?^`{{|}}~-]){_LOCAL}{{1,64}}+@{_DOMAIN}"),
    re.compile(r"(?<![\w.+-])[\w.+-]{1,64}+@(?:[\w-]{1,63}\.){1,8}[\w-]{2,63}"),
)

_SEPARATOR = rf"[ \-.{_HIDDEN}]"
# Not in a word, an address, a sum; the end not in the midst of a number.
_EDGE = r"(?<![\w@#.,/:=&+-])"
_END = rf"(?!{_SEPARATOR}?[\d%@])(?![A-Za-z_=])"
_begins = re.compile(r"[+(]|\d+")
_card_runs = re.compile(rf"(?<![\w.,])\d{{2,19}}(?:[ \-{_HIDDEN}]{{1,2}}\d{{2,19}})*(?!\w)")
_digits = re.compile(r"\d+")
# Each after a separator or a bracket, so that a row of digits is read in one way only.
_GROUPS = rf"(?:(?:{_SEPARATOR}{{1,2}}\(?|\(|(?<=\)))\d{{1,12}}\)?){{0,8}}"


def _shape(shape: str, edge: str = _EDGE) -> re.Pattern[str]:
    return re.compile(rf"{edge}(?P<number>{shape}){_END}")


# By their first character.
_area_first = (_shape(r"[2-9]\d{2}(?P<s>[.-])[2-9]\d{2}(?P=s)\d{4}"),)  # 415-555-2671
_shapes = {
    "+": (_shape(rf"\+{_SEPARATOR}?\(?\d{{1,15}}\)?{_GROUPS}"),),  # +49 (0)30 123456
    "(": (_shape(r"\(0?\d{2,5}\)[ -]?\d{2,5}(?:[ .-]?\d{2,5}){1,3}"),),  # (415) 555-2671
    "0": (
        _shape(r"00[ -]?[1-9]\d{0,2}(?:[ -]\(?\d{1,8}\)?){2,6}"),  # 0049 30 123456
        _shape(r"0\d(?P<s>[ .-])\d{2}(?:(?P=s)\d{2}){3}"),  # 06 12 34 56 78
        _shape(r"0\d{1,4}[ /-]\d{3,4}[ -]?\d{3,4}"),  # 090-1234-5678
        _shape(r"0\d{2,4}[ /-]\d{6,8}"),  # 0171 1234567
    ),
    "1": (_shape(r"1[3-9]\d[ -]?\d{4}[ -]?\d{4}", r"(?<![A-Za-z0-9_.,=/-])"),),  # 138 1234 5678
    **dict.fromkeys("23456789", _area_first),
}
_WORDS = (
    r"tel(?:efon[eo]?|efono|éfono|éphone|ephone)?|phone|mobile?|handy|cell|whatsapp|fax|call|ring"
    r"|teléfono|móvil|celular|telefoon|puhelin|тел(?:ефон)?|моб|τηλ|電話|电话|手机|手機|携帯"
    r"|전화|هاتف|جوال|טלפון|फ़ोन|फोन|โทร"
)
_named = re.compile(rf"(?P<number>\+?\(?\d(?:{_SEPARATOR}{{0,2}}[\d()]){{5,19}})(?!\d)")
_named_before = re.compile(rf"(?:{_WORDS})[^\w+(]{{0,6}}\Z", re.IGNORECASE)
_LONGEST_WORD = 24
_LEAST_DIGITS, _MOST_DIGITS = 7, 15
_SHORTEST_CARD, _LONGEST_CARD = 14, 19


@dataclass(frozen=True, slots=True)
class Found:
    """Something to mask: `text[begin:end]`."""

    kind: str
    begin: int
    end: int


@dataclass(frozen=True, slots=True)
class Masking:
    """Which fields of an item are masked."""

    fields: tuple[str, ...]

    def item(self, item: Item) -> Item:
        """The item with these fields masked; itself where there was nothing."""
        changed: dict[str, str] = {}
        for name in self.fields:
            text: str = getattr(item, name)
            masked = counted(text)
            if masked != text:
                changed[name] = masked[: FIELDS[name]]
        return msgspec.structs.replace(item, **changed) if changed else item


UNMASKED = Masking(())


def masking_of(setting: str) -> Masking:
    """The masking that a setting wants: names of fields with commas between.

    Raises:
        ConfigurationError: there is no such field.
    """
    names = tuple(name.strip() for name in setting.split(",") if name.strip())
    for name in names:
        if name not in FIELDS:
            raise ConfigurationError(f"CLICKWISE_MASK: expected {', '.join(FIELDS)}, got {name!a}")
    return Masking(names)


def masked(text: str) -> str:
    """`text` with what `find` finds replaced."""
    return _replaced(text, find(text))


def has_masks(text: str) -> bool:
    """Whether something in `text` was masked."""
    return _masks.search(text) is not None


def without_masks(text: str, *, instead: str = " ") -> str:
    """`text` for who asks what it is about: a mask is none of its words."""
    return _masks.sub(instead, text)


def counted(text: str) -> str:
    """The same, counted."""
    found = find(text)
    for one in found:
        metrics.masked.labels(one.kind).inc()
    return _replaced(text, found)


def find(text: str) -> list[Found]:
    """What is masked in `text`, in order, without overlaps."""
    plain = text if text.isascii() else text.translate(_PLAIN)
    found: list[Found] = []
    if "@" in plain:
        for pattern in _emails:
            plain = _take(
                found, plain, (Found("email", *m.span()) for m in pattern.finditer(plain))
            )
    plain = _take(found, plain, _cards(plain))
    found += _phone_numbers(plain)
    return sorted(found, key=lambda one: one.begin)


def _replaced(text: str, found: Iterable[Found]) -> str:
    parts, after = [], 0
    for one in found:
        parts += [text[after : one.begin], MASKS[one.kind]]
        after = one.end
    return "".join([*parts, text[after:]])


def _take(found: list[Found], plain: str, more: Iterable[Found]) -> str:
    """Add `more` to `found`; `plain` with nothing left to find in these places."""
    some = list(more)
    found += some
    parts, after = [], 0
    for one in some:
        parts += [plain[after : one.begin], "\0" * (one.end - one.begin)]
        after = one.end
    return "".join([*parts, plain[after:]]) if some else plain


def _phone_numbers(plain: str) -> Iterator[Found]:
    after = 0
    for begin in (match.start() for match in _begins.finditer(plain)):
        if begin < after:
            continue
        match = _phone_at(plain, begin)
        if match is not None:
            after = match.end("number")
            yield Found("phone", begin, after)


def _phone_at(plain: str, begin: int) -> re.Match[str] | None:
    """A telephone number that begins there: with its word before it, or of a known shape."""
    first = plain[begin]
    if first != "+" and begin > 1 and plain[begin - 1] in " -." and plain[begin - 2].isdigit():
        return None  # within a row of groups
    patterns = _shapes[first]
    if _named_before.search(plain[max(0, begin - _LONGEST_WORD) : begin]):
        patterns = (_named, *patterns)
    for pattern in patterns:
        match = pattern.match(plain, begin)
        if match is not None:
            digits = sum(map(str.isdigit, match["number"]))
            if _LEAST_DIGITS <= digits <= _MOST_DIGITS:
                return match
    return None


def _cards(plain: str) -> Iterator[Found]:
    """Card numbers in rows of groups of digits: they begin and end with a group."""
    for row in _card_runs.finditer(plain):
        if row.end() - row.start() < _SHORTEST_CARD:
            continue
        groups = [match.span() for match in _digits.finditer(plain, *row.span())]
        after = 0
        for first, (begin, _) in enumerate(groups):
            if first < after:
                continue
            digits = ""
            for last in range(first, len(groups)):
                digits += plain[slice(*groups[last])]
                if len(digits) > _LONGEST_CARD:
                    break
                if len(digits) >= _SHORTEST_CARD and _is_card(digits):
                    yield Found("card", begin, groups[last][1])
                    after = last + 1
                    break


def _is_card(digits: str) -> bool:
    """Whether a network issues such numbers (ISO/IEC 7812), and its check digit is right."""
    return _issued(digits) and _luhn(digits) and len(set(digits)) > 1


def _issued(digits: str) -> bool:
    two, four, length = int(digits[:2]), int(digits[:4]), len(digits)
    if digits[0] == "4":
        return length in (16, 19)
    if 51 <= two <= 55 or 2221 <= four <= 2720 or 2200 <= four <= 2204:
        return length == 16
    if two in (34, 37):
        return length == 15
    if two in (36, 38, 39) or 3000 <= four <= 3059:
        return length in (14, 16)
    if 3528 <= four <= 3589 or four == 9792:
        return length in (16, 17, 18, 19)
    return digits[0] == "6" and length >= 16


def _luhn(digits: str) -> bool:
    """The check digit of ISO/IEC 7812-1, annex B."""
    total = 0
    for place, digit in enumerate(reversed(digits)):
        value = int(digit) << (place & 1)
        total += value - 9 if value > 9 else value
    return total % 10 == 0


class _Plain(dict[int, int | str]):
    """Each character as the ASCII one that is read like it, looked up when it is first met."""

    def __missing__(self, code: int) -> str:
        character = chr(code)
        plain = character
        category = unicodedata.category(character)
        if category == "Nd":
            plain = str(unicodedata.decimal(character))
        elif category == "Pd" or character == "\u2212":
            plain = "-"
        elif category == "Zs":
            plain = " "
        elif category == "Cf":
            plain = _HIDDEN
        elif 0xFF01 <= code <= 0xFF5E:  # full-width forms
            plain = chr(code - 0xFEE0)
        self[code] = plain
        return plain


_PLAIN = _Plain()
