"""What a model replied becomes a draft: without the wrapping that models add, and if it is none.

A reply is *nonsense* when it cannot be about the item at all: nothing, our own fence, or words of
which the item has not one. That is a fault of the model, not of the text, and counts with the
breaker; all that can be held against a text is the gate's to say.
"""

import re

from clickwise.writing.gate import Field, Source
from clickwise.writing.port import Completion

MOST_POINTS = 5
_TITLE_LIKE = re.compile(
    r"\A(?:title|headline|summary|key points?|t\u00edtulo|manchete|resumo|\u6807\u9898"
    r"|\u6458\u8981)\s*[:\uff1a]\s*",
    re.IGNORECASE,
)
_BULLET = re.compile(r"\A\s*(?:[-*\u2022\u00b7]|\(?\d{1,2}[.)\u3001])\s+")
_QUOTES = {'"': '"', "'": "'", "\u201c": "\u201d", "\u2018": "\u2019", "\u300c": "\u300d"}
# A full stop within a word or number ends nothing, nor does one where the reply breaks off: "3."
_END = re.compile(
    r"[.!?\u2026]+[\"'\u201d\u2019)]*(?=\s)|[\u3002\uff01\uff1f]+[\u201d\u2019\u300d]*"
)
_WORD = re.compile(r"[^\W\d_]{4,}")
_WIDE = re.compile(r"[\u3040-\u30ff\u3400-\u9fff]+")
_ENOUGH = 3  # words from which on it can be told


def draft_of(answer: Completion, field: Field) -> str:
    """The answer as a draft of `field`: one line, or one line per key point.

    Of an unfinished one, what the model did finish: whole lines of key points, a title that another
    line follows, whole sentences. Nothing is left where it finished none.
    """
    reply = _finished(answer.text, field) if answer.unfinished else answer.text
    lines = [line for raw in reply.splitlines() if (line := _bare(raw))]
    if not lines:
        return ""
    if field is Field.KEY_POINTS:
        return "\n".join(_BULLET.sub("", line).strip() for line in lines[:MOST_POINTS])
    return lines[0] if field is Field.TITLE else " ".join(lines)


def is_nonsense(reply: str, source: Source, *, language: str, fence: str) -> bool:
    """Whether a reply cannot be about the item. In another language than the item's only what is
    empty, or holds the fence, is told.
    """
    if not reply.strip() or fence.strip("= ") in reply:
        return True
    if language != source.language:
        return False
    said = _words(reply)
    return len(said) >= _ENOUGH and said.isdisjoint(_words(f"{source.title} {source.body}"))


def _finished(reply: str, field: Field) -> str:
    """What stands before the last break of a reply that something else than its writer ended."""
    whole, broken, _ = reply.rpartition("\n")
    if broken and whole.strip() and field is not Field.SUMMARY:
        return whole
    ends = list(_END.finditer(reply))
    return reply[: ends[-1].end()] if ends else ""


def _bare(line: str) -> str:
    line = _TITLE_LIKE.sub("", line.strip())
    closing = _QUOTES.get(line[:1])
    if closing is not None and len(line) > 1 and line.endswith(closing):
        inner = line[1:-1].strip()
        if closing not in inner:
            return inner
    return line


def _words(text: str) -> set[str]:
    """Words of four letters or more, by their first four; pairs of Chinese or Japanese signs."""
    words = {word[:4] for word in _WORD.findall(_WIDE.sub(" ", text).lower())}
    for run in _WIDE.findall(text):
        words.update(run[at : at + 2] for at in range(len(run) - 1))
    return words
