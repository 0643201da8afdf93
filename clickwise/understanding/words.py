"""Keywords: YAKE (Campos et al., 2020) over words that each script's own rules tell apart.

YAKE weighs a word by its case, place, frequency, company and spread in this one text, so it needs
no corpus and no training. Chinese is cut into words by jieba first, of which the nouns count.
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cache
from math import log1p

import rjieba
from yake_rust import Yake

from clickwise.understanding.languages import likely_of
from clickwise.understanding.libraries import released
from clickwise.understanding.understanding import Keyword

VERSION = f"yake-2+{released('yake-rust', 'rjieba')}"
MAX_KEYWORDS = 10
MAX_WORD_CHARACTERS = 40
# Candidates that YAKE gives, before those that repeat a better one are left out.
_CANDIDATES = 60
# Languages whose stop words yake-rust brings; a test asks it for each (any other makes it panic).
# Its `br` is not Breton but Portuguese once more.
STOP_WORDS = frozenset(
    {"ar", "bg", "cs", "da", "de", "el", "en", "es", "et", "fa", "fi", "fr", "hi", "hr"}
    | {"hu", "hy", "id", "it", "ja", "lt", "lv", "nl", "no", "pl", "pt", "ro", "ru", "sk", "sl"}
    | {"sv", "tr", "uk", "zh"}
)
_YAKES_NAMES = {"cs": "cz"}
# jieba's marks of nouns, names, idioms and foreign words.
_CONTENT = ("n", "vn", "an", "eng", "j", "l", "i")
_HAN = re.compile("[\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff]")
# YAKE takes every word of less than three characters for a stop word, and most Chinese words have
# two: a letter of no such text makes them three.
_PAD = "\u01c3"
# In Japanese what is written in Han or katakana carries the meaning.
_JAPANESE = re.compile(
    "[\u3400-\u4dbf\u4e00-\u9fff\u3005]{2,}|[\u30a1-\u30fa\u30fc]{2,}|[^\\W\u3041-\u30ff]+"
)


def keywords_of(text: str, language: str) -> tuple[Keyword, ...]:
    """Up to ten words or phrases of `text` with their weights, heaviest first.

    Each is written as the text has it; no two share most of their words. Empty when the text
    has no word that counts. Where no stop words of `language` are known, or none is told, those of
    the likeliest language that has some stand in.
    """
    if language == "ja":
        segmented, allowed, phrase = _padded(_JAPANESE.findall(text)), None, 1
    elif language == "zh" or (not language and _HAN.search(text)):
        tagged = rjieba.tag(text)
        segmented = _padded(word for word, _ in tagged)
        allowed = {word.casefold() for word, mark in tagged if _counts(word, mark)}
        language, phrase = "zh", 1
    else:
        segmented, allowed, phrase = text, None, 3
        if language not in STOP_WORDS:
            language = likely_of(text, STOP_WORDS)
    yake = _yake(language, phrase)
    scored = yake.extractor.get_n_best(
        segmented, n=_CANDIDATES if allowed is None else _CANDIDATES + len(allowed)
    )
    chosen = _distinct(
        (word, score)
        for word, score in ((word.removesuffix(_PAD), score) for word, score in scored)
        if _is_word(word, yake.stop_words) and (allowed is None or word.casefold() in allowed)
    )
    return _weighted(chosen)


def _padded(found: Iterable[str]) -> str:
    return " ".join(word + _PAD if len(word) == 2 else word for word in found)


def _counts(word: str, mark: str) -> bool:
    return mark.startswith(_CONTENT) and len(word) > 1


def _is_word(word: str, stop_words: frozenset[str]) -> bool:
    """Also false for what YAKE joins by a stop word: "river on Monday" is no phrase."""
    return (
        1 < len(word) <= MAX_WORD_CHARACTERS
        and any(map(str.isalpha, word))
        and stop_words.isdisjoint(word.casefold().split())
    )


def _distinct(scored: Iterable[tuple[str, float]]) -> list[tuple[str, float]]:
    """The best, without those that share more than half of the shorter one's words."""
    chosen: list[tuple[str, float]] = []
    taken: list[set[str]] = []
    for word, score in scored:
        parts = {part.removesuffix("s") for part in word.casefold().split()}
        if any(2 * len(parts & other) > min(len(parts), len(other)) for other in taken):
            continue
        chosen.append((word, score))
        taken.append(parts)
        if len(chosen) == MAX_KEYWORDS:
            break
    return chosen


def _weighted(scored: Sequence[tuple[str, float]]) -> tuple[Keyword, ...]:
    """YAKE's scores are near 0 for the best; here the best weighs most, and all weigh 1."""
    raw = [log1p(1.0 / max(score, 1e-6)) for _, score in scored]
    total = sum(raw)
    return tuple(
        Keyword(word=word, weight=round(one / total, 4))
        for (word, _), one in zip(scored, raw, strict=True)
    )


@dataclass(frozen=True, slots=True)
class _Extractor:
    """YAKE for one language. It hands out its stop words as a new set each time."""

    extractor: Yake
    stop_words: frozenset[str]


@cache
def _yake(language: str, phrase: int) -> _Extractor:
    if not language:
        return _Extractor(Yake(stopwords=set(), ngrams=phrase), frozenset())
    extractor = Yake(language=_YAKES_NAMES.get(language, language), ngrams=phrase)
    return _Extractor(extractor, frozenset(extractor.stopwords))
