"""A text taken apart: sentences, and in them words, with what tells a name from a word."""

import re
import unicodedata
from dataclasses import dataclass

from clickwise.writing.gate.lexicon import Lexicon, fold, lexicon
from clickwise.writing.gate.stems import stem

HAN = "\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff"
_WORD = re.compile(rf"[^\W\d_{HAN}]+(?:['\u2019][^\W\d_{HAN}]+)*")
_HAN = re.compile(rf"[{HAN}]")
_END = re.compile(
    r"[!?\u3002\u2026\n]+[\"'\u201d\u2019\u300d\u300f)]*|[.;]+[\"'\u201d\u2019)]*(?=\s|$)"
)
_OPENERS = frozenset(':"\u201c\u2018\u00ab')  # a name may begin after these as any word does
_COMMA = re.compile(r"[,:](?!\d)|[;()\u2013\u2014\u3001]|\s-\s")
_ABBREVIATION = re.compile(
    r"(?:^|[\s(])(?:mr|mrs|ms|dr|dra|sr|sra|srta|st|prof|profa|no|vs|etc|jr|inc|ltd|av|[A-Z])$",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class Word:
    """One word in letters; Chinese text has none."""

    text: str
    folded: str
    stem: str
    start: int  # in the sentence
    first: bool  # of its sentence, or after a colon or an opening quote

    @property
    def capital(self) -> bool:
        """Begins with a capital."""
        return self.text[0].isupper()


@dataclass(frozen=True, slots=True)
class Sentence:
    """One sentence, in compatibility form, and its words."""

    text: str
    folded: str
    words: tuple[Word, ...]
    stems: frozenset[str]
    titled: bool  # most of its words begin with capitals, so that capitals say nothing here

    @property
    def names(self) -> list[Word]:
        """Words that their capitals make names."""
        if self.titled:
            return []
        return [word for word in self.words if word.capital and not word.first and word.text != "I"]


@dataclass(frozen=True, slots=True)
class Reading:
    """A text in sentences."""

    lexicon: Lexicon
    sentences: tuple[Sentence, ...]

    @property
    def text(self) -> str:
        """The sentences as one text, in compatibility form."""
        return "\n".join(sentence.text for sentence in self.sentences)

    @property
    def folded(self) -> str:
        """The sentences as one text, folded."""
        return "\n".join(sentence.folded for sentence in self.sentences)


def read(text: str, language: str) -> Reading:
    """`text` taken apart with what is known of `language`."""
    known = lexicon(language)
    normal = unicodedata.normalize("NFKC", text)
    return Reading(known, tuple(_sentence(part, language) for part in split(normal)))


def split(text: str) -> list[str]:
    """The sentences of `text`, without white space around."""
    parts: list[str] = []
    start = 0
    for end in _END.finditer(text):
        before = text[max(start, end.start() - 8) : end.start()]
        if end.group().startswith(".") and _ABBREVIATION.search(before):
            continue
        parts.append(text[start : end.end()].strip())
        start = end.end()
    parts.append(text[start:].strip())
    return [part for part in parts if part]


def clauses(sentence: Sentence, known: Lexicon) -> list[tuple[Word, ...]]:
    """The words of `sentence` between its commas and conjunctions; no clause is empty."""
    parts: list[list[Word]] = [[]]
    end = 0
    for word in sentence.words:
        apart = _COMMA.search(sentence.text, end, word.start) or _joins(word, known)
        if apart and parts[-1]:
            parts.append([])
        parts[-1].append(word)
        end = word.start + len(word.text)
    return [tuple(part) for part in parts if part]


def stretches(sentence: Sentence) -> list[tuple[tuple[Word, ...], str]]:
    """What stands between the marks of `sentence`: its words, and the whole of it folded."""
    parts: list[tuple[tuple[Word, ...], str]] = []
    start = at = 0
    whole = len(sentence.text)
    for mark, after in (*(m.span() for m in _COMMA.finditer(sentence.text)), (whole, whole)):
        begin = at
        while at < len(sentence.words) and sentence.words[at].start < mark:
            at += 1
        folded = fold(sentence.text[start:mark])
        if folded.strip():
            parts.append((sentence.words[begin:at], folded))
        start = after
    return parts


def _joins(word: Word, known: Lexicon) -> bool:
    # Of one letter only as it is: Portuguese "e" joins, its accented sister is a verb.
    bare = len(word.folded) > 1 or word.text.casefold() == word.folded
    return bare and word.folded in known.conjunctions


def num_han(text: str) -> int:
    """How many Chinese characters `text` has."""
    return len(_HAN.findall(text))


def _sentence(text: str, language: str) -> Sentence:
    words: list[Word] = []
    for found in _WORD.finditer(text):
        before = text[max(0, found.start() - 4) : found.start()].rstrip()
        first = not words or before[-1:] in _OPENERS
        folded = fold(found.group())
        words.append(Word(found.group(), folded, stem(folded, language), found.start(), first))
    stems = frozenset(word.stem for word in words)
    return Sentence(text, fold(text), tuple(words), stems, _is_titled(words))


def _is_titled(words: list[Word]) -> bool:
    later = [word for word in words if not word.first and len(word.text) > 3]
    return len(later) >= 2 and sum(word.capital for word in later) > 0.7 * len(later)
