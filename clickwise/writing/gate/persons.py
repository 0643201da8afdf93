"""Who can be meant by a pronoun: the lines of a language's pronouns that a text has a word of."""

import re
from collections.abc import Iterator
from functools import cache

from clickwise.writing.gate.lexicon import Lexicon


def persons(words: frozenset[str], folded: str, known: Lexicon) -> frozenset[int]:
    """Numbers of the lines of pronouns for which an item has a pronoun, or says who it may be."""
    said = _without_others(folded, known) if known.language == "zh" else ""
    return frozenset(
        number
        for number, (pronouns, others) in enumerate(known.pronouns)
        if not words.isdisjoint(pronouns | others)
        or (said and any(word in said for word in pronouns | others))
    )


def pronouns_in(folded: str, known: Lexicon) -> Iterator[tuple[int, str]]:
    """The pronouns of a Chinese text, with the numbers of their lines."""
    text = _without_others(folded, known)
    for number, (pronouns, _) in enumerate(known.pronouns):
        yield from ((number, word) for word in sorted(pronouns) if word in text)


def _without_others(folded: str, known: Lexicon) -> str:
    return _others(known).sub(" ", folded)


@cache
def _others(known: Lexicon) -> re.Pattern[str]:
    """Words with the character of a pronoun in them that are none."""
    return re.compile("|".join(sorted(known.words("nopronoun"))) or "(?!)")
