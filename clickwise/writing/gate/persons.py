"""Who can be meant by a pronoun: the lines of a language's pronouns that a text has a word of."""

import re
from collections.abc import Iterable, Iterator
from functools import cache

import rjieba

from clickwise.writing.gate.lexicon import Lexicon
from clickwise.writing.gate.reading import Sentence, Word


def persons(
    sentences: Iterable[Sentence], folded: str, names: frozenset[str], known: Lexicon
) -> frozenset[int]:
    """Numbers of the lines of pronouns for which an item has a pronoun, or says who it may be.

    `folded` is all its `sentences`, `names` are the stems of the names in them.
    """
    if known.language == "zh":
        return _persons_han(folded, known)
    words = {
        form
        for sentence in sentences
        for word in meant(sentence, names, known)
        for form in (word.folded, word.folded.removesuffix("'s"))
    }
    return frozenset(
        number
        for number, (pronouns, others) in enumerate(known.pronouns)
        if not words.isdisjoint(pronouns | others)
    )


def meant(sentence: Sentence, names: frozenset[str], known: Lexicon) -> Iterator[Word]:
    """The words of `sentence` but for what only looks like a person: "US", "War I", "to miss"."""
    words = sentence.words
    for at, word in enumerate(words):
        if word.text.isupper() and len(word.text) > 1:
            continue
        if word.text == "I" and at and _at(words[at - 1], word, (" ",), sentence, names):
            continue
        if word.folded in known.courtesy and (
            not word.capital
            or at + 1 == len(words)
            or not _at(words[at + 1], word, (" ", ". "), sentence, names)
        ):
            continue
        yield word


def pronouns_in(folded: str, known: Lexicon) -> Iterator[tuple[int, str]]:
    """The pronouns of a Chinese text, with the numbers of their lines."""
    text = _without_others(folded, known)
    for number, (pronouns, _) in enumerate(known.pronouns):
        yield from ((number, word) for word in sorted(pronouns) if word in text)


def _at(
    name: Word, word: Word, gaps: tuple[str, ...], sentence: Sentence, names: frozenset[str]
) -> bool:
    """Whether `name` is one, and nothing but one of `gaps` parts it from `word`."""
    one, two = sorted((name, word), key=lambda each: each.start)
    gap = sentence.text[one.start + len(one.text) : two.start]
    return name.capital and name.stem in names and gap in gaps


def _persons_han(folded: str, known: Lexicon) -> frozenset[int]:
    words = frozenset(rjieba.cut(folded))
    found = {number for number, _ in pronouns_in(folded, known)}
    for number, (_, others) in enumerate(known.pronouns):
        begins = frozenset(other for other in others if len(other) == 1)
        ends = tuple(others - begins)
        if any(word[0] in begins or word.endswith(ends) for word in words):
            found.add(number)
    return frozenset(found)


def _without_others(folded: str, known: Lexicon) -> str:
    return _others(known).sub(" ", folded)


@cache
def _others(known: Lexicon) -> re.Pattern[str]:
    """Words with the character of a pronoun in them that are none."""
    return re.compile("|".join(sorted(known.words("nopronoun"))) or "(?!)")
