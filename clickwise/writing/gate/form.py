"""What a text looks like: empty, too long, marked up, with an address."""

import re
import unicodedata

from clickwise.writing.gate.judgement import Draft, Field, Finding, Reason
from clickwise.writing.gate.reading import num_han

# Most and least columns of a field; a Chinese character takes two.
WIDTHS: dict[Field, tuple[int, int]] = {
    Field.TITLE: (8, 140),
    Field.SUMMARY: (10, 700),
    Field.KEY_POINTS: (10, 900),
    Field.REASON: (8, 240),
}
MAX_POINTS = 6
_MARKUP = re.compile(
    r"</?[a-z!][^<>]{0,200}>|&(?:[a-z]{2,8}|#\d{1,6});|\*\*|__|~~|`|^\s{0,3}#{1,6}\s|\]\(|!\["
    r"|^\s*(?:[-*+\u2022\u00b7]|\d{1,2}[.)\u3001])\s+|\{\{|\}\}|\\[a-z]+\{|<\|",
    re.IGNORECASE | re.MULTILINE,
)
_UNSEEN = frozenset({"Cc", "Cf", "Cs", "Co", "Cn"})
_KEPT = frozenset("\n\t\u200c\u200d")  # joiners hold letters and emoji together
_HASH_TAG = re.compile(r"(?:^|\s)#\w")
_LINK = re.compile(
    r"\b(?:https?|ftp|javascript|mailto|data):\S|\bwww\.\S|(?:\b[\w.+-]{1,64}|(?<!\S))@\w"
    r"|\b[a-z0-9][a-z0-9-]{0,62}\.(?:com|org|net|io|co|info|biz|app|dev|xyz|top|shop|site|online"
    r"|br|pt|cn|uk|eu|me|tv|ly|gov|edu|example)\b",
    re.IGNORECASE,
)
_PHONE = re.compile(r"\+?\(?\d[\d\s().-]{6,24}\d")
_NOT_PHONE = re.compile(
    r"\d{4}[-./]\d{1,2}[-./]\d{1,2}|\d{1,2}[-./]\d{1,2}[-./]\d{4}|\d{1,3}(?:[. ]\d{3})+"
    r"|\d{4}\s*-\s*\d{4}|\d+\.\d+"
)
_PHONE_DIGITS = 8


def check(draft: Draft) -> Finding | None:
    """What is wrong with the form of `draft`, if anything."""
    text = draft.text
    if not any(character.isalnum() for character in text):
        return Finding(Reason.EMPTY, "no word in it")
    return _length(draft) or _markup(draft) or _link(text)


def width(text: str) -> int:
    """Columns that `text` takes."""
    return len(text) + num_han(text)


def _length(draft: Draft) -> Finding | None:
    least, most = WIDTHS[draft.field]
    lines = [line for line in draft.text.splitlines() if line.strip()]
    columns = width(draft.text.strip())
    if not least <= columns <= most:
        return Finding(Reason.LENGTH, f"{columns} columns, allowed are {least} to {most}")
    if draft.field is Field.KEY_POINTS:
        if len(lines) > MAX_POINTS:
            return Finding(Reason.LENGTH, f"{len(lines)} points, allowed are {MAX_POINTS}")
    elif len(lines) > 1:
        return Finding(Reason.LENGTH, f"{len(lines)} lines, expected one")
    return None


def _markup(draft: Draft) -> Finding | None:
    for pattern in (_MARKUP, _HASH_TAG):
        if found := pattern.search(draft.text):
            return Finding(Reason.MARKUP, found.group().strip()[:40])
    for character in draft.text:
        if character not in _KEPT and unicodedata.category(character) in _UNSEEN:
            return Finding(Reason.MARKUP, f"character {ord(character):#x}")
    return None


def _link(text: str) -> Finding | None:
    normal = unicodedata.normalize("NFKC", text)
    if found := _LINK.search(normal):
        return Finding(Reason.LINK, found.group()[:40])
    for found in _PHONE.finditer(normal):
        number = found.group()
        digits = sum(character.isdigit() for character in number)
        if digits >= _PHONE_DIGITS and not _NOT_PHONE.fullmatch(number):
            return Finding(Reason.LINK, number[:40])
    return None
