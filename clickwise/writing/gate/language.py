"""Is a text in the language asked for: by its script, then by its function words."""

import re
import unicodedata
from collections import Counter

from clickwise.writing.gate.judgement import Finding, Reason
from clickwise.writing.gate.lexicon import LANGUAGES, lexicon
from clickwise.writing.gate.reading import Sentence

# Languages that the gate has no lists of, to be told from those it has: their commonest words.
_OTHERS = {
    "es": "el la los las del al y con una un es que de en por para se su mas como pero lo fue muy",
    "fr": "le la les des du un une et est dans pour que qui sur avec au aux par plus pas ce il",
    "de": "der die das und ist in den von zu mit sich des auf fur nicht ein eine im dem als auch",
    "it": "il lo la gli le di che e un una per con del della non sono da al nel alla piu come si",
}
_SCRIPTS = {
    **dict.fromkeys(("zh", "yue"), frozenset({"CJK"})),
    "ja": frozenset({"CJK", "HIRAGANA", "KATAKANA"}),
    "ko": frozenset({"HANGUL", "CJK"}),
    **dict.fromkeys(("ru", "uk", "bg", "sr", "be", "mk", "kk"), frozenset({"CYRILLIC"})),
    **dict.fromkeys(("ar", "fa", "ur"), frozenset({"ARABIC"})),
    "he": frozenset({"HEBREW"}),
    "el": frozenset({"GREEK"}),
    **dict.fromkeys(("hi", "mr", "ne"), frozenset({"DEVANAGARI"})),
    "bn": frozenset({"BENGALI"}),
    "ta": frozenset({"TAMIL"}),
    "th": frozenset({"THAI"}),
}
_LATIN = frozenset({"LATIN"})
_LEAST_SHARE = 0.5  # of the letters; names and brands keep their script
_MIXED = re.compile(r"[a-z]+", re.IGNORECASE)


def check(sentences: tuple[Sentence, ...], language: str) -> Finding | None:
    """Whether each sentence may be `language`; an empty one asks for nothing."""
    if not language:
        return None
    for sentence in sentences:
        if finding := _script(sentence.text, language):
            return finding
    return _words(sentences, language)


def _script(text: str, language: str) -> Finding | None:
    letters = Counter(_script_of(c) for c in text if c.isalpha())
    wanted = _SCRIPTS.get(language, _LATIN)
    # A Latin word is one sign for a thing, as a Chinese character is.
    if "LATIN" in letters and "LATIN" not in wanted:
        letters["LATIN"] = len(_MIXED.findall(text)) * 2
    total = letters.total()
    if not total or sum(letters[script] for script in wanted) >= _LEAST_SHARE * total:
        return None
    return Finding(Reason.LANGUAGE, f"expected {language}, most letters are {_most(letters)}")


def _words(sentences: tuple[Sentence, ...], language: str) -> Finding | None:
    lists = {tag: lexicon(tag).words("language") for tag in LANGUAGES}
    lists |= {tag: frozenset(words.split()) for tag, words in _OTHERS.items()}
    if not lists.get(language):
        return None
    own = lists[language] | lexicon(language).stop
    words = [word.folded for sentence in sentences for word in sentence.words]
    mine = sum(word in own for word in words)
    for tag, known in lists.items():
        theirs = known - own
        votes = 0 if tag == language else sum(word in theirs for word in words)
        if votes > max(1, mine):
            return Finding(Reason.LANGUAGE, f"expected {language}, its words are {tag}")
    return None


def _most(letters: Counter[str]) -> str:
    return letters.most_common(1)[0][0].capitalize()


def _script_of(character: str) -> str:
    if character.isascii():
        return "LATIN"
    return unicodedata.name(character, "?").split(" ", 1)[0].split("-", 1)[0]
