"""Which language a text is in.

Han, kana and Hangul name their language by themselves; py3langid tells the others (chosen against
lingua: as right on headlines, 4 MB against 96 MB, see docs/lab.md, "Words: understanding").
"""

import re
from collections.abc import Container
from dataclasses import dataclass
from functools import cache

from py3langid.langid import MODEL_FILE, LanguageIdentifier

from clickwise.understanding.libraries import released

VERSION = f"scripts-1+{released('py3langid')}"
# More text makes no answer better: every text of 2,000 characters was told rightly.
_CHARACTERS = 2_000
_HAN = re.compile("[\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff]")
_KANA = re.compile("[\u3041-\u3096\u30a1-\u30fa\u31f0-\u31ff\uff66-\uff9d]")
_HANGUL = re.compile("[\u1100-\u11ff\u3130-\u318f\uac00-\ud7a3]")
# One of these says as much as several Latin letters: headlines are full of foreign names.
_LETTERS_FOR_EACH = 3
# Of a Japanese text at least this share is kana.
_LEAST_KANA = 0.1
# Below this one of a hundred languages is as good as another: one word, a name, a number.
_LEAST_CONFIDENCE = 0.1
# A headline's language is often taken for a relative: Nigerian Pidgin before English.
_LEAST_LIKELIHOOD = 0.03


@dataclass(frozen=True, slots=True)
class Language:
    """A BCP 47 primary tag (empty: no letters, or not to be told) and how sure that is, 0 to 1."""

    tag: str
    confidence: float


UNKNOWN = Language("", 0.0)


def language_of(text: str, *, given: str | None = None) -> Language:
    """The language of `text`, or the one that the item itself gives."""
    if given:
        return Language(given.partition("-")[0].lower(), 1.0)
    some = text[:_CHARACTERS]
    letters = sum(map(str.isalpha, some))
    if not letters:
        return UNKNOWN
    han, kana, hangul = (len(script.findall(some)) for script in (_HAN, _KANA, _HANGUL))
    dense = han + kana + hangul
    share = _LETTERS_FOR_EACH * dense / (letters - dense + _LETTERS_FOR_EACH * dense)
    if share >= 0.5:
        if hangul > han + kana:
            return Language("ko", share)
        return Language("ja" if kana >= _LEAST_KANA * (han + kana) else "zh", share)
    tag, confidence = _identifier().classify(some)
    sure = min(1.0, max(0.0, float(confidence)))
    return Language(str(tag) if sure >= _LEAST_CONFIDENCE else "", sure)


def likely_of(text: str, among: Container[str]) -> str:
    """The likeliest of some languages, by their tags; empty where none of them is likely."""
    for tag, confidence in _identifier().rank(text[:_CHARACTERS]):
        if str(tag) in among:
            return str(tag) if float(confidence) >= _LEAST_LIKELIHOOD else ""
    return ""


@cache
def _identifier() -> LanguageIdentifier:
    """Loaded at first use: a second, and 60 MB."""
    return LanguageIdentifier.from_model_file(MODEL_FILE, norm_probs=True)
